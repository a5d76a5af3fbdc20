"""The fabric: the vendor-neutral model of one whole design."""
