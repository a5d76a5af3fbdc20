"""Broken fabrics, where translations, permits and the fronts of proxies are broken; and all mutants of a fabric."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from mutants import (
    Change,
    Mutant,
    cables,
    devices,
    end_systems,
    everywhere,
    guards,
    mutants_of,
    networks,
    prefixes_known,
    replaced,
    routes,
)

from farshore.fabric.model import Device, EndSystem, Fabric, Front, NodeKind, Permit, Proxy
from farshore.port import Port, Protocol
from farshore.realm import Address, Prefix, Realm
from farshore.translation import BasicNat, PortBlockNapt, SourceTranslation

ELSEWHERE = Port(Protocol.TCP, 22)


def mutants(fabric: Fabric) -> tuple[Mutant, ...]:
    """Return every mutant of a fabric."""
    return (*mutants_of(fabric, _changes(fabric)), *cables(fabric))


def _changes(fabric: Fabric) -> Iterator[Change]:
    known = prefixes_known(fabric)
    lake = tuple(_outsides(fabric))
    realms = fabric.realms()
    for node in fabric.nodes.values():
        match node:
            case Device():
                yield from guards(node)
                # What a tenant's own router knows of others is nothing to them: it may be led anywhere anyhow.
                yield from routes(node, () if node.policy is None and node.kind is not NodeKind.ROUTER else known)
                yield from devices(node)
                yield from _destination_nat(node)
                yield from _source_nat(node, lake)
                yield from _permits(node, realms)
            case Proxy():
                yield from _fronts(node, realms)
            case EndSystem():
                yield from end_systems(node)


def _shifted(prefix: Prefix, by: int = 1) -> Prefix:
    """Return the prefix that follows one."""
    network = prefix.network
    first = int(network.network_address) + by * network.num_addresses
    return Prefix(prefix.realm, IPv4Network((first, network.prefixlen)))


def _outsides(fabric: Fabric) -> Iterator[tuple[str, Prefix]]:
    """Yield what source translation makes of tenants' addresses, and the network that it belongs to."""
    for device in fabric.devices:
        for nat in device.source_nat:
            outside = nat.outside if isinstance(nat, BasicNat) else Prefix.of(nat.first)
            yield f"{device.name} {nat.inside}", outside


# --- destination NAT -----------------------------------------------------------------------------------


def _destination_nat(device: Device) -> Iterator[Change]:
    rules = device.destination_nat
    for nat in rules:
        to = f"{nat.inside.network} ({nat.inside.realm}) to {nat.outside.network}"
        yield Change("destination NAT removed", f"no DNAT of {to}", _with_dnat(device, replaced(rules, nat)))
        for done, new in _new_dnat(nat, rules):
            yield Change(
                "destination NAT changed", f"the DNAT of {to} {done}", _with_dnat(device, replaced(rules, nat, *new))
            )
        other = next((each for each in rules if each.outside != nat.outside and _alike(each, nat)), None)
        if other is not None:
            shadow = BasicNat(nat.inside, other.outside)
            what = f"the DNAT of {to} shadowed by one to {other.outside.network}"
            yield Change("destination NAT shadowed", what, _with_dnat(device, (shadow, *rules)))
            wide = Prefix(nat.inside.realm, nat.inside.network.supernet())
            both = BasicNat(wide, Prefix(other.outside.realm, other.outside.network.supernet()))
            what = f"the DNAT of {to} shadowed by one of {wide.network} to {both.outside.network}"
            yield Change("destination NAT shadowed", what, _with_dnat(device, (both, *rules)))
    yield Change("rules reordered", "the DNAT rules backwards", _with_dnat(device, rules[::-1]))


def _halved(nat: BasicNat) -> Iterator[tuple[str, tuple[BasicNat, ...]]]:
    if nat.inside.network.prefixlen == nat.inside.network.max_prefixlen:
        return
    low, high = (Prefix(nat.inside.realm, half) for half in nat.inside.network.subnets())
    first, second = (Prefix(nat.outside.realm, half) for half in nat.outside.network.subnets())
    yield "takes both halves to one", (BasicNat(low, first), BasicNat(high, first))
    yield "exchanges its halves", (BasicNat(low, second), BasicNat(high, first))
    yield "leaves out a half", (BasicNat(low, first),)


def _new_dnat(nat: BasicNat, rules: tuple[BasicNat, ...]) -> Iterator[tuple[str, tuple[BasicNat, ...]]]:
    yield "leads one further", (BasicNat(nat.inside, _shifted(nat.outside)),)
    yield "is for the one after", (BasicNat(_shifted(nat.inside), nat.outside),)
    for other in rules:
        if other.outside != nat.outside and _alike(other, nat):
            yield f"leads to {other.outside.network}", (BasicNat(nat.inside, other.outside),)
        if other.inside.realm != nat.inside.realm and other.inside.network.prefixlen == nat.inside.network.prefixlen:
            yield f"is for {other.inside}", (BasicNat(other.inside, nat.outside),)

    yield from _halved(nat)


def _alike(one: BasicNat, other: BasicNat) -> bool:
    same_realm = one.outside.realm == other.outside.realm
    return same_realm and one.outside.network.prefixlen == other.outside.network.prefixlen


def _with_dnat(device: Device, rules: tuple[BasicNat, ...]) -> Device:
    return replace(device, destination_nat=rules)


# --- source NAT ----------------------------------------------------------------------------------------


def _source_nat(device: Device, outsides: tuple[tuple[str, Prefix], ...]) -> Iterator[Change]:
    rules = device.source_nat
    for nat in rules:
        says = f"the SNAT of {nat.inside}"
        yield Change("source NAT removed", f"no {says[4:]}", _with_snat(device, replaced(rules, nat)))
        changed = _new_basic(nat) if isinstance(nat, BasicNat) else _new_napt(nat)
        for done, new in changed:
            yield Change("source NAT changed", f"{says} {done}", _with_snat(device, replaced(rules, nat, *new)))
        for owner, block in outsides:
            if owner != f"{device.name} {nat.inside}":
                what = f"{says} takes the block of {owner}"
                taken = _onto(nat, block)
                yield Change("source NAT onto another's block", what, _with_snat(device, replaced(rules, nat, taken)))
    yield Change("rules reordered", "the SNAT rules backwards", _with_snat(device, rules[::-1]))


def _new_basic(nat: BasicNat) -> Iterator[tuple[str, tuple[SourceTranslation, ...]]]:
    yield "leads to the block after", (BasicNat(nat.inside, _shifted(nat.outside)),)
    yield "is for the network after", (BasicNat(_shifted(nat.inside), nat.outside),)
    yield from _halved(nat)


def _new_napt(nat: PortBlockNapt) -> Iterator[tuple[str, tuple[SourceTranslation, ...]]]:
    yield "has blocks twice as large", (replace(nat, block_size=2 * nat.block_size),)
    yield "has blocks half as large", (replace(nat, block_size=nat.block_size // 2),)
    yield "has twice the hosts on an address", (replace(nat, hosts_per_address=2 * nat.hosts_per_address),)
    yield "has half the hosts on an address", (replace(nat, hosts_per_address=nat.hosts_per_address // 2),)
    yield "leads to the address after", (replace(nat, first=replace(nat.first, ip=nat.first.ip + 1)),)
    yield "is for the network after", (replace(nat, inside=_shifted(nat.inside)),)
    low, high = (Prefix(nat.inside.realm, half) for half in nat.inside.network.subnets())
    yield "gives both halves the same blocks", (replace(nat, inside=low), replace(nat, inside=high))
    yield "leaves out a half", (replace(nat, inside=low),)
    single = Prefix(nat.first.realm, IPv4Network(int(nat.first.ip)))
    yield (
        "gives a host an address whole",
        (BasicNat(Prefix.of(Address(nat.inside.realm, nat.inside.network[1])), single), nat),
    )


def _onto(nat: SourceTranslation, block: Prefix) -> SourceTranslation:
    if isinstance(nat, PortBlockNapt):
        return replace(nat, first=Address(nat.first.realm, block.network.network_address))
    network = IPv4Network((int(block.network.network_address), nat.inside.network.prefixlen), strict=False)
    return BasicNat(nat.inside, Prefix(nat.outside.realm, network))


def _with_snat(device: Device, rules: tuple[SourceTranslation, ...]) -> Device:
    return replace(device, source_nat=rules)


# --- permits -------------------------------------------------------------------------------------------


def _permits(device: Device, realms: tuple[Realm, ...]) -> Iterator[Change]:
    if device.policy is None:
        return
    permits = device.policy.permits
    for permit in permits:
        says = f"the permit of {permit.port} to {permit.destination}"
        yield Change("permit removed", f"no {says[4:]}", _with_permits(device, replaced(permits, permit)))
        for done, new in _wider(permit):
            yield Change("permit widened", f"{says} {done}", _with_permits(device, (*permits, new)))
        for done, new in _other(permit, realms, device):
            yield Change("permit changed", f"{says} {done}", _with_permits(device, replaced(permits, permit, new)))
    yield Change("rules reordered", "the permits backwards", _with_permits(device, permits[::-1]))


def _wider(permit: Permit) -> Iterator[tuple[str, Permit]]:
    wide = replace(
        permit,
        destination=Prefix(permit.destination.realm, permit.destination.network.supernet()),
        translated=Prefix(permit.translated.realm, permit.translated.network.supernet()),
    )
    yield f"widened to {wide.destination.network}", wide
    all_of_it = replace(
        permit, destination=everywhere(permit.destination.realm), translated=everywhere(permit.translated.realm)
    )
    yield "widened to every address", all_of_it
    yield f"and {ELSEWHERE}", replace(permit, port=ELSEWHERE)


def _other(permit: Permit, realms: tuple[Realm, ...], device: Device) -> Iterator[tuple[str, Permit]]:
    yield "is for the port after", replace(permit, port=Port(Protocol.UDP, permit.port.number + 1))
    there = {interface.realm for interface in device.interfaces}
    for realm in realms:
        if realm in there and realm != permit.ingress:
            yield f"is for {realm}", replace(permit, ingress=realm)
        if realm in there and realm != permit.egress:
            yield f"leads into {realm}", replace(permit, egress=realm)


def _with_permits(device: Device, permits: tuple[Permit, ...]) -> Device:
    assert device.policy is not None
    return replace(device, policy=replace(device.policy, permits=permits))


# --- proxies -------------------------------------------------------------------------------------------


def _fronts(proxy: Proxy, realms: tuple[Realm, ...]) -> Iterator[Change]:
    for front in proxy.fronts:
        says = f"the front of {front.presented.ip} {front.port} for {front.ingress}"
        yield Change("front removed", f"no {says[4:]}", replace(proxy, fronts=replaced(proxy.fronts, front)))
        for done, new in _new_fronts(front, proxy, realms):
            yield Change("front changed", f"{says} {done}", replace(proxy, fronts=replaced(proxy.fronts, front, new)))
        extra = replace(proxy, fronts=(*proxy.fronts, replace(front, port=ELSEWHERE)))
        yield Change("front added", f"{says} and {ELSEWHERE}", extra)
    yield Change("rules reordered", "the fronts backwards", replace(proxy, fronts=proxy.fronts[::-1]))


def _new_fronts(front: Front, proxy: Proxy, realms: tuple[Realm, ...]) -> Iterator[tuple[str, Front]]:
    yield "admits every source", replace(front, sources=(everywhere(front.ingress),))
    yield "admits no source", replace(front, sources=())
    low = Prefix(front.ingress, next(front.sources[0].network.subnets()))
    yield f"admits {networks((low,))} alone", replace(front, sources=(low, *front.sources[1:]))
    moved = replace(front.presented, ip=front.presented.ip + 1)
    yield "is at the address after", replace(front, presented=moved)
    yield "comes from the address after", replace(front, own=replace(front.own, ip=front.own.ip + 1))
    yield "comes from the server's address", replace(front, own=front.server)
    yield "leads to the address after", replace(front, server=replace(front.server, ip=front.server.ip + 1))
    for server in dict.fromkeys(each.server for each in proxy.fronts if each.server != front.server):
        yield f"leads to {server.ip}", replace(front, server=server)
    there = {interface.realm for interface in proxy.interfaces}
    for realm in realms:
        if realm in there and realm not in (front.ingress, front.server.realm):
            yield f"is for {realm}", replace(front, ingress=realm)
