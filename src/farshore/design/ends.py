"""Both ends of a fabric, the same in every design.

At one end are a tenant's hosts behind a router, at the other the provider's services and hosts behind its own, and
the Internet beyond its edge.
"""

from __future__ import annotations

from dataclasses import dataclass

from farshore.design.internet import internet_side, published
from farshore.design.segment import ProviderUplink, Uplink, cable, everywhere, origin
from farshore.fabric import names
from farshore.fabric.model import Device, EndSystem, Interface, Link, Node, NodeKind, Route
from farshore.fabric.names import NodeName
from farshore.intent.model import Host, Intent, Tenant
from farshore.realm import PROVIDER, Address, Prefix


@dataclass(frozen=True, slots=True)
class End:
    """Nodes and links at one end of a fabric."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]


# --- a tenant's end ------------------------------------------------------------------------------------


def tenant_end(tenant: Tenant, intent: Intent, uplinks: tuple[Uplink, ...]) -> End:
    """Build a tenant's hosts and the router that they are behind, which ``uplinks`` join to the designs' boxes."""
    hosts = tenant_hosts(tenant, intent)
    router = _tenant_router(tenant, intent, hosts, uplinks)
    return End(
        (*hosts, router),
        (
            *(cable(h.name, h.interface.name, router.name, names.toward(h.name.local), tenant.realm) for h in hosts),
            *(cable(router.name, u.interface, u.far_end.node, u.far_end.interface, tenant.realm) for u in uplinks),
        ),
    )


def tenant_hosts(tenant: Tenant, intent: Intent) -> tuple[EndSystem, ...]:
    """Return a tenant's named hosts or, where it names none, one that stands for all."""
    listens = intent.reached(tenant.name)
    return tuple(
        EndSystem(
            name=NodeName.of(tenant.name, host.name),
            kind=NodeKind.HOST,
            interface=Interface("wan", tenant.realm),
            address=host.address,
            listens=listens,
            origin=origin(intent, host.position),
        )
        for host in tenant.hosts or (_unnamed_host(tenant),)
    )


def _unnamed_host(tenant: Tenant) -> Host:
    """Return the host of a tenant that names none: it has the first address of the first network."""
    network = tenant.networks[0].prefix.network
    # RFC 3021: in a point-to-point network every address is a host's.
    offset = 0 if network.prefixlen >= network.max_prefixlen - 1 else 1
    address = Address(tenant.realm, network.network_address + offset)
    return Host(names.UNNAMED_HOST, address, tenant.position)


def _tenant_router(tenant: Tenant, intent: Intent, hosts: tuple[EndSystem, ...], uplinks: tuple[Uplink, ...]) -> Device:
    """Build the tenant's WAN router in the provider's data centre. It routes, nothing else.

    What is presented is beyond the first of ``uplinks``, but for what the others answer.
    """
    toward_hosts = {host.name: names.toward(host.name.local) for host in hosts}
    # Where the CE router itself translates, what stands here is the WAN beyond it.
    is_wan = any(uplink.far_end.node == names.ce(tenant.name) for uplink in uplinks)
    return Device(
        name=names.wan(tenant.name) if is_wan else names.ce(tenant.name),
        kind=NodeKind.WAN if is_wan else NodeKind.CE,
        interfaces=(
            *(Interface(name, tenant.realm) for name in toward_hosts.values()),
            *(Interface(uplink.interface, tenant.realm) for uplink in uplinks),
        ),
        routes=(
            *(Route(Prefix.of(host.address), toward_hosts[host.name]) for host in hosts),
            *((Route(tenant.presents, uplinks[0].interface),) if tenant.presents is not None else ()),
            *(Route(prefix, uplink.interface) for uplink in uplinks[1:] for prefix in uplink.presented),
        ),
        origin=origin(intent, tenant.position),
    )


# --- the provider's end ---------------------------------------------------------------------------------


def provider_end(intent: Intent, provider_uplinks: tuple[ProviderUplink, ...]) -> End:
    """Build the provider's side behind whatever stands between it and the tenants."""
    end_systems = (*_services(intent), *_hosts(intent))
    nodes: list[Node] = [_router(intent, provider_uplinks), *end_systems]
    links = [
        *(
            cable(a.far_end.node, a.far_end.interface, names.PROVIDER_ROUTER, a.interface, PROVIDER)
            for a in provider_uplinks
        ),
        *(
            cable(names.PROVIDER_ROUTER, names.toward(s.name.local), s.name, s.interface.name, PROVIDER)
            for s in end_systems
        ),
    ]
    if published(intent):
        edge, host, internet_links = internet_side(intent)
        nodes += [edge, host]
        links += internet_links
    return End(tuple(nodes), tuple(links))


def _services(intent: Intent) -> tuple[EndSystem, ...]:
    return tuple(
        EndSystem(
            name=names.service(service.name),
            kind=NodeKind.SERVICE,
            interface=Interface("provider", PROVIDER),
            address=service.address,
            listens=service.ports,
            origin=origin(intent, service.position),
        )
        for service in intent.provider.services.values()
    )


def _hosts(intent: Intent) -> tuple[EndSystem, ...]:
    return tuple(
        EndSystem(
            names.service(host.name),
            NodeKind.HOST,
            Interface("provider", PROVIDER),
            host.address,
            origin=origin(intent, host.position),
        )
        for host in intent.provider.hosts
    )


def _router(intent: Intent, provider_uplinks: tuple[ProviderUplink, ...]) -> Device:
    """Build the provider's own network: it routes, and knows of tenants the sources that they come from."""
    own = {service.name: service.address for service in intent.provider.services.values()}
    own |= {host.name: host.address for host in intent.provider.hosts}
    publishes = bool(published(intent))
    return Device(
        name=names.PROVIDER_ROUTER,
        kind=NodeKind.ROUTER,
        interfaces=(
            *(Interface(uplink.interface, PROVIDER) for uplink in provider_uplinks),
            *((Interface("edge", PROVIDER),) if publishes else ()),
            *(Interface(names.toward(name), PROVIDER) for name in own),
        ),
        routes=(
            *(Route(Prefix.of(address), names.toward(name)) for name, address in own.items()),
            *(Route(prefix, uplink.interface) for uplink in provider_uplinks for prefix in uplink.sources),
            *((Route(everywhere(PROVIDER), "edge"),) if publishes else ()),
        ),
        origin=origin(intent, intent.provider.position),
    )
