"""How diagnostics of the plan say numbers."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return ``1 address`` or ``4,128,768 addresses``."""
    ending = "" if count == 1 else "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{ending}"
