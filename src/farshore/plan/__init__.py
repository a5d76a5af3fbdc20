"""The plan: who is known by which address where."""
