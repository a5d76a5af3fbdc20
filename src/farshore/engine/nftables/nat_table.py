"""The NAT table: each interface has rules of its own. Pure text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, summarize_address_range

from farshore.engine.nftables.grammar import chain, named, shortest
from farshore.fabric.model import Device
from farshore.realm import Realm
from farshore.translation import BasicNat, PortBlockNapt, SourceTranslation

RealmPair = tuple[Realm, Realm]


@dataclass(frozen=True, slots=True)
class ByRealm:
    """A device's interfaces and translations by the realms that they are about: a thousand tenants have a thousand.

    ``destinations`` stand by the realm that packets come from, ``ways_in`` are the ways that these lead. ``sources``
    stand by the way that they lead.
    """

    interfaces: Mapping[Realm, list[str]]
    destinations: Mapping[Realm, list[BasicNat]]
    ways_in: frozenset[RealmPair]
    sources: Mapping[RealmPair, list[SourceTranslation]]

    @classmethod
    def of(cls, device: Device) -> ByRealm:
        """Sort what a device has, keeping its order."""
        interfaces: dict[Realm, list[str]] = {}
        for interface in device.interfaces:
            interfaces.setdefault(interface.realm, []).append(interface.name)
        destinations: dict[Realm, list[BasicNat]] = {}
        for nat in device.destination_nat:
            destinations.setdefault(nat.inside.realm, []).append(nat)
        sources: dict[RealmPair, list[SourceTranslation]] = {}
        for translation in device.source_nat:
            outside = translation.outside.realm if isinstance(translation, BasicNat) else translation.first.realm
            sources.setdefault((translation.inside.realm, outside), []).append(translation)
        ways_in = frozenset((nat.inside.realm, nat.outside.realm) for nat in device.destination_nat)
        return cls(interfaces, destinations, ways_in, sources)

    def pairs(self, ingress: Realm, egress: Realm) -> Iterator[tuple[str, str]]:
        """Yield the names of the interfaces by which packets come in and leave that go from one realm into another."""
        return itertools.product(self.interfaces.get(ingress, ()), self.interfaces.get(egress, ()))


def pair_name(ingress: Realm, egress: Realm) -> str:
    """Return what stands in names for a way across."""
    return f"{ingress}_to_{egress}"


def outside_networks(translation: SourceTranslation) -> Iterator[IPv4Network]:
    """Yield the networks that hold the addresses which a translation gives, and no others."""
    if isinstance(translation, BasicNat):
        yield translation.outside.network
    else:
        first = translation.first.ip
        yield from summarize_address_range(first, first + translation.addresses - 1)


def nat_lines(device: Device, by_realm: ByRealm) -> Iterator[str]:
    """Yield the lines of the table that translates."""
    block_maps = {t: number for number, t in enumerate(t for t in device.source_nat if isinstance(t, PortBlockNapt))}
    for napt, number in block_maps.items():
        yield from _port_block_map(f"blocks{number}", napt)
    for realm, nats in by_realm.destinations.items():
        yield from chain(f"destination_{realm}", None, _basic_rules("dnat", "daddr", nats))
    for way, translations in by_realm.sources.items():
        yield from chain(f"source_{pair_name(*way)}", None, _source_rules(translations, block_maps))
    yield from _nat_hook(
        "translate_destination",
        "prerouting priority -100",
        ("iifname", "ifname", "destinations"),
        [
            f'"{name}" : jump destination_{realm}'
            for realm in by_realm.destinations
            for name in by_realm.interfaces.get(realm, ())
        ],
    )
    yield from _nat_hook(
        "translate_source",
        "postrouting priority 100",
        ("iifname . oifname", "ifname . ifname", "sources"),
        [
            f'"{entered}" . "{left}" : jump source_{pair_name(ingress, egress)}'
            for ingress, egress in by_realm.sources
            for entered, left in by_realm.pairs(ingress, egress)
        ],
    )


def _nat_hook(name: str, hook: str, key: tuple[str, str, str], elements: list[str]) -> Iterator[str]:
    """Yield a chain that goes by interfaces: a hundred thousand rules of other tenants cost a packet nothing."""
    match, kind, ways = key
    if elements:
        yield from named(ways, f"{kind} : verdict", elements, "map")
    rules = [f"{match} vmap @{ways}"] if elements else []
    yield from chain(name, f"nat hook {hook}; policy accept", rules)


def _source_rules(own: list[SourceTranslation], block_maps: Mapping[PortBlockNapt, int]) -> Iterator[str]:
    yield from _basic_rules("snat", "saddr", [t for t in own if isinstance(t, BasicNat)])
    for napt in own:
        if isinstance(napt, PortBlockNapt):
            number = block_maps[napt]
            # The ICMP query identifier is to echo what the port is to TCP (RFC 5508 section 3.1).
            yield f"ip saddr {napt.inside.network} meta l4proto {{ tcp, udp }} snat ip to ip saddr map @blocks{number}"
            yield f"ip saddr {napt.inside.network} meta l4proto icmp snat ip to ip saddr map @blocks{number}"


def _basic_rules(verb: str, field: str, translations: list[BasicNat]) -> Iterator[str]:
    single = [t for t in translations if t.inside.network.prefixlen == t.inside.network.max_prefixlen]
    wide = [t for t in translations if t.inside.network.prefixlen < t.inside.network.max_prefixlen]
    if wide:
        elements = ", ".join(f"{t.inside.network} : {t.outside.network}" for t in wide)
        yield f"{verb} ip prefix to ip {field} map {{ {elements} }}"
    if single:
        elements = ", ".join(f"{shortest(t.inside.network)} : {shortest(t.outside.network)}" for t in single)
        yield f"{verb} ip to ip {field} map {{ {elements} }}"


def _port_block_map(name: str, napt: PortBlockNapt) -> Iterator[str]:
    def elements() -> Iterator[str]:
        for inside, block in napt.blocks():
            yield f"{inside.ip} : {block.address.ip} . {block.first_port}-{block.last_port}"

    return named(name, "ipv4_addr : interval ipv4_addr . inet_service", elements(), "map")
