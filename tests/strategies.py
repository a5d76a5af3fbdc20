"""Values for property tests: realms, addresses, prefixes, translations and whole intents."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import strategies as st

from farshore.intent.model import Host, Intent, Mode, Network, Provider, Service, Subscription, Tenant
from farshore.port import Port, Protocol
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Prefix, Realm, tenant_realm
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
    """Draw a NAPT whose pool leaves every host some ports."""
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
) -> Intent:
    """Draw an intent that keeps the rules of the intent checker, and fits unless the lake is made small."""
    service_names = [f"service-{number}" for number in range(draw(st.integers(0, 8)))]
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
    tenant_names = [f"tenant-{number}" for number in range(draw(st.integers(0, most_tenants)))]
    return Intent(FILE, provider, {name: draw(tenants(name, service_names)) for name in tenant_names})
