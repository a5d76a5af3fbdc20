"""The path of sets of packets through a fabric, and of their replies. Pure."""
