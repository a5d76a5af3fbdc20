"""Whoever a difference does not touch sends and receives the same packets after a change: walked, before and after.

The walk knows nothing of how the difference is found: it follows single packets through both fabrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.errors import Severity
from farshore.fabric.model import EndSystem, Fabric
from farshore.fabric.names import INTERNET_HOST, NodeName
from farshore.intent.load import collisions, load_text
from farshore.intent.model import DesignName, Host, Intent, Mode, Network, Reach, Service, Tenant
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.proof.change import Difference, Side, difference
from farshore.proof.prove import prove
from farshore.realm import LAKE, PROVIDER, Address, RealmKind
from farshore.semantics.packet import Packet
from farshore.walk.tell.journey import Probe, walk
from strategies import mixed_intents

SSH, WEB = Port(Protocol.TCP, 22), Port(Protocol.TCP, 80)

# By sender, target and port: the packet as it is sent, as it arrives, and its reply as it comes back.
Seen = dict[tuple[str, str, Port], tuple[object, ...]]


def sides(old: Intent, new: Intent) -> tuple[tuple[Plan, Fabric], tuple[Plan, Fabric], Difference]:
    both = []
    for intent in (old, new):
        plan = allocate(intent).plan
        assert plan is not None
        fabric = build(intent, plan)
        both.append((plan, fabric, Side(intent, plan, prove(intent, plan, fabric))))
    (before, was, one), (after, now, other) = both
    return (before, was), (after, now), difference(one, other)


# --- the judge: every packet of a tenant, walked ------------------------------------------------------


def of_tenant(intent: Intent, plan: Plan, fabric: Fabric, name: str, names: frozenset[NodeName]) -> Seen:
    """Walk everything between the hosts of a tenant and services, and what the provider's hosts call of it."""
    hosts = [node for node in fabric.end_systems if node.address.realm.name == name and node.name in names]
    seen: Seen = {}
    for host in hosts:
        for service in intent.provider.services.values():
            presented = plan.tenants[name].presents.get(service.name)
            for port in (*service.ports, SSH):
                destination = presented or Address(host.address.realm, plan.services[service.name].lake.ip)
                if presented is not None:
                    probe = Probe(host.name, service.name, destination, port)
                    seen[host.name, service.name, port] = walked(fabric, probe)
        for caller in fabric.end_systems:
            if caller.address.realm.kind is not RealmKind.PROVIDER or caller.name not in names:
                continue
            for dialled in dialled_by(plan, name, host.address):
                for port in (*intent.reached(name), SSH):
                    seen[caller.name, host.name, port] = walked(fabric, Probe(caller.name, host.name, dialled, port))
    # What does not arrive is the same whatever it was tried with.
    return {what: ends for what, ends in seen.items() if ends}


def dialled_by(plan: Plan, tenant: str, host: Address) -> Iterator[Address]:
    for source in plan.tenants[tenant].sources:
        for translation in source.translations:
            if source.mode is not Mode.POOL and host in translation.inside:
                lake = translation.outward(host)  # type: ignore[union-attr]
                onward = (t.outward(lake) for t in source.provider_translations if lake in t.inside)
                yield next(onward, Address(LAKE, lake.ip))


def walked(fabric: Fabric, probe: Probe) -> tuple[object, ...]:
    """Return a packet at both ends, and its reply; nothing where these do not arrive."""
    found = walk(fabric, None, probe)
    if not found.delivered:
        return ()
    request, *replies = found.traces
    ends = [header(request.hops[0].packet), header(request.last_packet)]
    return (*ends, *(header(reply.last_packet) for reply in replies))


def header(packet: Packet) -> tuple[object, ...]:
    return packet.source, packet.source_port, packet.destination, packet.destination_port


def of_internet(intent: Intent, fabric: Fabric) -> Seen:
    if INTERNET_HOST not in fabric.nodes:
        return {}
    return {
        (INTERNET_HOST, service.name, port): walked(fabric, Probe(INTERNET_HOST, service.name, service.internet, port))
        for service in intent.provider.services.values()
        if service.internet is not None
        for port in service.ports
    }


def assert_true(old: Intent, new: Intent) -> Difference:
    """Assert that all whom the difference does not touch have the very same packets on both sides."""
    (before, was), (after, now), found = sides(old, new)
    names = frozenset(node.name for node in was.end_systems) & frozenset(node.name for node in now.end_systems)
    for tenant in found.untouched:
        packets = [of_tenant(i, p, f, tenant, names) for i, p, f in ((old, before, was), (new, after, now))]
        assert packets[0] == packets[1], tenant
        assert [old.tenants[tenant].sessions, old.tenants[tenant].rate] == [
            new.tenants[tenant].sessions,
            new.tenants[tenant].rate,
        ]
    for only in (*old.tenants, *new.tenants):
        others = frozenset({*old.tenants, *new.tenants}) - {only}
        if not found.outside(only):
            assert others <= set(found.untouched)
            assert of_internet(old, was) == of_internet(new, now)
    return found


# --- random changes -----------------------------------------------------------------------------------

Change = Callable[[st.DrawFn, Intent], Intent]


def of_some_tenant(draw: st.DrawFn, intent: Intent, change: Callable[[st.DrawFn, Intent, Tenant], Tenant]) -> Intent:
    name = draw(st.sampled_from(sorted(intent.tenants)))
    return replace(intent, tenants={**intent.tenants, name: change(draw, intent, intent.tenants[name])})


def other_order(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    return replace(tenant, hosts=tuple(draw(st.permutations(tenant.hosts))))


def one_more_host(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    network = draw(st.sampled_from(tenant.networks)).prefix.network
    address = Address(tenant.realm, network.network_address + draw(st.integers(1, max(network.num_addresses - 2, 1))))
    if any(host.address == address for host in tenant.hosts):
        return tenant
    return replace(tenant, hosts=(*tenant.hosts, Host("newcomer", address)))


def one_host_less(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    gone = draw(st.sampled_from(tenant.hosts or (None,)))
    return replace(tenant, hosts=tuple(host for host in tenant.hosts if host is not gone))


def one_service_less(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    gone = draw(st.sampled_from(tenant.subscriptions or (None,)))
    return replace(tenant, subscriptions=tuple(each for each in tenant.subscriptions if each is not gone))


def other_modes(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    def changed(network: Network) -> Network:
        mode = draw(st.sampled_from([Mode.PREFIX, Mode.HOST, Mode.POOL]))
        return replace(network, mode=mode, pool_size=draw(st.integers(4, 8)) if mode is Mode.POOL else 0)

    return replace(tenant, networks=tuple(map(changed, tenant.networks)))


def other_limits(draw: st.DrawFn, _: Intent, tenant: Tenant) -> Tenant:
    return replace(tenant, sessions=draw(st.none() | st.integers(1, 9)), rate=draw(st.none() | st.integers(1, 9)))


def other_tenants(draw: st.DrawFn, intent: Intent) -> Intent:
    kept = draw(st.permutations(sorted(intent.tenants)))[draw(st.integers(0, 1)) :]
    provider = replace(intent.provider, reaches=tuple(r for r in intent.provider.reaches if r.tenant in kept))
    return replace(intent, provider=provider, tenants={name: intent.tenants[name] for name in kept})


def other_calls(draw: st.DrawFn, intent: Intent) -> Intent:
    names = sorted(filter(partial(may_be_called, intent), intent.tenants))
    if not names:
        return intent
    reaches = st.lists(st.sampled_from(names), unique=True, max_size=3)
    ports = st.lists(st.sampled_from([SSH, WEB, Port(Protocol.ICMP)]), min_size=1, max_size=2, unique=True)
    chosen = tuple(Reach(name, tuple(draw(ports))) for name in draw(reaches))
    return replace(intent, provider=replace(intent.provider, reaches=chosen))


def may_be_called(intent: Intent, name: str) -> bool:
    pooled = any(network.mode is Mode.POOL for network in intent.tenants[name].networks)
    return intent.design_of(name) is DesignName.LAKE and not pooled


def other_callers(draw: st.DrawFn, intent: Intent) -> Intent:
    own = [Host(f"caller-{n}", Address(PROVIDER, IPv4Address("10.1.1.100") + n)) for n in range(3)]
    hosts = draw(st.permutations(own))[: draw(st.integers(0, 3))]
    return replace(intent, provider=replace(intent.provider, hosts=tuple(hosts)))


def other_services(draw: st.DrawFn, intent: Intent) -> Intent:
    services: Mapping[str, Service] = intent.provider.services
    order = draw(st.permutations(sorted(services)))
    changed: dict[str, Any] = {"address": Address(PROVIDER, IPv4Address("10.1.1.77"))}
    changed = draw(st.sampled_from([changed, {"ports": (WEB,)}, {}]))
    first = order[0]
    return replace(
        intent,
        provider=replace(
            intent.provider,
            services={n: replace(services[n], **changed) if n == first else services[n] for n in order},
        ),
    )


CHANGES: Mapping[str, Change] = {
    each.__name__: partial(of_some_tenant, change=each)
    for each in (other_order, one_more_host, one_host_less, one_service_less, other_modes, other_limits)
} | {each.__name__: each for each in (other_tenants, other_calls, other_callers, other_services)}


@st.composite
def changes(draw: st.DrawFn) -> tuple[Intent, Intent]:
    """Draw an intent, and the same after one or two changes that keep the rules of the checker and fit."""
    old = new = draw(mixed_intents(most_tenants=3, fewest=2))
    for name in draw(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=2, unique=True)):
        changed = CHANGES[name](draw, new)
        if not any(each.severity is Severity.ERROR for each in collisions(changed)) and allocate(changed).plan:
            new = changed
    return old, new


@given(changes())
@settings(max_examples=100, deadline=None)
def test_whoever_is_not_touched_has_the_same_packets(pair: tuple[Intent, Intent]) -> None:
    assert_true(*pair)


@given(mixed_intents(most_tenants=3))
@settings(max_examples=10, deadline=None)
def test_no_change_touches_none(intent: Intent) -> None:
    found = assert_true(intent, intent)
    assert found.effects == ()
    assert found.untouched == tuple(intent.tenants)
    assert (found.devices.added, found.devices.changed, found.devices.removed) == ((), (), ())


def test_the_judge_sees_what_differs() -> None:
    """A judge that compared nothing would find everything true."""
    (old, new) = (with_host(at) for at in ("10.0.0.1", "10.0.0.9"))
    (before, was), (after, now), _ = sides(old, new)
    names = frozenset(node.name for node in was.end_systems)
    assert of_tenant(old, before, was, "a", names) != of_tenant(new, after, now, "a", names)
    assert any(isinstance(was.nodes[name], EndSystem) for name in names)


def test_whoever_uses_a_service_that_moves_is_touched() -> None:
    old = load_text(TWO.format(address="10.1.1.1", identity=""), "intent.yaml").intent
    assert old is not None
    for address, identity in (("10.1.1.7", ""), ("10.1.1.1", ", proxy-protocol: v2")):
        new = load_text(TWO.format(address=address, identity=identity), "intent.yaml").intent
        assert new is not None
        found = assert_true(old, new)
        assert (found.touched, found.untouched) == (("user",), ("other",))


TWO = """version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {{address: {address}, ports: [tcp/443], design: appliance{identity}}}
    dns: {{address: 10.1.1.53, ports: [udp/53]}}
tenants:
  user: {{networks: [10.0.0.0/24], presents: 10.2.2.0/28, services: [portal]}}
  other: {{networks: [10.0.0.0/24], presents: 10.2.2.0/28, services: [dns]}}
"""


def with_host(address: str) -> Intent:
    text = f"""version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services: {{portal: {{address: 10.1.1.1, ports: [tcp/443]}}}}
tenants:
  a: {{networks: [10.0.0.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {{h: {address}}}}}
"""
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    return intent
