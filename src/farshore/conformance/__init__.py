"""Conformance: allowed and forbidden flows, and the checks of a running network."""
