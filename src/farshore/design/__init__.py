"""Designs: recipes that turn an intent and its plan into a fabric."""
