"""The proof for all packets: tenants reach their services and nothing else."""
