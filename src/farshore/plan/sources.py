"""How the hosts of one tenant network appear in the lake: the modes prefix, host and pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.fix import Choice, Fix
from farshore.intent.model import Host, Mode, Network, Tenant
from farshore.intent.source_modes import write_sources
from farshore.plan.blocks import Blocks, aligned_parts, power_at_least, prefix_length
from farshore.plan.model import SourcePlan
from farshore.realm import LAKE, PROVIDER, Address, Prefix, Realm
from farshore.translation import POOL_PORTS, BasicNat, PortBlockNapt, SourceTranslation

# Fewer ports than these are too few for a host: one web page opens dozens of connections.
LEAST_PORTS_PER_HOST = 64
MOST_HOSTS_PER_ADDRESS = POOL_PORTS // LEAST_PORTS_PER_HOST


@dataclass(frozen=True, slots=True)
class Demand:
    """The lake addresses that one tenant network needs for its hosts.

    The block that is reserved for them is the next power of two. ``needed`` is 0 only in mode ``host``
    without hosts. ``hosts`` are the named ones inside this network. ``called`` tells that the provider calls the
    tenant's hosts, which no pool allows.
    """

    tenant: str
    network: Network
    hosts: tuple[Host, ...]
    needed: int
    called: bool = False


def demand(tenant: Tenant, network: Network, *, called: bool = False) -> Demand:
    """Return the lake addresses that a network of a tenant needs: for a pool at least as many as it has to have."""
    hosts = hosts_inside(network, tenant.hosts)
    pool = sufficient_pool(network)
    network = network if pool == network.pool_size else replace(network, pool_size=pool)
    return Demand(tenant.name, network, hosts, _addresses_needed(network, hosts), called)


def sufficient_pool(network: Network) -> int:
    """Return the size of a network's pool, or of the smallest one with enough ports for each host; 0 without one."""
    if network.mode is not Mode.POOL:
        return 0
    return max(network.pool_size, smallest_pool(network.prefix.network.num_addresses))


def hosts_inside(network: Network, hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Return the named hosts of a tenant that are in one of its networks, in file order."""
    return tuple(host for host in hosts if host.address in network.prefix)


def reserved(needed: int) -> tuple[int, ...]:
    """Return the size of the lake block for so many addresses: one block, or none."""
    return (power_at_least(needed),) if needed else ()


def visible(needed: int) -> tuple[int, ...]:
    """Return the sizes of the prefixes that make up the first so many addresses of a block."""
    return tuple(size for _, size in aligned_parts(0, needed))


def smallest_pool(size: int) -> int:
    """Return the fewest pool addresses that leave each of so many hosts enough ports."""
    return -(-size // MOST_HOSTS_PER_ADDRESS)


def plan_source(demand: Demand, lake_blocks: Blocks) -> SourcePlan | None:
    """Take a lake block for one network; None when the lake has no room for it."""
    network = demand.network
    if not demand.needed:
        return SourcePlan(network.prefix, network.mode, (), (), ())
    start = lake_blocks.take(power_at_least(demand.needed))
    if start is None:
        return None
    lake = tuple(_prefix(LAKE, part_start, size) for part_start, size in aligned_parts(start, demand.needed))
    return SourcePlan(network.prefix, network.mode, lake, _translations(demand, start, lake), ())


def translate_onward(lake: tuple[Prefix, ...], provider_blocks: Blocks) -> tuple[BasicNat, ...]:
    """Take a provider block for each lake block. There must be room: see ``capacity.source_room``."""
    return tuple(BasicNat(prefix, _onward(prefix, provider_blocks)) for prefix in lake)


def leaves_few_ports(network: Network) -> bool:
    """Tell whether a network has a pool that leaves each of its hosts too few ports."""
    return network.mode is Mode.POOL and network.pool_size < smallest_pool(network.prefix.network.num_addresses)


def pool_diagnostic(file: str, tenant: Tenant, network: Network, good: Sequence[Network]) -> Diagnostic:
    """Return what is wrong with such a pool. ``good`` are all networks of the tenant with modes that they may have."""
    size = network.prefix.network.num_addresses
    _, ports = port_blocks(size, network.pool_size)
    problem = (
        f"tenant {tenant.name}: pool of {network.pool_size} leaves {ports} ports to each of the {size:,} addresses"
        f" of {network.prefix.network}, and a host needs {LEAST_PORTS_PER_HOST}"
    )
    fix = Fix((Choice("write sources: {}", (write_sources(tenant, good),)),))
    return Diagnostic(file, network.mode_position, DiagnosticCode.TOO_FEW_PORTS, problem, fix)


def port_blocks(size: int, pool_size: int) -> tuple[int, int]:
    """Return how many hosts share one pool address, and how many ports each of them has."""
    hosts_per_address = -(-size // pool_size)
    return hosts_per_address, POOL_PORTS // hosts_per_address


def _addresses_needed(network: Network, hosts: Sequence[Host]) -> int:
    match network.mode:
        case Mode.PREFIX:
            return network.prefix.network.num_addresses
        case Mode.POOL:
            return network.pool_size
        case Mode.HOST:
            return power_at_least(len(hosts)) if hosts else 0


def _translations(demand: Demand, start: int, lake: tuple[Prefix, ...]) -> tuple[SourceTranslation, ...]:
    inside = demand.network.prefix
    match demand.network.mode:
        case Mode.PREFIX:
            return (BasicNat(inside, lake[0]),)
        case Mode.POOL:
            pool = demand.network.pool_size
            hosts_per_address, ports = port_blocks(inside.network.num_addresses, pool)
            first = Address(LAKE, IPv4Address(start))
            return (PortBlockNapt(inside, first, pool, hosts_per_address, ports),)
        case Mode.HOST:
            return tuple(
                BasicNat(Prefix.of(host.address), _prefix(LAKE, start + index, 1))
                for index, host in enumerate(demand.hosts)
            )


def _onward(prefix: Prefix, provider_blocks: Blocks) -> Prefix:
    start = provider_blocks.take(prefix.network.num_addresses)
    if start is None:
        raise ValueError(f"no room in the provider's source for {prefix}")
    return _prefix(PROVIDER, start, prefix.network.num_addresses)


def _prefix(realm: Realm, start: int, size: int) -> Prefix:
    return Prefix(realm, IPv4Network((start, prefix_length(size))))
