"""The walk: one packet, and its reply, through a fabric, step by step."""
