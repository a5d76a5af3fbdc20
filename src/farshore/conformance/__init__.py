"""Conformance: what must and what must not be possible, and the checks of a network that runs."""
