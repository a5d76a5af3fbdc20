"""Checks: collisions of addresses and names, and what a choice of design cannot carry. Pure."""
