"""``TENANT/HOST`` and ``SERVICE[:PORT]`` of a walk as a probe; the nearest names for unknown ones."""

from __future__ import annotations

from farshore.comparison.compare import called
from farshore.errors import UsageError
from farshore.fabric.model import EndSystem, Fabric, NodeKind
from farshore.fabric.names import INTERNET_HOST, NodeName
from farshore.intent.model import Intent, Service
from farshore.lookup import find, unknown
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.realm import PROVIDER, Address, RealmKind
from farshore.walk.tell.journey import Probe

_LAST_PORT = 65535
_SSH = 22


def probe(intent: Intent, plan: Plan, fabric: Fabric, origin: str, target: str) -> Probe:
    """Return the probe from a host to a service and port.

    Where the service is not presented to the host, it is one to the service's lake address: a valid question.
    A host of the provider calls a tenant's host, whether it may or not.

    Raises:
        UsageError: There is no such host or service, or this is not how a port is written.
    """
    name, colon, port_text = target.partition(":")
    asked = NodeName.parse(origin)
    if asked is not None and asked.owner == PROVIDER.name:
        return _call(intent, plan, fabric, asked, (name, port_text))
    host = _host(intent, fabric, origin)
    there = NodeName.parse(name)
    if there is not None and there.owner in intent.tenants:
        raise UsageError(
            f"--to {target}: a host of tenant {there.owner} is reached from its own network and, where reaches of the"
            f" provider says so, by the provider's hosts; no key permits it from {origin}"
        )
    service = find(intent.provider.services, name, "service")
    port = _port(port_text, service.name, service.ports) if colon else service.ports[0]
    presented = _presented(plan, host, service)
    if presented is not None:
        return Probe(host.name, name, presented, port)
    unknown_there = Address(host.address.realm, plan.services[name].lake.ip)
    return Probe(host.name, name, unknown_there, port, presented=False)


def _call(intent: Intent, plan: Plan, fabric: Fabric, origin: NodeName, asked: tuple[str, str]) -> Probe:
    """Return what a host or a service of the provider asks of a tenant's host, and of which port."""
    target, port_text = asked
    caller = fabric.nodes.get(origin)
    own = [*intent.provider.services, *(host.name for host in intent.provider.hosts)]
    if not isinstance(caller, EndSystem):
        raise UsageError(unknown("host or service", origin.local, own, "provider"))
    called_name = NodeName.parse(target)
    if called_name is None or called_name.owner not in intent.tenants:
        known = [node.name for node in fabric.end_systems if node.address.realm.kind is RealmKind.TENANT]
        raise UsageError(f"--to {target}: not a host of a tenant; write one such as {known[0]}:tcp/22")
    host = _host(intent, fabric, target)
    ports = intent.reached(called_name.owner) or (Port(Protocol.TCP, _SSH),)
    port = _port(port_text, target, ports) if port_text else ports[0]
    dialled = called(plan, fabric, host)
    if dialled is None:
        raise UsageError(
            f"--to {target}: the host has no lake address of its own; give its network the mode prefix or host"
        )
    return Probe(caller.name, host.name, dialled, port)


def _host(intent: Intent, fabric: Fabric, origin: str) -> EndSystem:
    asked = NodeName(origin)
    node = fabric.nodes.get(asked)
    if isinstance(node, EndSystem) and node.kind is NodeKind.HOST:
        return node
    owner, name = asked.owner, asked.local
    if origin == INTERNET_HOST:
        raise UsageError(f"--from {origin}: no service is published to the Internet; write internet: at a service")
    known = (*intent.tenants, *(("internet",) if INTERNET_HOST in fabric.nodes else ()))
    if owner not in known:
        raise UsageError(unknown("tenant", owner, known))
    hosts = [] if owner == "internet" else [host.name for host in intent.tenants[owner].hosts]
    raise UsageError(unknown("host", name, hosts or ["host"], owner))


def _presented(plan: Plan, host: EndSystem, service: Service) -> Address | None:
    """Return the address by which a host's network knows a service, None where it knows none."""
    if host.name == INTERNET_HOST:
        return service.internet
    return plan.tenants[host.address.realm.name].presents.get(service.name)


def _port(text: str, owner: str, ports: tuple[Port, ...]) -> Port:
    """Read a port. It need not be offered: the walk finds out whether it is dropped."""
    if text == Protocol.ICMP:
        return Port(Protocol.ICMP)
    protocol, slash, number = text.rpartition("/")
    known = (Protocol.TCP, Protocol.UDP)
    good_protocol = protocol in known if slash else True
    if not good_protocol or not _is_number(number) or not 1 <= int(number) <= _LAST_PORT:
        offered = ", ".join(map(str, ports))
        raise UsageError(
            f"{text!r} is not a port; write a number from 1 to {_LAST_PORT}, tcp/NUMBER, udp/NUMBER or icmp; "
            f"{owner} offers {offered}"
        )
    if slash:
        return Port(Protocol(protocol), int(number))
    offers = (port for port in ports if port.number == int(number) and port.protocol in known)
    return next(offers, Port(Protocol.TCP, int(number)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PORT))
