"""What all tests share: golden files are written anew with ``pytest --update-goldens``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# No test is judged by its time: machines are slow when they are busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write golden files instead of comparing with them")
