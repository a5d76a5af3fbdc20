"""Scalars that are words: names, domain names, and the one way in which a value is no scalar at all."""

from __future__ import annotations

import re

from farshore.intent.fault import FaultError, shown
from farshore.intent.tree import Listing, Quoted, Table

LONGEST_NAME = 63
LONGEST_DOMAIN = 253
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
DOMAIN_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_OTHER_SIGNS = re.compile("[^a-z0-9-]+")
_RULE = "use lower-case letters, digits and hyphens"


def scalar(value: object, wanted: str, example: str) -> str:
    """Return a value's text. Raises for lists and mappings, and where there is no value at all."""
    if isinstance(value, str):
        if value in NULLS and not (isinstance(value, Quoted) and value):
            raise FaultError("has no value", f"write {wanted}, such as {example}")
        return value
    raise FaultError(f"{kind_of(value)} stands where {wanted} belongs", f"write {wanted}, such as {example}")


def kind_of(value: object) -> str:
    """Return what sort of value this is, in words."""
    if isinstance(value, Listing):
        return "a list"
    return "a mapping" if isinstance(value, Table) else "a single value"


def is_null(value: object) -> bool:
    """Tell whether a value was left out, or is null in so many letters."""
    return isinstance(value, str) and not isinstance(value, Quoted) and value in NULLS


def name(value: object) -> str:
    """Return a name: one lower-case DNS label, whatever else YAML might take it for."""
    if isinstance(value, str):
        if _NAME.fullmatch(value) and value != "null":
            return str(value)
        if value in NULLS:
            problem = "a name is empty" if value == "" else f"'{value}' means no value in YAML and cannot be a name"
            raise FaultError(problem, _RULE)
        raise _bad_name(value)
    return scalar(value, "a name", "portal")


def domain(value: object) -> str:
    """Return a domain name in lower case, without a dot at its end."""
    text = scalar(value, "a domain name", "portal.acme.example")
    if text != text.lower():
        raise FaultError(f"the domain name '{shown(text)}' has upper-case letters", f"write {shown(text.lower())}")
    if text.endswith("."):
        raise FaultError(f"the domain name '{shown(text)}' ends in a dot", f"write {shown(text.rstrip('.'))}")
    if len(text) > LONGEST_DOMAIN:
        raise FaultError(f"the domain name has {len(text)} characters", f"write at most {LONGEST_DOMAIN}")
    labels = text.split(".")
    if labels[-1].isdecimal():
        problem = f"'{shown(text)}' ends in a number, as an address does"
        raise FaultError(problem, "write a domain name such as portal.acme.example")
    for label in labels:
        if not _NAME.fullmatch(label):
            problem = f"the domain name '{shown(text)}' has the label '{shown(label)}'"
            raise FaultError(problem, f"{_RULE}, at most {LONGEST_NAME} in a label")
    return str(text)


def _bad_name(text: str) -> FaultError:
    quoted = f"the name '{shown(text)}'"
    if len(text) > LONGEST_NAME:
        return FaultError(f"{quoted} has {len(text)} characters", f"use at most {LONGEST_NAME}")
    better = _OTHER_SIGNS.sub("-", text.lower()).strip("-")
    fix = f"write {better}" if text.isascii() and _NAME.fullmatch(better) else _RULE
    if text.lower() != text and _NAME.fullmatch(text.lower()):
        return FaultError(f"{quoted} has upper-case letters", fix)
    if text.strip("-") != text:
        return FaultError(f"{quoted} begins or ends with a hyphen", fix)
    return FaultError(f"{quoted} is not a lower-case DNS label", fix)
