"""A box that answers by the last hop, on Linux: zones, marks and a routing table for each interface. Pure.

Each interface but the provider's has a number. It is the conntrack zone of what comes in there, so that equal
headers of two tenants are two flows (in the original direction only: replies are distinguished by the sources that
the box gave), and fragments of two tenants with equal identifications are never put together: the kernel keeps
fragments by zone, so the zone is set before it puts them together. It is the connection's mark, and so a reply's, and
the routing table that leads back out.

Nothing without a mark is routed, and nothing from an interface without a zone gets as far. The marks are set by the
filter's table: should that be lost, nothing crosses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from farshore.fabric.model import Device, Interface
from farshore.realm import RealmKind

# Tables 253 to 255 are the kernel's own; zones have sixteen bits.
_FIRST, _NUMBERS = 1024, 65536 - 1024
NUMBER_MASK = 0xFFFF
_INNER_ZONE = 0  # of what comes from the services' side, whose addresses are the provider's own
# What tells, next to the number, which way along its flow a packet goes.
ASKING = 0x20000
ANSWERING = 0x10000

MARKED_BY_TENANT = 1000  # from this priority on the rules that pick a tenant's table


def numbers(device: Device) -> Mapping[str, int]:
    """Return the number of each interface toward a tenant.

    It depends on the interface's name alone, unless two names come to one number: then the first of them in
    the order of names has it, and the other the next free one. So no tenant's number changes where others change
    places, and hardly ever where they come and go: a name moves only when the one that it gave way to goes or
    one comes that it gives way to, once in some 65,000 pairs. Its open flows then end; none becomes another's.
    """
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted(interface.name for interface in _tenants(device)):
        offset = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % _NUMBERS
        while offset in taken:
            offset = (offset + 1) % _NUMBERS
        taken.add(offset)
        found[name] = _FIRST + offset
    return found


def inner(device: Device) -> Interface:
    """Return the interface behind which the services are."""
    return next(i for i in device.interfaces if i.realm.kind is not RealmKind.TENANT)


def zone_elements(device: Device) -> Iterator[str]:
    """Yield the elements of the map from interfaces to zones, that of the services' side included."""
    for name, number in numbers(device).items():
        yield f'"{name}" : {number}'
    yield f'"{inner(device).name}" : {_INNER_ZONE}'


def zone_rules() -> Iterator[str]:
    """Yield the rules that come before the kernel puts fragments together. They accept only what has a zone."""
    yield "ct original zone set iifname map @zone_numbers accept"


def mark_elements(device: Device) -> Iterator[str]:
    """Yield the elements of the map from interfaces to marks."""
    for name, number in numbers(device).items():
        yield f'"{name}" : {number:#010x}'


def mark_rules() -> Iterator[str]:
    """Yield the rules that come between conntrack and the first translation."""
    yield "ct state new ct mark set iifname map @marks"
    yield f"ct direction original meta mark set ct mark or {ASKING:#x}"
    yield f"ct direction reply meta mark set ct mark or {ANSWERING:#x}"


def _tenants(device: Device) -> Iterator[Interface]:
    return (interface for interface in device.interfaces if interface.realm.kind is RealmKind.TENANT)
