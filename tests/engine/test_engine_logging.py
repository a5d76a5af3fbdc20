"""What the engine does with no person watching is in its log, and on no terminal."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys

import pytest

from farshore.engine.nftables import nft
from farshore.engine.nftables.tables import Present
from farshore.errors import MachineError

LISTING = "table inet farshore_filter {\n\tchain forwarding {\n\t}\n}\n"


def failing(monkeypatch: pytest.MonkeyPatch, error: MachineError, fails: int) -> list[str]:
    """Have nft refuse the first transactions, and return what it is given."""
    given: list[str] = []

    def run(_arguments: list[str], text: str | None) -> str:
        if text is None:
            return LISTING
        given.append(text)
        if len(given) <= fails:
            raise error
        return ""

    monkeypatch.setattr(nft, "_run", run)
    monkeypatch.setattr(nft.tables, "present", lambda: Present(7, {}))
    monkeypatch.setattr(nft.tables, "write_comment", lambda *_, **__: None)
    monkeypatch.setattr(nft.namespace, "unnamed", contextlib.nullcontext)
    return given


def test_a_rule_set_that_is_replaced_as_a_whole_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = failing(monkeypatch, MachineError("nft -f -: Device or resource busy"), fails=1)
    nft.load(LISTING, in_use=True)
    assert given[1].startswith("table inet farshore_filter\ndelete table inet farshore_filter\n")
    ((name, level, message),) = caplog.record_tuples
    assert (name, level) == ("farshore.engine.nftables.nft", logging.WARNING)
    assert message.endswith("is replaced as a whole: nft -f -: Device or resource busy")


def test_a_rule_set_that_goes_in_batches_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = failing(monkeypatch, nft._MessageTooLongError("Message too long"), fails=1)
    with caplog.at_level(logging.INFO, logger="farshore"):
        nft.load(LISTING, in_use=False)
    assert len(given) == 2  # refused, then as batches, one here
    assert [level for _, level, _ in caplog.record_tuples] == [logging.INFO]


def test_nothing_is_logged_to_a_terminal_that_did_not_ask() -> None:
    said = "from farshore.engine.nftables import nft; nft._logger.error('refused')"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
