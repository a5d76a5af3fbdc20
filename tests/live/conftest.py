"""Worlds for live tests: one a module, or one a test where the test breaks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_world import World


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    """Return a world that the tests of a module share."""
    with World() as made:
        yield made


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world for one test alone."""
    with World() as made:
        yield made
