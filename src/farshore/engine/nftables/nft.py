"""nftables through the program nft, in the namespace of the calling thread: check, load, list, record.

Rule sets go in as text through ``nft -f -``, one transaction each, and come back as nft prints them. What is listed
right after loading is held against what was meant, kind by kind, and remembered in a table of its own, by digest and
generation. If the text that is wanted is the remembered one, and no transaction has come since or what is listed has
the remembered digest, nothing has to be done, and no other program has changed it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from farshore.engine.nftables import tables
from farshore.engine.nftables.ruleset import FILTER_TABLE, NAT_TABLE, RECORD_TABLE
from farshore.engine.nftables.ruleset_update import Contents, batches, contents, strange, update
from farshore.errors import MachineError
from farshore.machine import namespace

_logger = logging.getLogger(__name__)

OWN_TABLES = (FILTER_TABLE, NAT_TABLE)
_TIMEOUT = 120.0  # seconds; loading 40,000 elements takes a quarter of one
_RECORD = re.compile(r"wanted:([0-9a-f]+) listed:([0-9a-f]+) generation:(\d+)")
_TOO_LONG = "Message too long"


class _MessageTooLongError(MachineError):
    """The transaction does not fit in one netlink message of this user."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of the last load, and what is there now.

    Attributes:
        wanted: the digest of the text that was loaded last, None where there is no record.
        intact: whether our tables are as they were right after.
        ours: whether any of our tables is there, less the record.
        any: whether any of our tables is there, or the record.
        others: the tables that are not ours, by family and name.
    """

    wanted: str | None
    intact: bool
    ours: bool
    any: bool
    others: tuple[str, ...]


def program() -> str:
    """Return the path of nft. Raises MachineError where it is not installed."""
    path = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") or shutil.which("nft")
    if path is None:
        raise MachineError("nft is not installed: run sudo apt-get install --yes nftables")
    return path


def check(text: str) -> None:
    """Raise MachineError where a rule set could not be loaded. Nothing is changed."""
    try:
        _run(["--check", "-f", "-"], _anew(text))
    except _MessageTooLongError:
        # Of what goes in batches only the first can be tried: the others build on what it has loaded.
        _run(["--check", "-f", "-"], _anew(next(iter(batches(text)))))


def load(text: str, *, in_use: bool) -> None:
    """Load a rule set in one transaction, hold what is there then against it, and remember both.

    ``in_use`` says that another one is at work there, whose flows are to lose no packet. Raises MachineError, with
    nothing changed where nft refuses, and with a rule set that is not remembered where it is not what was meant.
    """
    if in_use:
        try:
            _transact(update(_run(["--stateless", "list", "ruleset"], None), text))
        except (MachineError, ValueError) as error:
            # What is there is hooked in otherwise than here: by another program, or by an older farshore.
            _logger.warning("the rule set in use cannot be updated and is replaced as a whole: %s", error)
            _transact(_anew(text))
    elif tables.present().tables.keys() & set(OWN_TABLES):
        _transact(_anew(text))
    else:
        _transact(text)  # without a deletion, after which the next transaction waits for all processors
    meant = _meant(text) if in_use else None
    before = tables.present()
    there = contents(_listing())
    wrong = _wrong(there, text, meant)
    if wrong and in_use:
        # Another program has changed the rule set between the two looks at it.
        _logger.warning("the rule set is not as desired after its update and is replaced as a whole: %s", wrong[0])
        _transact(_anew(text))
        before = tables.present()
        there = contents(_listing())
        wrong = _wrong(there, text, meant)
    if wrong:
        raise MachineError(f"the rule set is not as desired after it was loaded: {'; '.join(wrong)}")
    # The record itself is the next transaction. If another comes between, its generation is never that of the record.
    comment = f"wanted:{digest(text)} listed:{_digest_of(there)} generation:{before.generation + 1}"
    tables.write_comment(RECORD_TABLE, comment, is_there=RECORD_TABLE in before.tables)


def unload(names: Collection[str]) -> None:
    """Delete tables by family and name; those that are not there are passed over."""
    _transact("".join(f"table {name}\ndelete table {name}\n" for name in names))


def remembered(*, full: bool = False) -> Remembered:
    """Return what is remembered of the last load, and what is there now.

    With ``full`` the rule set is listed whatever the generation says, for a record can be written by others too.
    """
    present = tables.present()
    record = _RECORD.fullmatch(present.tables.get(RECORD_TABLE, ""))
    others = tuple(sorted(present.tables.keys() - {*OWN_TABLES, RECORD_TABLE}))
    ours = any(table in present.tables for table in OWN_TABLES)
    found = ours or RECORD_TABLE in present.tables
    if record is None:
        return Remembered(None, False, ours, found, others)
    wanted, listed, generation = record.groups()
    unchanged = int(generation) == present.generation and not full
    intact = unchanged or (ours and _digest_of(contents(_listing())) == listed)
    return Remembered(wanted, intact and ours, ours, found, others)


def digest(text: str) -> str:
    """Return what tells a text from every other."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest_of(there: Contents) -> str:
    return digest(repr(sorted(there.items())))


def _anew(text: str) -> str:
    return "".join(f"table {table}\ndelete table {table}\n" for table in OWN_TABLES) + text


def _meant(text: str) -> str:
    """Return what nft lists of a rule set that is loaded where nothing else is."""
    with namespace.unnamed():
        _transact(text)
        return _listing()


def _wrong(there: Contents, text: str, meant: str | None) -> list[str]:
    """Return what is not as it was meant, kind by kind.

    Tables that were made anew just now are in the form that nft gives them, so only their parts are held against
    those of the text; ``meant`` is the whole of what is to be listed, where they were not.
    """
    if found := [f"{each} is of an unknown kind" for each in strange(there)]:
        return found
    wanted = contents(text if meant is None else meant)
    missing = [f"{' '.join(place).strip()} is missing" for place in wanted.keys() - there.keys()]
    surplus = [f"{' '.join(place).strip()} is not desired" for place in there.keys() - wanted.keys()]
    both = wanted.keys() & there.keys() if meant is not None else ()
    other = [f"{' '.join(place).strip()} differs" for place in both if wanted[place] != there[place]]
    return sorted(missing + surplus + other)


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
        raise MachineError(f"nft {' '.join(arguments)}: {' / '.join(done.stderr.strip().splitlines())}")
    return done.stdout
