"""nftables through the program nft, in the namespace of the calling thread: load, list, record.

Rule sets go in as text through ``nft -f -``, one transaction each, and come back as nft prints them. What
came back right after loading is remembered in a table of its own, by digest: if the text that is wanted and
the text that is there are still the remembered ones, nothing has to be done, and no other program has changed it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
from dataclasses import dataclass

from farshore.engine.nftables.ruleset import FILTER_TABLE, NAT_TABLE, RECORD_TABLE
from farshore.engine.nftables.ruleset_update import batches, own_tables, update
from farshore.errors import MachineError

_logger = logging.getLogger(__name__)

_TIMEOUT = 120.0  # seconds; loading 40,000 elements takes a quarter of one
_RECORD = re.compile(r'comment "wanted:([0-9a-f]+) listed:([0-9a-f]+)"')
_TOO_LONG = "Message too long"


class _MessageTooLongError(MachineError):
    """The transaction does not fit in one netlink message of this user."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Digests of the text that was loaded last and of what nft listed right after; and of what it lists now."""

    wanted: str | None
    listed: str | None
    present: str

    def holds(self, text: str) -> bool:
        """Tell whether ``text`` is what was loaded last, and untouched since."""
        return self.wanted == _digest(text) and self.listed == self.present


def program() -> str:
    """Return the path of nft. Raises MachineError where it is not installed."""
    path = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") or shutil.which("nft")
    if path is None:
        raise MachineError("nft is not installed: run sudo apt-get install --yes nftables")
    return path


def load(text: str, *, in_use: bool) -> None:
    """Load a rule set in one transaction, read it back and remember both. Raises MachineError, nothing changed.

    ``in_use`` says that another one is at work there, whose flows are to lose no packet.
    """
    anew = "".join(f"table {table}\ndelete table {table}\n" for table in (FILTER_TABLE, NAT_TABLE)) + text
    if in_use:
        try:
            _transact(update(_run(["--stateless", "list", "ruleset"], None), text))
        except MachineError as error:
            # What is there is hooked in otherwise than here: by another program, or by an older farshore.
            _logger.warning("the rule set in use cannot be updated and is replaced as a whole: %s", error)
            _transact(anew)
    else:
        _transact(anew)
    listing = _listing()
    listed = _own_tables(listing)
    if not listed:
        raise MachineError("nft reports success and lists no table of the rule set that it loaded")
    comment = f"wanted:{_digest(text)} listed:{_digest(listed)}"
    # Deleting costs a wait for all processors, so only what is there is deleted.
    clearing = f"delete table {RECORD_TABLE}\n" if f"table {RECORD_TABLE} {{" in listing else ""
    _transact(f'{clearing}table {RECORD_TABLE} {{\n\tcomment "{comment}"\n}}\n')


def remembered() -> Remembered:
    """Return what is remembered of the last load, and what is there now."""
    listing = _listing()
    record = _RECORD.search(listing)
    wanted, listed = record.groups() if record else (None, None)
    return Remembered(wanted, listed, _digest(_own_tables(listing)))


def _transact(text: str) -> None:
    """Load a text as one transaction or, where this user's netlink messages are too small for that, in batches."""
    try:
        _run(["-f", "-"], text)
    except _MessageTooLongError:
        _logger.info("the rule set is larger than a netlink message of this user may be: loading it in batches")
        for batch in batches(text):
            _run(["-f", "-"], batch)


def _listing() -> str:
    return _run(["--stateless", "--numeric", "list", "ruleset"], None)


def _own_tables(listing: str) -> str:
    return "\n".join(text for _, text in own_tables(listing))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _run(arguments: list[str], text: str | None) -> str:
    try:
        done = subprocess.run(
            [program(), *arguments], input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MachineError(f"nft {' '.join(arguments)}: timed out after {_TIMEOUT:.0f} s") from error
    if done.returncode != 0 and _TOO_LONG in done.stderr:
        raise _MessageTooLongError(done.stderr.strip())
    if done.returncode != 0:
        raise MachineError(f"nft {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
