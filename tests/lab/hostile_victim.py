"""Run command lines as one user, in one process, and tell how each ended: run by test_hostile_tmp, as a program."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from farshore.cli import main as entrance


def run(words: list[str]) -> dict[str, object]:
    """Run one command line as the program does, and return its status and what it said."""
    said, complained = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            status: object = entrance._status(words)
        except SystemExit as leaving:
            status = leaving.code
    return {"status": status, "out": written(said), "err": written(complained)}


def written(stream: io.TextIOWrapper) -> str:
    """Return what has been written to a stream of bytes."""
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
