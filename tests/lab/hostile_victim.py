"""Run command lines as one user, in one process, and tell how each ended: run by test_hostile_tmp, as a program."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from farshore.cli import main as entrance


def run(words: list[str]) -> dict[str, object]:
    """Run one command line as the program does, and return its status and what it said."""
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            status: object = entrance._status(words)
        except SystemExit as leaving:
            status = leaving.code
    return {"status": status, "out": said.getvalue(), "err": complained.getvalue()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
