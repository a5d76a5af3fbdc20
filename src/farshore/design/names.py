"""The names of all designs, for those who only name them: to build one takes much more to be loaded."""

from __future__ import annotations

DESIGN_NAMES = ("single-nat", "lake", "last-hop", "last-hop-plain", "appliance")
