"""The table that translates: each interface has rules of its own, whoever else is there. Pure text."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from farshore.engine.nftables.grammar import chain, named, shortest
from farshore.fabric.model import Device
from farshore.realm import Realm
from farshore.translation import BasicNat, PortBlockNapt, SourceTranslation

Way = tuple[Realm, Realm]


def outside(translation: SourceTranslation) -> Realm:
    """Return the realm into which a translation takes a source."""
    return translation.outside.realm if isinstance(translation, BasicNat) else translation.first.realm


def pair_name(ingress: Realm, egress: Realm) -> str:
    """Return what stands in names for a way across."""
    return f"{ingress}_to_{egress}"


def interfaces_of(device: Device, realm: Realm) -> Iterator[str]:
    """Return the names of the interfaces into a realm."""
    return (interface.name for interface in device.interfaces if interface.realm == realm)


def nat_lines(device: Device) -> Iterator[str]:
    """Yield the lines of the table that translates."""
    block_maps = [t for t in device.source_nat if isinstance(t, PortBlockNapt)]
    for number, napt in enumerate(block_maps):
        yield from _port_block_map(f"blocks{number}", napt)
    destinations = list(dict.fromkeys(t.inside.realm for t in device.destination_nat))
    sources = list(dict.fromkeys((t.inside.realm, outside(t)) for t in device.source_nat))
    for realm in destinations:
        pairs = [t for t in device.destination_nat if t.inside.realm == realm]
        yield from chain(f"destination_{realm}", None, _basic_rules("dnat", "daddr", pairs))
    for way in sources:
        yield from chain(f"source_{pair_name(*way)}", None, _source_rules(device, way, block_maps))
    yield from _nat_hook(
        "translate_destination",
        "prerouting priority -100",
        ("iifname", "ifname", "destinations"),
        [f'"{name}" : jump destination_{realm}' for realm in destinations for name in interfaces_of(device, realm)],
    )
    yield from _nat_hook(
        "translate_source",
        "postrouting priority 100",
        ("iifname . oifname", "ifname . ifname", "sources"),
        [
            f'"{entered}" . "{left}" : jump source_{pair_name(ingress, egress)}'
            for ingress, egress in sources
            for entered in interfaces_of(device, ingress)
            for left in interfaces_of(device, egress)
        ],
    )


def _nat_hook(name: str, hook: str, key: tuple[str, str, str], elements: list[str]) -> Iterator[str]:
    """Yield a chain that goes by interfaces: a hundred thousand rules of other tenants cost a packet nothing."""
    match, kind, ways = key
    if elements:
        yield from named(ways, f"{kind} : verdict", elements, "map")
    rules = [f"{match} vmap @{ways}"] if elements else []
    yield from chain(name, f"nat hook {hook}; policy accept", rules)


def _source_rules(device: Device, way: Way, block_maps: list[PortBlockNapt]) -> Iterator[str]:
    own = [t for t in device.source_nat if (t.inside.realm, outside(t)) == way]
    yield from _basic_rules("snat", "saddr", [t for t in own if isinstance(t, BasicNat)])
    for number, napt in enumerate(block_maps):
        if napt in own:
            # The ICMP query identifier is to echo what the port is to TCP (RFC 5508 section 3.1).
            yield f"ip saddr {napt.inside.network} meta l4proto {{ tcp, udp }} snat ip to ip saddr map @blocks{number}"
            yield f"ip saddr {napt.inside.network} meta l4proto icmp snat ip to ip saddr map @blocks{number}"


def _basic_rules(verb: str, field: str, translations: list[BasicNat]) -> Iterator[str]:
    single = [t for t in translations if t.inside.network.prefixlen == IPv4Network(0).max_prefixlen]
    wide = [t for t in translations if t not in single]
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
