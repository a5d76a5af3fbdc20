"""The counterexample of a property: its walk, and its cause, which is a device, a rule and a line of the intent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from farshore.errors import Position
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.intent.model import Intent, Tenant
from farshore.origin import Origin
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.proof.judges.account import Property, Refuted
from farshore.proof.sets.intervals import of_port, port_at
from farshore.realm import INTERNET, LAKE, Address, Realm, RealmKind
from farshore.semantics.profile import Profile
from farshore.walk.tell.journey import DEFAULT_SOURCE_PORT, Probe, Walk, walk


@dataclass(frozen=True, slots=True)
class Cause:
    """Where it goes wrong. ``rule`` is what the device does there; ``position`` and ``line_says`` are the intent's.

    ``origin`` is the line that the device is there for, None where it is no node.
    """

    device: str
    rule: str
    file: str
    position: Position
    line_says: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A packet that refutes a property, walked. ``reason`` is one sentence."""

    what: Property
    reason: str
    walk: Walk
    cause: Cause


def counterexample(
    intent: Intent, plan: Plan, fabric: Fabric, found: Refuted, profile: Profile | None = None
) -> Counterexample:
    """Walk the packet that refutes a property: of many a usual one, such as is sent every day, or the smallest."""
    found = _usual(intent, plan, fabric, found)
    walked = walk(fabric, profile, _probe(intent, plan, fabric, found))
    position, says = _line(intent, plan, fabric, found)
    device, rule = found.node, _rule(walked, found.node)
    glitch = next((step for step in walked.steps if not step.ok), None)
    if glitch is not None and found.what is Property.REACH:
        # What is not reached is held up somewhere on the way.
        device = glitch.at
        rule = (glitch.reason or rule).removeprefix(f"At {device}, ").removesuffix(".")
    node = fabric.nodes.get(NodeName(device))
    cause = Cause(device, rule, intent.file, position, says, node.origin if node is not None else None)
    return Counterexample(found.what, found.reason, walked, cause)


def _usual(intent: Intent, plan: Plan, fabric: Fabric, found: Refuted) -> Refuted:
    """Return what a tenant's own host would send of a set of packets, or the same where it would send none of them."""
    realm = _realm(fabric, found.start)
    tenant = plan.tenants.get(realm.name) if realm.kind is RealmKind.TENANT else None
    if tenant is None or found.packets is None:
        return found
    hosts = [node for node in fabric.end_systems if node.address.realm == realm]
    for host in hosts:
        for service, presented in tenant.presents.items():
            for port in intent.provider.services[service].ports:
                packet = (int(host.address.ip), int(presented.ip), of_port(port))
                if found.packets.hold(*packet):
                    start = LinkEnd(host.name, host.interface.name)
                    source, destination, port_index = packet
                    return found._replace(start=start, source=source, destination=destination, port_index=port_index)
    return found


def _probe(intent: Intent, plan: Plan, fabric: Fabric, found: Refuted) -> Probe:
    node = fabric.nodes[found.start.node]
    realm = _realm(fabric, found.start)
    destination = Address(_meant(plan, realm, found.destination), IPv4Address(found.destination))
    service = _service(intent, plan, realm, found) or str(destination.ip)
    port = port_at(found.port_index)
    source = Address(realm, IPv4Address(found.source))
    if isinstance(node, EndSystem) and source == node.address:
        return Probe(node.name, service, destination, port)
    number = DEFAULT_SOURCE_PORT if port.protocol is not Protocol.ICMP else 0
    return Probe(node.name, service, destination, port, number, interface=found.start.interface, source=source)


def _realm(fabric: Fabric, start: LinkEnd) -> Realm:
    return next(i.realm for i in fabric.nodes[start.node].interfaces if i.name == start.interface)


def _meant(plan: Plan, realm: Realm, destination: int) -> Realm:
    """Return the realm that a destination means: a lake address, called from the provider's side, means the lake."""
    if realm.kind is RealmKind.PROVIDER and Address(LAKE, IPv4Address(destination)) in plan.lake:
        return LAKE
    return realm


def _service(intent: Intent, plan: Plan, realm: Realm, found: Refuted) -> str | None:
    """Return the service that the sender knows by the destination, None where there is none."""
    if realm == INTERNET:
        public = {int(s.internet.ip): s.name for s in intent.provider.services.values() if s.internet is not None}
        return public.get(found.destination)
    tenant = plan.tenants.get(realm.name) if realm.kind is RealmKind.TENANT else None
    presented = tenant.presents if tenant is not None else {}
    return next((name for name, address in presented.items() if int(address.ip) == found.destination), None)


def _rule(walked: Walk, device: str) -> str:
    """Return what a device did to the packet, or to its reply: what went wrong, if anything did."""
    events = [
        event
        for trace in walked.traces
        for hop in trace.hops
        if hop.node == device and hop.crossing is not None
        for event in hop.crossing.events
    ]
    wrong = [event.says for event in events if event.wrong]
    return "; ".join(dict.fromkeys(wrong or [event.says for event in events])) or "the packet arrives"


# --- the intent's line --------------------------------------------------------------------------------

_BY_SOURCE = (Property.AMBIGUITY, Property.LEAKS, Property.FORGED, Property.ONE_TO_ONE)


def _line(intent: Intent, plan: Plan, fabric: Fabric, found: Refuted) -> tuple[Position, str]:
    """Return the line of the intent that a packet is about, and what stands there."""
    realm = _realm(fabric, found.start)
    service = intent.provider.services.get(_service(intent, plan, realm, found) or "")
    tenant = intent.tenants.get(realm.name) if realm.kind is RealmKind.TENANT else None
    if tenant is None:
        if service is not None:
            return service.internet_position, f"service {service.name} is published here"
        return intent.provider.position, f"provider {intent.provider.name}"
    if found.what in _BY_SOURCE:
        return _network(tenant, found.source)
    for subscription in tenant.subscriptions:
        if service is not None and subscription.service == service.name:
            return subscription.position, f"tenant {tenant.name} uses {service.name}"
    return tenant.position, f"tenant {tenant.name}"


def _network(tenant: Tenant, source: int) -> tuple[Position, str]:
    here = Address(tenant.realm, IPv4Address(source))
    network = next((each for each in tenant.networks if here in each.prefix), None)
    if network is None:
        return tenant.position, f"tenant {tenant.name}, which has no network with {here.ip}"
    return network.position, f"tenant {tenant.name} uses {network.prefix.network}"
