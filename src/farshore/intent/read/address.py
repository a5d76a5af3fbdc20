"""IPv4 addresses and prefixes as text: strict, with a suggestion for everything that looks like one."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import shown
from farshore.fix import Fix, choices_of
from farshore.intent.read.scalars import FaultError, corrected, scalar
from farshore.special_purpose import MULTICAST, PRIVATE, REGISTRY, SpecialPurpose

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
ADDRESS_PATTERN = rf"^({_OCTET}\.){{3}}{_OCTET}$"
PREFIX_PATTERN = rf"^({_OCTET}\.){{3}}{_OCTET}/([1-9]|[12][0-9]|3[0-2])$"
_ADDRESS = re.compile(ADDRESS_PATTERN.strip("^$"))
_PREFIX = re.compile(PREFIX_PATTERN.strip("^$"))
_FOUR_NUMBERS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10}){3}")
_WITH_MASK = re.compile(r"([0-9.]+)(?:/| +)([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)")
_WITH_LENGTH = re.compile(r"([^/]+)/([0-9]{1,4})")
_ALL_BITS = 0xFFFFFFFF
_ADDRESS_BITS = 32
_LARGEST_OCTET = 255

# No host can have these, so no network can contain them: this network, loopback, link-local (which farshore's links
# use), the dummy address of devices without one, and reserved addresses.
_UNUSABLE_BLOCKS = frozenset({"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.8/32", "240.0.0.0/4"})
_UNUSABLE = (
    *((entry.block, f"{entry.name}, {entry.rfc}") for entry in REGISTRY if str(entry.block) in _UNUSABLE_BLOCKS),
    (MULTICAST, "Multicast, RFC 5771"),
)
_RANGES = tuple((int(block.network_address), int(block.broadcast_address), block, why) for block, why in _UNUSABLE)


def prefix(value: object) -> IPv4Network:
    """Return a prefix of unicast addresses for hosts, without host bits."""
    text = scalar(value, "an IPv4 prefix", "10.1.1.0/24")
    if not _PREFIX.fullmatch(text):
        raise _bad_prefix(text)
    network, _, length = text.partition("/")
    bits, mask = _number(network), _mask(int(length))
    if bits & ~mask & _ALL_BITS:
        fix = corrected(prefix, f"{IPv4Address(bits & mask)}/{length}")
        raise FaultError(DiagnosticCode.HOST_BITS, f"{text} has host bits set", fix)
    for first, last, block, why in _RANGES:
        if first <= bits | (~mask & _ALL_BITS) and bits <= last:
            relation = "is in" if block.prefixlen <= int(length) else "contains"
            problem = f"{text} {relation} {block} ({why})"
            raise FaultError(DiagnosticCode.SPECIAL_PURPOSE, problem, "write a prefix that hosts can use")
    return IPv4Network((bits, int(length)))


def address(value: object) -> IPv4Address:
    """Return an address that a host can have."""
    text = scalar(value, "an IPv4 address", "10.1.1.1")
    if not _ADDRESS.fullmatch(text):
        raise _bad_address(text)
    number = _number(text)
    for first, last, block, why in _RANGES:
        if first <= number <= last:
            problem = f"{text} is in {block} ({why})"
            raise FaultError(DiagnosticCode.SPECIAL_PURPOSE, problem, "write an address that a host can have")
    return IPv4Address(number)


def internet_address(value: object) -> IPv4Address:
    """Return an address that the Internet can route."""
    wanted = "write a public address of yours, or leave internet out"
    try:
        found = address(value)
    except FaultError as fault:
        for choice in choices_of(fault.fix):
            if any(_private(IPv4Address(str(edit.value))) for edit in choice.edits):
                raise FaultError(fault.code, fault.problem, wanted) from None
        raise
    if entry := _private(found):
        problem = f"{found} is in {entry.block} ({entry.name}, {entry.rfc}) and not reachable from the Internet"
        raise FaultError(DiagnosticCode.PRIVATE_INTERNET_ADDRESS, problem, wanted)
    return found


def _private(found: IPv4Address) -> SpecialPurpose | None:
    return next((entry for entry in PRIVATE if found in entry.block), None)


def _number(text: str) -> int:
    first, second, third, fourth = text.split(".")
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def _mask(length: int) -> int:
    return _ALL_BITS << (_ADDRESS_BITS - length) & _ALL_BITS


def _bad_prefix(text: str) -> FaultError:
    """Say why a text is not a prefix, with the prefix that was probably intended."""
    with_mask = _WITH_MASK.fullmatch(text)
    if with_mask:
        return _netmask(text, with_mask.group(1), with_mask.group(2))
    if _ADDRESS.fullmatch(text):
        return _no_length(text)
    with_length = _WITH_LENGTH.fullmatch(text)
    host_part = with_length.group(1) if with_length else text
    if not _ADDRESS.fullmatch(host_part):
        return _bad_numbers(text, host_part, "prefix", "10.1.1.0/24", DiagnosticCode.BAD_PREFIX)
    length = int(text.partition("/")[2]) if with_length else _ADDRESS_BITS + 1
    if length == 0:
        return _not_a_prefix(f"{shown(text)} is the default route", "write the networks that are in use")
    if length > _ADDRESS_BITS:
        return _not_a_prefix(f"{shown(text)} has a prefix length above 32", "write a length from 1 to 32")
    problem = f"{shown(text)} has a leading zero in its prefix length"
    return _not_a_prefix(problem, corrected(prefix, f"{host_part}/{length}"))


def _not_a_prefix(problem: str, fix: str) -> FaultError:
    return FaultError(DiagnosticCode.BAD_PREFIX, problem, fix)


def _no_length(text: str) -> FaultError:
    number = _number(text)
    zeros = (number & -number).bit_length() - 1 if number else _ADDRESS_BITS
    network = min(24, _ADDRESS_BITS - zeros // 8 * 8)
    intended = {
        "write {} for the network": f"{IPv4Address(number & _mask(network))}/{network}",
        "write {} for this address alone": f"{text}/32",
    }
    fixes = [corrected(prefix, text, words) for words, text in intended.items() if not text.endswith("/0")]
    choices = [choice for fix in fixes for choice in choices_of(fix)]
    return _not_a_prefix(f"{text} has no prefix length", Fix(choices) if choices else fixes[0])


def _netmask(text: str, host_part: str, mask_text: str) -> FaultError:
    problem = f"{shown(text)} has a netmask"
    if _ADDRESS.fullmatch(host_part) and _ADDRESS.fullmatch(mask_text):
        mask = _number(mask_text)
        for length in range(1, _ADDRESS_BITS + 1):
            if mask in {_mask(length), ~_mask(length) & _ALL_BITS}:
                intended = f"{IPv4Address(_number(host_part) & _mask(length))}/{length}"
                return _not_a_prefix(problem, corrected(prefix, intended))
    return _not_a_prefix(problem, "write a prefix length, as in 10.1.1.0/24")


def _bad_address(text: str) -> FaultError:
    host_part = text.partition("/")[0]
    if host_part != text and _ADDRESS.fullmatch(host_part):
        problem = f"{shown(text)} is a prefix, not an address"
        return FaultError(DiagnosticCode.BAD_ADDRESS, problem, corrected(address, host_part))
    return _bad_numbers(text, text, "address", "10.1.1.1", DiagnosticCode.BAD_ADDRESS)


def _bad_numbers(text: str, host_part: str, kind: str, example: str, code: DiagnosticCode) -> FaultError:
    """Say why the host part of a text is not four decimal octets with dots between them."""
    if _is_ipv6(host_part):
        return FaultError(code, f"{shown(text)} is IPv6", f"write an IPv4 {kind}, such as {example}")
    if _FOUR_NUMBERS.fullmatch(host_part):
        octets = host_part.split(".")
        large = next((octet for octet in octets if int(octet) > _LARGEST_OCTET), None)
        if large is not None:
            return FaultError(code, f"{shown(text)} has the octet {large}", "write four octets from 0 to 255")
        plain = ".".join(str(int(octet)) for octet in octets)
        return FaultError(
            code,
            f"{shown(text)} has leading zeros, which some tools read as octal",
            corrected(prefix if kind == "prefix" else address, f"{plain}{text.removeprefix(host_part)}"),
        )
    return FaultError(code, f"'{shown(text)}' is not an IPv4 {kind}", f"write one such as {example}")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text.partition("/")[0])
    except ValueError:
        return False
    return True
