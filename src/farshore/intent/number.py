"""Whole numbers, and everything that YAML 1.1 would silently have taken for one."""

from __future__ import annotations

import re

from farshore.intent.fault import FaultError, shown
from farshore.intent.scalars import scalar
from farshore.intent.tree import Quoted

_DECIMAL = re.compile(r"[+-]?(0|[1-9][0-9]{0,18})")
_ENDLESS = re.compile(r"[+-]?[1-9][0-9]{19,}")
_LEADING_ZERO = re.compile(r"0[0-9]{1,18}")
_OTHER_BASE = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[oO][0-7]{1,20}|0[bB][01]{1,64}")
_UNDERSCORED = re.compile(r"[0-9][0-9_,']{1,25}")
_SEXAGESIMAL = re.compile(r"[0-9]{1,4}(:[0-5]?[0-9]){1,4}")
_FLOAT = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.DOTALL)
_TRUTH = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n"})
_LARGEST_MEANT = 1 << 64


def whole_number(value: object, lowest: int, highest: int, example: int) -> int:
    """Return a decimal whole number between two bounds, both included."""
    text = scalar(value, "a number", str(example))
    if isinstance(value, Quoted):
        fix = f"write {text} without quotes" if _DECIMAL.fullmatch(text) else f"write a number such as {example}"
        raise FaultError(f"'{shown(text)}' is a string, not a number", fix)
    bounds = f"write a number from {lowest} to {highest}"
    if _ENDLESS.fullmatch(text):
        raise FaultError(f"{shown(text)} is out of range", bounds)
    if not _DECIMAL.fullmatch(text):
        raise _no_decimal(text, lowest, highest, example)
    number = int(text)
    if not lowest <= number <= highest:
        raise FaultError(f"{shown(text)} is {'below' if number < lowest else 'above'} the range", bounds)
    return number


def _no_decimal(text: str, lowest: int, highest: int, example: int) -> FaultError:
    problem, meant = _explain(text)
    fits = [number for number in dict.fromkeys(meant) if lowest <= number <= highest]
    if not fits:
        return FaultError(problem, f"write a number such as {example}")
    octal = f", or {fits[1]} if octal was meant" if len(fits) > 1 else ""
    return FaultError(problem, f"write {fits[0]}{octal}")


def _explain(text: str) -> tuple[str, tuple[int, ...]]:
    """Return what a text is instead of a decimal number, and the numbers that may have been meant."""
    word = f"'{shown(text)}'"
    if _LEADING_ZERO.fullmatch(text):
        meant = (int(text), int(text, 8)) if set(text) <= set("01234567") else (int(text),)
        return f"{word} looks octal because of its leading zero", meant
    if _OTHER_BASE.fullmatch(text):
        return f"{word} is not decimal", (int(text, 0),)
    if _SEXAGESIMAL.fullmatch(text):
        return f"{word} is sexagesimal: YAML 1.1 reads it in base 60", (_base_60(text),)
    if _UNDERSCORED.fullmatch(text):
        return f"{word} holds more than digits", (int(re.sub("[^0-9]", "", text)),)
    if _FLOAT.fullmatch(text) and float(text) < _LARGEST_MEANT:
        return f"{word} is not a whole number", (int(float(text)),) if float(text).is_integer() else ()
    return _no_number(text), ()


def _no_number(text: str) -> str:
    kind = "a truth value, not a number" if text.lower() in _TRUTH else "not a number"
    if _DATE.fullmatch(text):
        kind = "a date, not a number"
    return f"'{shown(text)}' is {kind}"


def _base_60(text: str) -> int:
    number = 0
    for digit in text.split(":"):
        number = number * 60 + int(digit)
    return number
