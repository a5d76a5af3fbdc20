"""Scalars of the file as values: names, domain names and whole numbers, and the error of an invalid one.

A scalar is a text whose meaning depends on its key. Nothing is coerced: YAML 1.1 reads ``on``, ``010`` and ``1:30`` as
a truth value, as 8 and as 90, and here each is either a name or refused with the number that was probably intended.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import shown
from farshore.fix import Choice, Fix, Write, write
from farshore.intent.read.tree import Listing, Quoted, Table

LONGEST_NAME = 63
LONGEST_DOMAIN = 253
NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
DOMAIN_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_OTHER_SIGNS = re.compile("[^a-z0-9-]+")
_RULE = "use lower-case letters, digits and hyphens"

_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]{0,18})")
_ENDLESS = re.compile(r"[+-]?[1-9][0-9]{19,}")
_LEADING_ZERO = re.compile(r"0[0-9]{1,18}")
_OTHER_BASE = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[oO][0-7]{1,20}|0[bB][01]{1,64}")
_UNDERSCORED = re.compile(r"[0-9][0-9_,']{1,25}")
_SEXAGESIMAL = re.compile(r"[0-9]{1,4}(:[0-5]?[0-9]){1,4}")
_FLOAT = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.DOTALL)
_TRUTH = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n"})
_MEANS_TRUE = frozenset({"true", "yes", "on", "y"})
_TRUTH_VALUES = {"true": True, "false": False}
_LARGEST_INTENDED = 1 << 64


class FaultError(ValueError):
    """What is wrong with one value and what to write instead; the position is known to the caller.

    A ``fix`` that is more than words edits the value by itself, at the empty path.
    """

    def __init__(self, code: DiagnosticCode, problem: str, fix: str) -> None:
        """Keep the code and both halves of the message."""
        super().__init__(f"{problem}; {fix}")
        self.code = code
        self.problem = problem
        self.fix = fix


def scalar(value: object, expected: str, example: str) -> str:
    """Return a value's text. Raises :class:`FaultError` for lists and mappings, and where there is no value."""
    if isinstance(value, str):
        if value in NULLS and not (isinstance(value, Quoted) and value):
            raise FaultError(DiagnosticCode.MISSING_VALUE, "has no value", f"write {expected}, such as {example}")
        return value
    problem = f"expected {expected}, found {kind_of(value)}"
    raise FaultError(DiagnosticCode.WRONG_TYPE, problem, f"write {expected}, such as {example}")


def corrected(read: Callable[[str], object], text: str, words: str = "write {}") -> str:
    """Return the fix that writes a text, where ``read`` accepts it; else the fix of what is wrong with that text."""
    try:
        read(text)
    except FaultError as fault:
        return fault.fix
    return write(text, words)


def kind_of(value: object) -> str:
    """Return the type of a value, in words."""
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
            raise FaultError(DiagnosticCode.BAD_NAME, problem, _RULE)
        raise _bad_name(value)
    return scalar(value, "a name", "portal")


def domain(value: object) -> str:
    """Return a domain name in lower case, without a trailing dot."""
    text = scalar(value, "a domain name", "portal.acme.example")
    subject = f"domain name '{shown(text)}'"
    if text != text.lower():
        raise _bad_domain(f"{subject} contains upper-case letters", corrected(domain, text.lower()))
    if text.endswith("."):
        raise _bad_domain(f"{subject} ends with a dot", corrected(domain, text.rstrip(".")))
    if len(text) > LONGEST_DOMAIN:
        raise _bad_domain(f"{subject} has {len(text)} characters", f"write at most {LONGEST_DOMAIN}")
    labels = text.split(".")
    if labels[-1].isdecimal():
        raise _bad_domain(f"{subject} ends with a number, like an address", "write one such as portal.acme.example")
    for label in labels:
        if not _NAME.fullmatch(label):
            fix = f"{_RULE}, at most {LONGEST_NAME} in a label"
            raise _bad_domain(f"{subject} contains the invalid label '{shown(label)}'", fix)
    return str(text)


def truth(value: object) -> bool:
    """Return a truth value: ``true`` or ``false``, and none of the other words that YAML 1.1 takes for one."""
    text = scalar(value, "true or false", "true")
    if text in _TRUTH_VALUES and not isinstance(value, Quoted):
        return _TRUTH_VALUES[text]
    meant = text.lower()
    if meant not in _TRUTH:
        raise FaultError(DiagnosticCode.BAD_TRUTH_VALUE, f"'{shown(text)}' is not a truth value", "write true or false")
    problem = f"'{shown(text)}' is {'in quotes' if isinstance(value, Quoted) else 'not written as true or false'}"
    raise FaultError(DiagnosticCode.BAD_TRUTH_VALUE, problem, write(meant in _MEANS_TRUE))


def whole_number(value: object, lowest: int, highest: int, example: int) -> int:
    """Return a decimal whole number between two bounds, both included."""
    text = scalar(value, "a number", str(example))
    if isinstance(value, Quoted):
        good = _DECIMAL.fullmatch(text) and lowest <= int(text) <= highest
        fix = write(int(text), "write {} without quotes") if good else f"write a number such as {example}"
        raise FaultError(DiagnosticCode.BAD_NUMBER, f"'{shown(text)}' is a string, not a number", fix)
    bounds = f"write a number from {lowest} to {highest}"
    if _ENDLESS.fullmatch(text):
        raise FaultError(DiagnosticCode.NUMBER_OUT_OF_RANGE, f"{shown(text)} is out of range", bounds)
    if not _DECIMAL.fullmatch(text):
        raise _not_decimal(text, lowest, highest, example)
    number = int(text)
    if not lowest <= number <= highest:
        problem = f"{shown(text)} is {'below' if number < lowest else 'above'} the range"
        raise FaultError(DiagnosticCode.NUMBER_OUT_OF_RANGE, problem, bounds)
    return number


def _bad_name(text: str) -> FaultError:
    subject = f"name '{shown(text)}'"
    better = _OTHER_SIGNS.sub("-", text.lower()).strip("-")
    good = text.isascii() and _NAME.fullmatch(better) and better != "null"
    fix: str = write(better) if good else _RULE
    if len(text) > LONGEST_NAME:
        problem, fix = f"{subject} has {len(text)} characters", f"use at most {LONGEST_NAME}"
    elif text.lower() != text and _NAME.fullmatch(text.lower()):
        problem = f"{subject} contains upper-case letters"
    elif text.strip("-") != text:
        problem = f"{subject} starts or ends with a hyphen"
    else:
        problem = f"{subject} is not a lower-case DNS label"
    return FaultError(DiagnosticCode.BAD_NAME, problem, fix)


def _bad_domain(problem: str, fix: str) -> FaultError:
    return FaultError(DiagnosticCode.BAD_DOMAIN_NAME, problem, fix)


def _not_decimal(text: str, lowest: int, highest: int, example: int) -> FaultError:
    problem, intended = _explain(text)
    fits = [number for number in dict.fromkeys(intended) if lowest <= number <= highest]
    if not fits:
        return FaultError(DiagnosticCode.BAD_NUMBER, problem, f"write a number such as {example}")
    words = ("write {}", "{} for the octal number")
    choices = [Choice(how, (Write((), number),)) for how, number in zip(words, fits, strict=False)]
    return FaultError(DiagnosticCode.BAD_NUMBER, problem, Fix(choices))


def _explain(text: str) -> tuple[str, tuple[int, ...]]:
    """Return what a text is instead of a decimal number, and the numbers that were probably intended."""
    word = f"'{shown(text)}'"
    if _LEADING_ZERO.fullmatch(text):
        intended = (int(text), int(text, 8)) if set(text) <= set("01234567") else (int(text),)
        return f"{word} has a leading zero, which some parsers read as octal", intended
    if _OTHER_BASE.fullmatch(text):
        return f"{word} is not decimal", (int(text, 0),)
    if _SEXAGESIMAL.fullmatch(text):
        return f"{word} is sexagesimal: YAML 1.1 reads it in base 60", (_base_60(text),)
    if _UNDERSCORED.fullmatch(text):
        return f"{word} contains more than digits", (int(re.sub("[^0-9]", "", text)),)
    if _FLOAT.fullmatch(text) and float(text) < _LARGEST_INTENDED:
        return f"{word} is not a whole number", (int(float(text)),) if float(text).is_integer() else ()
    return _no_number(text), ()


def _no_number(text: str) -> str:
    kind = "a boolean, not a number" if text.lower() in _TRUTH else "not a number"
    if _DATE.fullmatch(text):
        kind = "a date, not a number"
    return f"'{shown(text)}' is {kind}"


def _base_60(text: str) -> int:
    number = 0
    for digit in text.split(":"):
        number = number * 60 + int(digit)
    return number
