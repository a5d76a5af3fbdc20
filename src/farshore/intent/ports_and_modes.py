"""Ports of services, and the words for how a tenant's hosts appear in the lake."""

from __future__ import annotations

import re

from farshore.intent.fault import FaultError, shown
from farshore.intent.model import DesignName, Mode
from farshore.intent.number import whole_number
from farshore.intent.scalars import scalar
from farshore.port import Port, Protocol

KEEP = "keep"
HIGHEST_PORT = 65535
LARGEST_POOL = 65536
_PORT_NUMBER = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
PORT_PATTERN = f"^(icmp|(tcp|udp)/({_PORT_NUMBER}))$"
_PORT = re.compile(r"(tcp|udp)/([1-9][0-9]{0,4})")
_TURNED_ROUND = re.compile(r"([0-9]{1,5})[/:](tcp|udp)")
_OTHER_SIGN = re.compile(r"(tcp|udp)(?!/[0-9])[ :=/-]{1,3}([0-9]{1,5})")
_PORT_RANGE = re.compile(r"(?:(?:tcp|udp)/)?([0-9]{1,5})-([0-9]{1,5})")
_POOL_TEXT = re.compile(r"pool[ :=]{0,3}([0-9]{1,5})")


def port(value: object) -> Port:
    """Return a port: ``tcp/443``, ``udp/53`` or ``icmp``."""
    text = scalar(value, "a port", "tcp/443")
    if text == Protocol.ICMP:
        return Port(Protocol.ICMP)
    match = _PORT.fullmatch(text)
    if match is None:
        raise _bad_port(text)
    number = int(match.group(2))
    if number > HIGHEST_PORT:
        raise _no_such_number(text)
    return Port(Protocol(match.group(1)), number)


def source_word(value: object) -> Mode:
    """Return a source mode that is one word: ``prefix`` or ``host``."""
    text = scalar(value, "prefix, host or {pool: N}", "prefix")
    if text in {Mode.PREFIX, Mode.HOST}:
        return Mode(text)
    pool = _POOL_TEXT.fullmatch(text.lower())
    if pool or text.lower() == Mode.POOL:
        size = int(pool.group(1)) if pool else 1
        raise FaultError(f"'{shown(text)}' is not how a pool is written", f"write {{pool: {max(size, 1)}}}")
    raise FaultError(f"'{shown(text)}' is not a way to appear in the lake", "write prefix, host or {pool: 1}")


def design(value: object) -> DesignName:
    """Return the design that is to carry something."""
    text = scalar(value, "a design", DesignName.LAKE)
    if text in set(DesignName):
        return DesignName(text)
    if text == "single-nat":
        raise FaultError("single-nat shows why one translation does not do", "try it with --design single-nat")
    known = ", ".join(DesignName)
    raise FaultError(f"'{shown(text)}' is not a design", f"write one of {known}")


def proxying_design(value: object) -> DesignName:
    """Return the design of a service, which can only be that of a proxy: addresses belong to a tenant as a whole."""
    text = scalar(value, "a design", DesignName.APPLIANCE)
    if text == DesignName.APPLIANCE:
        return DesignName.APPLIANCE
    if text in set(DesignName):
        problem = f"a service by itself cannot have the design {text}: it goes by the addresses of whole tenants"
        raise FaultError(problem, "write appliance, or give the tenants this design")
    raise FaultError(f"'{shown(text)}' is not a design that a service can have", "write appliance")


def proxy_protocol(value: object) -> str:
    """Return the version of the PROXY protocol: ``v2``, the only one that can carry a name."""
    text = scalar(value, "a version of the PROXY protocol", "v2")
    if text != "v2":
        raise FaultError(f"'{shown(text)}' is not a version of the PROXY protocol that can name a tenant", "write v2")
    return text


def key_file(value: object) -> str:
    """Return the name of the file that holds a key."""
    return str(scalar(value, "the name of a file", "keys/portal.key"))


def pool_size(value: object) -> int:
    """Return the number of lake addresses of a pool."""
    return whole_number(value, 1, LARGEST_POOL, 1)


def keep(value: object) -> str:
    """Accept the word ``keep`` for the provider's source; lists of prefixes are read elsewhere."""
    text = scalar(value, "keep or a list of prefixes", "keep")
    if text != KEEP:
        fix = f"write source: [{shown(text)}]" if "." in text else "write keep, or a list such as [10.9.0.0/24]"
        raise FaultError(f"'{shown(text)}' is neither keep nor a list of prefixes", fix)
    return KEEP


def _bad_port(text: str) -> FaultError:
    """Say why a text is not a port, with the port that was probably meant."""
    word, lower = f"'{shown(text)}'", text.lower()
    protocol = lower.partition("/")[0]
    if protocol == Protocol.ICMP:
        wrong = "has upper-case letters" if lower == Protocol.ICMP else "is more than icmp, which has no number"
        return FaultError(f"{word} {wrong}", "write icmp")
    if protocol in {Protocol.TCP, Protocol.UDP} and not _PORT_RANGE.fullmatch(lower):
        return _bad_number(text, lower)
    return FaultError(word + _why(lower), f"write {_meant(lower)}")


def _why(text: str) -> str:
    if text.isascii() and text.isdecimal():
        return " names no protocol"
    if _PORT_RANGE.fullmatch(text):
        return " is a range of ports"
    if _TURNED_ROUND.fullmatch(text):
        return " has the protocol last"
    return " has no '/' between protocol and number" if _OTHER_SIGN.fullmatch(text) else " is not a port"


def _meant(text: str) -> str:
    if text.isascii() and text.isdecimal():
        return f"tcp/{shown(text)} or udp/{shown(text)}"
    if _PORT_RANGE.fullmatch(text):
        return "each port by itself, such as tcp/443"
    turned, other = _TURNED_ROUND.fullmatch(text), _OTHER_SIGN.fullmatch(text)
    if turned:
        return f"{turned.group(2)}/{turned.group(1)}"
    return f"{other.group(1)}/{other.group(2)}" if other else "tcp/443, udp/53 or icmp"


def _bad_number(text: str, lower: str) -> FaultError:
    """Say what is wrong with a port of a known protocol."""
    protocol, _, number = lower.partition("/")
    word = f"'{shown(text)}'"
    if _PORT.fullmatch(lower) and lower != text:
        return FaultError(f"{word} has upper-case letters", f"write {lower}")
    if not number:
        return FaultError(f"{word} names no number", f"write {protocol}/443")
    if not (number.isascii() and number.isdecimal()):
        return FaultError(f"{word} has no decimal number", f"write a number from 1 to 65535, such as {protocol}/443")
    significant = number.lstrip("0")
    if significant and significant != number:
        return FaultError(f"{word} has a leading zero", f"write {protocol}/{shown(significant)}")
    return _no_such_number(text)


def _no_such_number(text: str) -> FaultError:
    return FaultError(f"there is no port {shown(text)}", "write a number from 1 to 65535")
