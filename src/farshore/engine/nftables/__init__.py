"""The netfilter engine: a network namespace and an nftables rule set for each device."""
