"""Checking: what would break a packet, and what a choice of design cannot carry. Pure."""
