"""Values for property tests: realms, addresses, prefixes, translations, whole intents, single boxes and packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from hypothesis import strategies as st

from farshore.caller_identity import ProxyProtocol, SignedHeader
from farshore.fabric.model import (
    Device,
    Direction,
    Front,
    Guard,
    Interface,
    NodeKind,
    Permit,
    Policy,
    Proxy,
    Route,
)
from farshore.fabric.names import NodeName
from farshore.intent.model import (
    DesignName,
    Host,
    Intent,
    Mode,
    Network,
    Provider,
    Reach,
    Service,
    Subscription,
    Tenant,
)
from farshore.port import Port, Protocol
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Prefix, Realm, tenant_realm
from farshore.semantics.packet import Packet
from farshore.translation import POOL_PORTS, BasicNat, PortBlockNapt

LEAST_PORTS = 64
FILE = "intent.yaml"
# Six tenants with three networks of up to 4,096 addresses each fit into these.
ROOMY_LAKES = st.integers(10, 14)
ROOMY_SOURCES: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(
    [(), ("10.250.0.0/15",), ("10.250.0.0/24", "10.240.0.0/15", "10.248.0.0/20")]
)

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
tenant_realms = names.filter(lambda name: name not in {"provider", "lake", "internet"}).map(tenant_realm)
realms = st.sampled_from([PROVIDER, LAKE, INTERNET]) | tenant_realms
ports = st.builds(Port, st.sampled_from([Protocol.TCP, Protocol.UDP]), st.integers(1, 65535)) | st.just(
    Port(Protocol.ICMP)
)


def networks(shortest: int = 8, longest: int = 32) -> st.SearchStrategy[IPv4Network]:
    """Return networks anywhere, of these prefix lengths."""
    return st.integers(shortest, longest).flatmap(
        lambda length: st.integers(0, (1 << length) - 1).map(
            lambda number: IPv4Network((number << (32 - length), length))
        )
    )


def addresses(of: st.SearchStrategy[Realm] = realms) -> st.SearchStrategy[Address]:
    """Return addresses of these realms."""
    return st.builds(Address, of, st.integers(0, 2**32 - 1).map(IPv4Address))


def prefixes(of: st.SearchStrategy[Realm] = realms, shortest: int = 8, longest: int = 32) -> st.SearchStrategy[Prefix]:
    """Return prefixes of these realms and lengths."""
    return st.builds(Prefix, of, networks(shortest, longest))


def addresses_in(prefix: Prefix) -> st.SearchStrategy[Address]:
    """Return addresses inside a prefix."""
    network = prefix.network
    return st.integers(0, network.num_addresses - 1).map(
        lambda offset: Address(prefix.realm, network.network_address + offset)
    )


@st.composite
def basic_nats(draw: st.DrawFn) -> BasicNat:
    """Draw a basic NAT between a tenant and the lake."""
    inside = draw(prefixes(tenant_realms))
    length = inside.network.prefixlen
    return BasicNat(inside, draw(prefixes(st.just(LAKE), length, length)))


@st.composite
def port_block_napts(draw: st.DrawFn) -> PortBlockNapt:
    """Draw a NAPT with a pool that leaves every host some ports."""
    inside = draw(prefixes(tenant_realms, shortest=16))
    size = inside.network.num_addresses
    pool = draw(st.integers(-(-size * LEAST_PORTS // POOL_PORTS), size))
    first = draw(st.integers(0, 2**32 - pool))
    hosts_per_address = -(-size // pool)
    block_size = POOL_PORTS // hosts_per_address
    return PortBlockNapt(inside, Address(LAKE, IPv4Address(first)), pool, hosts_per_address, block_size)


def _place_apart(lengths: list[int], start: int) -> list[IPv4Network]:
    """Return networks of these lengths, one behind the other."""
    placed = []
    for length in lengths:
        size = 1 << (32 - length)
        start = -(-start // size) * size
        placed.append(IPv4Network((start, length)))
        start += size
    return placed


@st.composite
def tenants(draw: st.DrawFn, name: str, service_names: list[str], longest: int = 30) -> Tenant:
    """Draw a tenant; its networks do not overlap, its range lies outside them and is large enough."""
    realm = tenant_realm(name)
    lengths = draw(st.lists(st.integers(20, longest), min_size=1, max_size=3))
    drawn = []
    hosts: list[Host] = []
    for network in _place_apart(lengths, int(IPv4Address("10.0.0.0"))):
        prefix = Prefix(realm, network)
        mode = draw(st.sampled_from(list(Mode)))
        size = network.num_addresses
        pool = draw(st.integers(-(-size // (POOL_PORTS // LEAST_PORTS)), size)) if mode is Mode.POOL else 0
        drawn.append(Network(prefix, mode, pool))
        inside = draw(st.lists(addresses_in(prefix), max_size=5, unique=True))
        hosts += [Host(f"host-{len(hosts) + number}", address) for number, address in enumerate(inside)]
    presents = Prefix(realm, IPv4Network("172.20.0.0/28"))
    used = draw(st.lists(st.sampled_from(service_names), unique=True)) if service_names else []
    usable = list(presents.network.hosts())
    pins = draw(st.lists(st.sampled_from(usable), unique=True, max_size=len(used)))
    pinned = [Address(realm, ip) for ip in pins] + [None] * (len(used) - len(pins))
    subscriptions = tuple(
        Subscription(service, presented) for service, presented in zip(used, draw(st.permutations(pinned)), strict=True)
    )
    return Tenant(name, realm, tuple(drawn), presents, subscriptions, tuple(hosts))


@st.composite
def intents(
    draw: st.DrawFn,
    lake_lengths: st.SearchStrategy[int] = ROOMY_LAKES,
    most_tenants: int = 6,
    sources: st.SearchStrategy[tuple[str, ...]] = ROOMY_SOURCES,
    fewest: int = 0,
) -> Intent:
    """Draw an intent that keeps the rules of the intent checker, and fits unless the lake is made small.

    There are at least ``fewest`` tenants and services.
    """
    service_names = [f"service-{number}" for number in range(draw(st.integers(fewest, 8)))]
    services = {
        name: Service(name, Address(PROVIDER, IPv4Address("10.1.1.1") + number), (draw(ports),))
        for number, name in enumerate(service_names)
    }
    lake = Prefix(LAKE, IPv4Network(("100.64.0.0", draw(lake_lengths))))
    provider = Provider(
        "acme",
        (Prefix(PROVIDER, IPv4Network("10.1.1.0/24")),),
        lake,
        tuple(Prefix(PROVIDER, IPv4Network(source)) for source in draw(sources)),
        services,
    )
    tenant_names = [f"tenant-{number}" for number in range(draw(st.integers(fewest, most_tenants)))]
    return Intent(FILE, provider, {name: draw(tenants(name, service_names)) for name in tenant_names})


@st.composite
def mixed_intents(draw: st.DrawFn, most_tenants: int = 6, fewest: int = 0) -> Intent:
    """Draw an intent with limits, with designs of its own for tenants and services, and with calls from the provider.

    It keeps the rules of the intent checker, what each design can carry among them.
    """
    plain = draw(intents(most_tenants=most_tenants, fewest=fewest))
    own = draw(st.sampled_from(DesignName))
    services = {name: draw(_designed(service)) for name, service in plain.provider.services.items()}
    carried = {
        name: replace(
            tenant,
            presents=Prefix(tenant.realm, IPv4Network("172.20.0.0/27")),
            sessions=draw(st.none() | st.integers(1, 100_000)),
            rate=draw(st.none() | st.integers(1, 100_000)),
            design=draw(st.none() | st.sampled_from(DesignName)),
        )
        for name, tenant in plain.tenants.items()
    }
    tenants_able = {
        name: replace(tenant, subscriptions=_carried(tenant, services, tenant.design or own))
        for name, tenant in carried.items()
    }
    callable_by_address = [
        name
        for name, tenant in tenants_able.items()
        if (tenant.design or own) is DesignName.LAKE and all(n.mode is not Mode.POOL for n in tenant.networks)
    ]
    hosts = tuple(
        Host(f"caller-{number}", Address(PROVIDER, IPv4Address("10.1.1.100") + number))
        for number in range(draw(st.sampled_from([0, 0, 1, 3])))
    )
    provider = replace(plain.provider, services=services, hosts=hosts, reaches=draw(_reaches(callable_by_address)))
    return replace(plain, provider=provider, tenants=tenants_able, design=own)


def _designed(service: Service) -> st.SearchStrategy[Service]:
    """Return a service as it is or, with TCP alone, carried by the appliance, perhaps with the caller's identity."""
    if any(port.protocol is not Protocol.TCP for port in service.ports):
        return st.just(service)
    identities = st.sampled_from([None, ProxyProtocol(), SignedHeader("portal.key")])
    by_proxy = identities.map(lambda how: replace(service, design=DesignName.APPLIANCE, caller_identity=how))
    return st.just(service) | by_proxy


def _carried(tenant: Tenant, services: dict[str, Service], design: DesignName) -> tuple[Subscription, ...]:
    """Return the services of a tenant that its design, or their own, can carry."""
    if design is not DesignName.APPLIANCE:
        return tenant.subscriptions
    return tuple(s for s in tenant.subscriptions if services[s.service].ports[0].protocol is Protocol.TCP)


def _reaches(callable_by_address: Sequence[str]) -> st.SearchStrategy[tuple[Reach, ...]]:
    if not callable_by_address:
        return st.just(())
    some_ports = st.lists(ports, min_size=1, max_size=2, unique=True).map(tuple)
    reached = st.lists(st.sampled_from(callable_by_address), unique=True, max_size=3)
    return reached.flatmap(lambda those: st.tuples(*(st.builds(Reach, st.just(name), some_ports) for name in those)))


# --- boxes by themselves -------------------------------------------------------------------------------

# Few addresses, few ports and few realms: random rules and random packets often meet.
NARROW = IPv4Network("10.0.0.0/26")
TENANT_A, TENANT_B = tenant_realm("customer-a"), tenant_realm("customer-b")
_BOX_REALMS = st.sampled_from([TENANT_A, TENANT_B, LAKE, PROVIDER])
_LENGTHS = st.sampled_from([26, 26, 26, 27, 28, 29, 30, 32])
BOX_PORTS = (Port(Protocol.TCP, 80), Port(Protocol.TCP, 443), Port(Protocol.UDP, 443), Port(Protocol.ICMP))


@st.composite
def narrow_prefixes(draw: st.DrawFn, of: st.SearchStrategy[Realm], length: int | None = None) -> Prefix:
    """Draw a prefix of the narrow network, often all of it."""
    size = draw(_LENGTHS) if length is None else length
    number = draw(st.integers(0, (1 << (size - NARROW.prefixlen)) - 1))
    return Prefix(draw(of), IPv4Network((int(NARROW.network_address) + (number << (32 - size)), size)))


@st.composite
def _narrow_nats(draw: st.DrawFn, inside: st.SearchStrategy[Realm], outside: st.SearchStrategy[Realm]) -> BasicNat:
    prefix = draw(narrow_prefixes(inside))
    return BasicNat(prefix, draw(narrow_prefixes(outside, prefix.network.prefixlen)))


@st.composite
def _narrow_napts(
    draw: st.DrawFn, inside: st.SearchStrategy[Realm], outside: st.SearchStrategy[Realm]
) -> PortBlockNapt:
    prefix = draw(narrow_prefixes(inside))
    size = prefix.network.num_addresses
    pool = draw(st.integers(1, size))
    first = draw(narrow_prefixes(outside, 32))
    shared = -(-size // pool)
    return PortBlockNapt(
        prefix, Address(first.realm, first.network.network_address), pool, shared, POOL_PORTS // shared
    )


@st.composite
def _permits(draw: st.DrawFn, entered: st.SearchStrategy[Realm], leaves: st.SearchStrategy[Realm]) -> Permit:
    destination = draw(narrow_prefixes(entered))
    egress = draw(leaves)
    translated = draw(narrow_prefixes(st.just(egress), destination.network.prefixlen))
    return Permit(destination.realm, egress, destination, translated, draw(st.sampled_from(BOX_PORTS)), "service")


@st.composite
def boxes(draw: st.DrawFn, ends_in: tuple[Realm, ...] = (), *, napt: bool = True) -> Device:
    """Draw a device of any sense or none: what a design would never build, the stages must still agree on.

    The first interfaces are in the realms given. Most rules lead from the first to the second, so that packets
    get through. Without ``napt`` it translates addresses alone.
    """
    more = draw(st.lists(_BOX_REALMS, min_size=max(0, 2 - len(ends_in)), max_size=3))
    ends = tuple(Interface(f"if{number}", realm) for number, realm in enumerate((*ends_in, *more)))
    realm = st.sampled_from([end.realm for end in ends])
    entered, leaves = st.just(ends[0].realm) | realm, st.just(ends[1].realm) | realm
    nats = _narrow_nats(entered, leaves)
    sources = _narrow_napts(entered, leaves) | nats if napt else nats
    out = st.sampled_from([ends[1].name] * 4 + [end.name for end in ends] + [None])
    routes = st.builds(Route, narrow_prefixes(leaves), out)
    wide = st.lists(narrow_prefixes(realm), min_size=1, max_size=3).map(tuple)
    guards = st.builds(Guard, st.sampled_from([end.name for end in ends]), st.sampled_from(Direction), wide, wide)
    policy = st.builds(Policy, st.lists(_permits(entered, leaves), min_size=1, max_size=24).map(tuple))
    return Device(
        NodeName("box"),
        NodeKind.NAT,
        ends,
        tuple(draw(st.lists(routes, min_size=1, max_size=5))),
        destination_nat=tuple(draw(st.lists(nats, max_size=4))),
        source_nat=tuple(draw(st.lists(sources, max_size=4))),
        guards=tuple(draw(st.lists(guards, max_size=2))),
        policy=draw(policy) if draw(st.integers(0, 7)) else None,
        last_hop=draw(st.booleans()),
    )


@st.composite
def proxies(draw: st.DrawFn) -> Proxy:
    """Draw a proxy with fronts of which some stand in each other's way."""
    ends = (Interface("if0", TENANT_A), Interface("if1", TENANT_B), Interface("if2", PROVIDER))
    ingress = st.sampled_from([TENANT_A, TENANT_B])
    single = st.integers(0, 3).map(lambda n: NARROW.network_address + n)
    fronts = st.builds(
        lambda realm, presented, port, server, own, sources: Front(
            realm, Address(realm, presented), port, Address(PROVIDER, server), Address(PROVIDER, own), "s", sources
        ),
        ingress,
        single,
        st.sampled_from([port for port in BOX_PORTS if port.protocol is Protocol.TCP]),
        single,
        single,
        st.lists(narrow_prefixes(ingress), min_size=1, max_size=3).map(tuple),
    )
    return Proxy(NodeName("proxy"), ends, tuple(draw(st.lists(fronts, min_size=4, max_size=8))))


@st.composite
def narrow_packets(draw: st.DrawFn, realm: Realm) -> Packet:
    """Draw a packet on a wire of a realm, between addresses of the narrow network or just beyond it."""
    ip = st.integers(int(NARROW.network_address) - 1, int(NARROW.broadcast_address) + 1).map(IPv4Address)
    few = st.integers(0, 3).map(lambda n: NARROW.network_address + n)
    port = draw(st.sampled_from([*BOX_PORTS * 3, Port(Protocol.TCP, 1), Port(Protocol.UDP, 80)]))
    near = draw(st.integers(1, 65535))
    far = near if port.protocol is Protocol.ICMP else port.number
    return Packet(port.protocol, Address(realm, draw(ip | few)), Address(realm, draw(ip | few)), near, far)
