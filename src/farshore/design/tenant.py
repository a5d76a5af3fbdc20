"""A tenant's side of the lake: its hosts, its CE router, and the near shore where it is translated."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.design import names
from farshore.design.parts import cable, guards, host_prefixes, tenant_hosts, translatable
from farshore.fabric.model import Device, EndSystem, Interface, Link, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan, TenantPlan
from farshore.realm import LAKE, Prefix
from farshore.translation import BasicNat


@dataclass(frozen=True, slots=True)
class TenantSide:
    """What stands between a tenant's hosts and the lake, and what it may show there."""

    tenant: str
    hosts: tuple[EndSystem, ...]
    ce: Device
    nat: Device
    links: tuple[Link, ...]
    lake_sources: tuple[Prefix, ...]
    lake_services: tuple[Prefix, ...]


def tenant_side(tenant: Tenant, intent: Intent, plan: Plan) -> TenantSide:
    """Build one tenant's side. It depends on this tenant and the services alone, on no other tenant."""
    tenant_plan = plan.tenants[tenant.name]
    hosts = tenant_hosts(tenant)
    ce = ce_router(tenant, hosts)
    lake_sources = tuple(block for source in tenant_plan.sources for block in source.lake)
    lake_services = host_prefixes(plan.services[name].lake for name in tenant_plan.presents)
    nat = _nat(tenant, intent, plan, lake_sources, lake_services)
    links = (*host_links(hosts, ce), cable(ce.name, "nat", nat.name, "wan", tenant.realm))
    return TenantSide(tenant.name, hosts, ce, nat, links, lake_sources, lake_services)


def host_links(hosts: tuple[EndSystem, ...], router: Device) -> tuple[Link, ...]:
    """Return the links between a tenant's hosts and the router that they are behind."""
    return tuple(
        cable(h.name, h.interface.name, router.name, names.toward(h.name.partition("/")[2]), h.interface.realm)
        for h in hosts
    )


def ce_router(tenant: Tenant, hosts: tuple[EndSystem, ...]) -> Device:
    """Build the tenant's WAN router in the provider's data centre. It routes, nothing else."""
    toward_hosts = {host.name: names.toward(host.name.partition("/")[2]) for host in hosts}
    presented = (Route(tenant.presents, "nat"),) if tenant.presents is not None else ()
    return Device(
        name=names.ce(tenant.name),
        kind=NodeKind.CE,
        interfaces=(
            *(Interface(name, tenant.realm) for name in toward_hosts.values()),
            Interface("nat", tenant.realm),
        ),
        routes=(*(Route(Prefix.of(host.address), toward_hosts[host.name]) for host in hosts), *presented),
    )


def _nat(
    tenant: Tenant,
    intent: Intent,
    plan: Plan,
    lake_sources: tuple[Prefix, ...],
    lake_services: tuple[Prefix, ...],
) -> Device:
    """Build the near shore: source into the lake, presented destination to the service's lake address."""
    tenant_plan = plan.tenants[tenant.name]
    presented = host_prefixes(tenant_plan.presents.values())
    return Device(
        name=names.tenant_nat(tenant.name),
        kind=NodeKind.NAT,
        interfaces=(Interface("wan", tenant.realm), Interface("lake", LAKE)),
        routes=(
            *(Route(network.prefix, "wan") for network in tenant.networks),
            Route(plan.lake, "lake"),
            # For boxes that route before they translate: what is presented leads to the lake.
            *(Route(prefix, "lake") for prefix in presented),
            # A packet to a lake address of our own that no flow explains must not go round in the lake.
            *(Route(block, None) for block in lake_sources),
        ),
        destination_nat=tuple(BasicNat(i, o) for i, o in zip(presented, lake_services, strict=True)),
        source_nat=tuple(t for source in tenant_plan.sources for t in source.translations),
        guards=(
            *guards("wan", arriving=translatable(tenant_plan), answering=presented),
            *guards("lake", arriving=lake_services, answering=lake_sources),
        ),
        policy=Policy(_permits(tenant, intent, plan, tenant_plan), tenant.sessions),
    )


def _permits(tenant: Tenant, intent: Intent, plan: Plan, tenant_plan: TenantPlan) -> tuple[Permit, ...]:
    return tuple(
        Permit(tenant.realm, LAKE, presented, plan.services[name].lake, port, name)
        for name, presented in tenant_plan.presents.items()
        for port in intent.provider.services[name].ports
    )
