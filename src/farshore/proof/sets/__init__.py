"""Sets of packets: senders, targets, and the intervals and tables of both. Pure."""
