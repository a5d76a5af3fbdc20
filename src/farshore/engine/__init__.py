"""Engines: what makes a fabric run on a machine."""
