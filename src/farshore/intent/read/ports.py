"""Ports of services as text: ``tcp/443``, ``udp/53`` and ``icmp``, with a suggestion for everything similar."""

from __future__ import annotations

import re

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import shown
from farshore.fix import Fix, choices_of, write
from farshore.intent.read.scalars import FaultError, corrected, scalar
from farshore.port import Port, Protocol

HIGHEST_PORT = 65535
_PORT_NUMBER = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
PORT_PATTERN = f"^(icmp|(tcp|udp)/({_PORT_NUMBER}))$"
_PORT = re.compile(r"(tcp|udp)/([1-9][0-9]{0,4})")
_REVERSED = re.compile(r"([0-9]{1,5})[/:](tcp|udp)")
_OTHER_SIGN = re.compile(r"(tcp|udp)(?!/[0-9])[ :=/-]{1,3}([0-9]{1,5})")
_PORT_RANGE = re.compile(r"(?:(?:tcp|udp)/)?([0-9]{1,5})-([0-9]{1,5})")


def port(value: object) -> Port:
    """Return a port: ``tcp/443``, ``udp/53`` or ``icmp``. Raises :class:`FaultError` for anything else."""
    text = scalar(value, "a port", "tcp/443")
    if text == Protocol.ICMP:
        return Port(Protocol.ICMP)
    match = _PORT.fullmatch(text)
    if match is None:
        raise _bad_port(text)
    number = int(match.group(2))
    if number > HIGHEST_PORT:
        raise _out_of_range(text)
    return Port(Protocol(match.group(1)), number)


def _bad_port(text: str) -> FaultError:
    """Say why a text is not a port, with the port that was probably intended."""
    word, lower = f"'{shown(text)}'", text.lower()
    protocol = lower.partition("/")[0]
    if protocol == Protocol.ICMP:
        wrong = "contains upper-case letters" if lower == Protocol.ICMP else "has a number, which icmp does not take"
        return FaultError(DiagnosticCode.BAD_PORT, f"{word} {wrong}", write("icmp"))
    if protocol in {Protocol.TCP, Protocol.UDP} and not _PORT_RANGE.fullmatch(lower):
        return _bad_number(text, lower)
    return FaultError(DiagnosticCode.BAD_PORT, word + _why(lower), _intended(lower))


def _why(text: str) -> str:
    if text.isascii() and text.isdecimal():
        return " has no protocol"
    if _PORT_RANGE.fullmatch(text):
        return " is a range of ports"
    if _REVERSED.fullmatch(text):
        return " has the protocol last"
    return " has no '/' between protocol and number" if _OTHER_SIGN.fullmatch(text) else " is not a port"


def _intended(text: str) -> str:
    if text.isascii() and text.isdecimal():
        fixes = [corrected(port, f"{protocol}/{text}", "write {}") for protocol in ("tcp", "udp")]
        choices = [choice for fix in fixes for choice in choices_of(fix)]
        return Fix(choices) if choices else fixes[0]
    if _PORT_RANGE.fullmatch(text):
        return "write each port by itself, such as tcp/443"
    turned, other = _REVERSED.fullmatch(text), _OTHER_SIGN.fullmatch(text)
    if turned:
        return corrected(port, f"{turned.group(2)}/{turned.group(1)}")
    if other:
        return corrected(port, f"{other.group(1)}/{other.group(2)}")
    return "write one such as tcp/443, udp/53 or icmp"


def _bad_number(text: str, lower: str) -> FaultError:
    """Say what is wrong with a port of a known protocol."""
    protocol, _, number = lower.partition("/")
    significant = number.lstrip("0")
    if _PORT.fullmatch(lower) and lower != text:
        problem, fix = "contains upper-case letters", corrected(port, lower)
    elif not number:
        problem, fix = "has no port number", f"write one such as {protocol}/443"
    elif not (number.isascii() and number.isdecimal()):
        problem, fix = "has no decimal port number", f"write a number from 1 to 65535, such as {protocol}/443"
    elif significant and significant != number:
        problem, fix = "has a leading zero", corrected(port, f"{protocol}/{significant}")
    else:
        return _out_of_range(text)
    return FaultError(DiagnosticCode.BAD_PORT, f"'{shown(text)}' {problem}", fix)


def _out_of_range(text: str) -> FaultError:
    problem = f"port number of {shown(text)} is out of range"
    return FaultError(DiagnosticCode.PORT_OUT_OF_RANGE, problem, "write a number from 1 to 65535")
