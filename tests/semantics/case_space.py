"""What the cases of one lab are drawn from: who can send, where to, and which addresses mean something to anybody."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from farshore.fabric import names
from farshore.fabric.model import EndSystem, Fabric, NodeKind
from farshore.fabric.names import LinkEnd
from farshore.intent.model import Intent
from farshore.plan.model import Appearance, Plan, appearance
from farshore.port import Port, Protocol
from farshore.realm import Address, RealmKind
from from_file import fabric_of

STRANGERS = tuple(map(IPv4Address, ("198.51.100.77", "192.0.0.8", "8.8.8.8", "172.31.255.1")))
# Addresses that the kernel itself refuses on arrival ("martians"), and those with a meaning of their own.
NEVER = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))


@dataclass(frozen=True, slots=True)
class Service:
    """A service as a caller may know it; ``presented`` is None where the caller does not."""

    name: str
    ports: tuple[Port, ...]
    presented: IPv4Address | None
    lake: IPv4Address
    real: IPv4Address


@dataclass(frozen=True, slots=True)
class Caller:
    """A host, the wires that its packets cross on its own side, and all addresses that it may really have."""

    node: EndSystem
    wires: tuple[LinkEnd, ...]
    networks: tuple[IPv4Network, ...]
    services: tuple[Service, ...]

    @property
    def known(self) -> tuple[Service, ...]:
        """Return the services that are presented to it."""
        return tuple(service for service in self.services if service.presented is not None)


@dataclass(frozen=True, slots=True)
class CaseSpace:
    """One intent in one design."""

    name: str
    file: Path
    fabric: Fabric
    callers: tuple[Caller, ...]
    ends: tuple[LinkEnd, ...]
    addresses: tuple[IPv4Address, ...]
    blocks: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, file: Path, design: str) -> CaseSpace:
        """Read an intent and gather what the cases of one design of it are drawn from."""
        intent, plan, fabric = fabric_of(file, design)
        callers = tuple(
            _caller(node, intent, plan, fabric) for node in fabric.end_systems if node.kind is NodeKind.HOST
        )
        appearances = {
            caller.node.name: found
            for caller in callers
            if caller.node.address.realm.kind is RealmKind.TENANT
            for found in [_appears(plan, caller.node.address)]
        }
        blocks = {name: (a.ports.first_port, a.ports.last_port) for name, a in appearances.items() if a.ports}
        addresses = dict.fromkeys(_addresses(callers, appearances, plan))
        ends = tuple(sorted(fabric.far_ends))
        return cls(f"{file.stem} {design}", file, fabric, callers, ends, tuple(addresses), blocks)


def _appears(plan: Plan, host: Address) -> Appearance:
    found = (appearance(source, host) for source in plan.tenants[host.realm.name].sources)
    return next(a for a in found if a is not None)


def _caller(node: EndSystem, intent: Intent, plan: Plan, fabric: Fabric) -> Caller:
    start = LinkEnd(node.name, node.interface.name)
    if node.address.realm.kind is RealmKind.PROVIDER:
        return _calling(node, start, intent, plan, fabric)
    if node.name == names.INTERNET_HOST:
        presents = {s.name: s.internet for s in intent.provider.services.values() if s.internet is not None}
        wires, networks = (start,), (IPv4Network("8.0.0.0/8"), IPv4Network("192.0.2.0/24"))
    else:
        tenant = node.address.realm.name
        presents = dict(plan.tenants[tenant].presents)
        # Behind the host, behind the tenant's own router, and behind its NAT device.
        realm_or_lake = [end for end in fabric.far_ends if end.node in (names.ce(tenant), names.wan(tenant))]
        shore = [end for end in fabric.far_ends if end.node == names.tenant_nat(tenant)]
        wires = (start, *sorted(realm_or_lake), *sorted(shore))
        networks = tuple(network.prefix.network for network in intent.tenants[tenant].networks)
    services = tuple(
        Service(
            name,
            service.ports,
            presents[name].ip if name in presents else None,
            plan.services[name].lake.ip,
            service.address.ip,
        )
        for name, service in intent.provider.services.items()
    )
    return Caller(node, wires, networks, services)


def _calling(node: EndSystem, start: LinkEnd, intent: Intent, plan: Plan, fabric: Fabric) -> Caller:
    """Return a host of the provider: what it knows are tenants' hosts."""
    hosts = [each for each in fabric.end_systems if each.address.realm.kind is RealmKind.TENANT]
    called = []
    for host in hosts:
        seen, ports = _appears(plan, host.address), intent.reached(host.address.realm.name)
        dialled = (seen.provider or seen.lake).ip if ports else None
        called.append(Service(host.name, ports or (Port(Protocol.TCP, 22),), dialled, seen.lake.ip, host.address.ip))
    networks = tuple(prefix.network for prefix in intent.provider.networks)
    return Caller(node, (start,), networks, tuple(called))


def _addresses(callers: tuple[Caller, ...], appearances: dict[str, Appearance], plan: Plan) -> list[IPv4Address]:
    found: list[IPv4Address] = []
    for caller in callers:
        found.append(caller.node.address.ip)
        for service in caller.services:
            found += [service.real, service.lake]
            if service.presented is not None:
                found += [service.presented, service.presented + 1]
    for seen in appearances.values():
        found.append(seen.lake.ip)
        # A neighbour in the lake that no host has, or another does.
        found.append(seen.lake.ip + 1)
        if seen.provider is not None:
            found.append(seen.provider.ip)
    found.append(plan.lake.network.broadcast_address - 1)
    return [*found, *STRANGERS]
