"""The memory in which the kernel keeps fragments until it has all of a datagram, shared fairly. Pure.

A network namespace has one such memory (ipfrag_high_thresh), and what is never finished stays in it for a while
(ipfrag_time). In a box that several tenants share, each may have so many fragments a second, from its own side and
toward it together, that all it can leave unfinished fits into a part of the memory that no other can take: RFC 4787
REQ-14 asks that such attacks leave others' datagrams alone. Of a box that is one tenant's all memory is that tenant's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from farshore.engine.nftables.grammar import chain, named, shortest
from farshore.engine.nftables.nat_table import outside_networks
from farshore.fabric.model import Device, Direction
from farshore.realm import RealmKind

RATE = 2000  # fragments a second of one tenant, and as many at once
SECONDS = 3  # that fragments wait for the rest of their datagram
# Bytes: what the kernel gives a namespace by itself.
_UNSHARED = 4 << 20
# Bytes that a fragment takes: a page and what describes it, or the next power of two where it is larger.
_PAGE, _DESCRIPTION = 4096, 1024

_WHOLE = "ip frag-off & 0x3fff == 0"  # neither an offset nor more to come
# Of what goes toward no tenant, such as to an unassigned lake address: all of it is one more share.
_REST = "fragments_rest"


@dataclass(frozen=True, slots=True)
class Shares:
    """Who shares a box: the interface toward each, the provider's, and whose the addresses are that come in there."""

    interfaces: tuple[str, ...]
    inner: str
    owners: Mapping[IPv4Network, str]


def shares(device: Device) -> Shares | None:
    """Return who shares a box, None for one that is a single tenant's or the Internet's."""
    inner = next((i.name for i in device.interfaces if i.realm.kind is RealmKind.PROVIDER), None)
    others = [interface for interface in device.interfaces if interface.name != inner]
    if device.policy is None or inner is None or len(others) <= 1:
        return None
    tenants = {i.realm: i.name for i in others if i.realm.kind is RealmKind.TENANT}
    # Of the lake's side they all have interfaces in one realm, and each has addresses of its own.
    lake = {i.name for i in others} - set(tenants.values())
    owners = {
        prefix.network: guard.interface
        for guard in device.guards
        if guard.direction is Direction.IN and guard.interface in lake
        for prefix in guard.sources
    }
    known = dict(owners)
    for translation in device.source_nat:
        inside = translation.inside
        owner = tenants.get(inside.realm) or known.get(inside.network) or _around(known, inside.network)
        if owner is not None and inside.realm.kind is not RealmKind.PROVIDER:
            owners |= dict.fromkeys(outside_networks(translation), owner)
    return Shares(tuple(i.name for i in others), inner, owners)


def _around(known: Mapping[IPv4Network, str], network: IPv4Network) -> str | None:
    return next((owner for around, owner in known.items() if network.subnet_of(around)), None)


def fragment_lines(found: Shares) -> Iterator[str]:
    """Yield the chains and maps that hold each to its share, before the kernel puts fragments together.

    Fragments that no share is known for are dropped.
    """
    limited = [f"limit rate over {RATE}/second burst {RATE} packets drop", "accept"]
    for name in found.interfaces:
        yield from chain(_chain_name(name), None, limited)
    yield from chain(_REST, None, limited)
    toward = [f"{shortest(network)} : goto {_chain_name(owner)}" for network, owner in found.owners.items()]
    yield from named("fragments_toward", "ipv4_addr : verdict", toward, "map", flags="interval")
    yield from chain("fragments_inner", None, ["ip daddr vmap @fragments_toward", f"goto {_REST}"])
    from_them = [f'"{name}" : goto {_chain_name(name)}' for name in found.interfaces]
    yield from named(
        "fragments_from", "ifname : verdict", [*from_them, f'"{found.inner}" : goto fragments_inner'], "map"
    )
    rules = [f"{_WHOLE} accept", "iifname vmap @fragments_from"]
    yield from chain("fragments", "filter hook prerouting priority -430; policy drop", rules)


def memory(device: Device, mtu: int) -> int:
    """Return how many bytes fragments may take in a device whose largest packets have ``mtu`` bytes.

    It is what all who share it can use up together, at their rate, so that it is never full.
    """
    found = shares(device)
    if found is None:
        return _UNSHARED
    size = _DESCRIPTION + max(_PAGE, 1 << (mtu + _DESCRIPTION - 1).bit_length())
    return (len(found.interfaces) + 1) * RATE * (SECONDS + 1) * size


def _chain_name(interface: str) -> str:
    return f"fragments_{interface}"
