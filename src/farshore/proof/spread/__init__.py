"""How sets of packets spread through a fabric, and how the replies come back. Pure."""
