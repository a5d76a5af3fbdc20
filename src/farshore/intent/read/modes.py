"""Keys with a closed set of words: source modes, designs, and how a service receives the caller's identity."""

from __future__ import annotations

import os
import re

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import shown
from farshore.fix import choices_of, write
from farshore.intent.model import DesignName, Mode
from farshore.intent.read.address import prefix
from farshore.intent.read.scalars import FaultError, corrected, scalar, whole_number

KEEP = "keep"
LARGEST_POOL = 65536
LONGEST_PATH = 4096  # PATH_MAX of Linux
_OF_A_SERVICE = "the only design that a service can have is appliance"
_POOL_TEXT = re.compile(r"pool[ :=]{0,3}([0-9]{1,5})")


def source_mode(value: object) -> Mode:
    """Return a source mode that is one word: ``prefix`` or ``host``."""
    text = scalar(value, "prefix, host or {pool: N}", "prefix")
    if text in {Mode.PREFIX, Mode.HOST}:
        return Mode(text)
    pool = _POOL_TEXT.fullmatch(text.lower())
    if pool or text.lower() == Mode.POOL:
        size = int(pool.group(1)) if pool else 1
        problem = f"'{shown(text)}' is not a mapping"
        fix: str = write({"pool": min(max(size, 1), LARGEST_POOL)})
    else:
        problem = f"'{shown(text)}' is not a source mode"
        fix = "write one of prefix, host and {pool: N}"
    raise FaultError(DiagnosticCode.BAD_SOURCE_MODE, problem, fix)


def pool_size(value: object) -> int:
    """Return the number of lake addresses of a pool."""
    return whole_number(value, 1, LARGEST_POOL, 1)


def keep(value: object) -> str:
    """Accept the word ``keep`` for the provider's source; lists of prefixes are read elsewhere."""
    text = scalar(value, "keep or a list of prefixes", "keep")
    if text != KEEP:
        fix = "write keep, or a list such as [10.9.0.0/24]"
        if "." in text and (inside := choices_of(corrected(prefix, text))):
            fix = write((str(inside[0].edits[0].value),), "write source: {}")
        problem = f"'{shown(text)}' is neither keep nor a list of prefixes"
        raise FaultError(DiagnosticCode.BAD_PROVIDER_SOURCE, problem, fix)
    return KEEP


def design(value: object) -> DesignName:
    """Return the design that is to carry all tenants or one of them."""
    text = scalar(value, "a design", DesignName.LAKE)
    if text in set(DesignName):
        return DesignName(text)
    if text == "single-nat":
        problem = "single-nat is for demonstration: one translation is not enough"
        raise FaultError(DiagnosticCode.UNSUITABLE_DESIGN, problem, "try it with --design single-nat")
    known = ", ".join(DesignName)
    raise FaultError(DiagnosticCode.UNKNOWN_DESIGN, f"unknown design '{shown(text)}'", f"write one of {known}")


def proxying_design(value: object) -> DesignName:
    """Return the design of a service, which can only be that of a proxy: addresses belong to a tenant as a whole."""
    text = scalar(value, "a design", DesignName.APPLIANCE)
    if text == DesignName.APPLIANCE:
        return DesignName.APPLIANCE
    if text in set(DesignName):
        problem = f"design {text} carries whole tenants and cannot be chosen for one service"
        fix = "give it to the tenants, as a service can have design appliance alone"
        raise FaultError(DiagnosticCode.UNSUITABLE_DESIGN, problem, fix)
    raise FaultError(DiagnosticCode.UNKNOWN_DESIGN, f"unknown design '{shown(text)}' of a service", _OF_A_SERVICE)


def proxy_protocol(value: object) -> str:
    """Return the version of the PROXY protocol: ``v2``, the only one that can carry a name."""
    text = scalar(value, "a version of the PROXY protocol", "v2")
    if text != "v2":
        problem = f"version '{shown(text)}' of the PROXY protocol cannot name the tenant"
        raise FaultError(DiagnosticCode.BAD_PROXY_PROTOCOL, problem, write("v2"))
    return text


def key_file(value: object) -> str:
    """Return the name of the file that contains a key."""
    path = str(scalar(value, "the name of a file", "keys/portal.key"))
    if not path.isprintable():
        problem = f"path '{shown(path)}' of a key file contains a control character"
        raise FaultError(DiagnosticCode.BAD_KEY_FILE, problem, "write a path of printable characters")
    if len(os.fsencode(path)) > LONGEST_PATH:
        problem = f"path '{shown(path)}' of a key file has more than {LONGEST_PATH:,} bytes"
        raise FaultError(DiagnosticCode.BAD_KEY_FILE, problem, "write the path of a file")
    return path
