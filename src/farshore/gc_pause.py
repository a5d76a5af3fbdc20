"""Pause the cyclic garbage collector during work that makes many values and no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Do not look for garbage meanwhile: it would walk all values again and again as they grow in number."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def kept_for_good() -> None:
    """Never look through what there is now: a command that is about to answer and end has no use for less of it."""
    gc.freeze()
