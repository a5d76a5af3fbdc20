"""A tenant's side of the lake: its hosts, its CE router, and the near shore where it is translated."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.design.building_blocks import cable, guards, host_prefixes, limits, origin, translatable
from farshore.design.segment import Uplink
from farshore.fabric import names
from farshore.fabric.model import Device, EndSystem, Interface, Link, NodeKind, Permit, Policy, Route
from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Plan, TenantPlan
from farshore.realm import LAKE, Prefix
from farshore.translation import BasicNat


@dataclass(frozen=True, slots=True)
class Shores:
    """What one tenant shows in the lake, and what it finds there and, by other addresses, on its own WAN.

    ``callers`` and ``lake_callers`` are the hosts of the provider that may call it and are none of the
    services that it uses.
    """

    lake_sources: tuple[Prefix, ...]
    lake_services: tuple[Prefix, ...]
    lake_callers: tuple[Prefix, ...]
    callers: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class TenantSide:
    """A tenant's device on the near shore, what it may show in the lake, and what answers or calls from there."""

    tenant: str
    nat: Device
    lake_sources: tuple[Prefix, ...]
    lake_services: tuple[Prefix, ...]


def tenant_side(tenant: Tenant, intent: Intent, plan: Plan) -> TenantSide:
    """Build one tenant's side. It depends on this tenant and the services alone, on no other tenant."""
    tenant_plan = plan.tenants[tenant.name]
    lake_sources = tuple(block for source in tenant_plan.sources for block in source.lake)
    lake_services = host_prefixes(plan.services[name].lake for name in tenant_plan.presents)
    # A caller that is a service which the tenant uses has one lake address and, mostly, one presented address.
    calling = {name: a for name, a in tenant_plan.callers.items() if a not in tenant_plan.presents.values()}
    lake_callers = host_prefixes(plan.callers[name].lake for name in calling if name not in tenant_plan.presents)
    nat = _nat(tenant, intent, plan, Shores(lake_sources, lake_services, lake_callers, host_prefixes(calling.values())))
    return TenantSide(tenant.name, nat, lake_sources, (*lake_services, *lake_callers))


def host_links(hosts: tuple[EndSystem, ...], router: Device) -> tuple[Link, ...]:
    """Return the links between a tenant's hosts and the router that they are behind."""
    return tuple(
        cable(h.name, h.interface.name, router.name, names.toward(h.name.local), h.interface.realm) for h in hosts
    )


def tenant_router(tenant: Tenant, intent: Intent, hosts: tuple[EndSystem, ...], uplinks: tuple[Uplink, ...]) -> Device:
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


def _nat(tenant: Tenant, intent: Intent, plan: Plan, shores: Shores) -> Device:
    """Build the near shore: source into the lake, presented destination to the service's lake address.

    Where the provider may call, the same the other way round.
    """
    tenant_plan = plan.tenants[tenant.name]
    presented = host_prefixes(tenant_plan.presents.values())
    ports = intent.reached(tenant.name)
    translations = tuple(t for source in tenant_plan.sources for t in source.translations)
    inward = tuple(t.reversed() for t in translations if isinstance(t, BasicNat)) if ports else ()
    wan_answers, lake_answers = (*presented, *shores.callers), (*shores.lake_services, *shores.lake_callers)
    calling = host_prefixes(tenant_plan.callers.values())
    lake_calling = host_prefixes(plan.callers[name].lake for name in tenant_plan.callers)
    return Device(
        name=names.tenant_nat(tenant.name),
        kind=NodeKind.NAT,
        interfaces=(Interface("wan", tenant.realm), Interface("lake", LAKE)),
        routes=(
            *(Route(network.prefix, "wan") for network in tenant.networks),
            Route(plan.lake, "lake"),
            # For boxes that route before they translate: what is presented leads to the lake.
            *(Route(prefix, "lake") for prefix in wan_answers),
            # A packet to a lake address of our own that no flow explains must not go round in the lake; where
            # calls are answered, boxes that route before they translate find the way in by it.
            *(Route(block, "wan" if ports else None) for block in shores.lake_sources),
        ),
        destination_nat=(*(BasicNat(i, o) for i, o in zip(presented, shores.lake_services, strict=True)), *inward),
        source_nat=(*translations, *(BasicNat(i, o) for i, o in zip(lake_calling, calling, strict=True))),
        guards=(
            *guards("wan", arriving=translatable(tenant_plan), answering=wan_answers),
            *guards("lake", arriving=lake_answers, answering=shores.lake_sources),
        ),
        policy=Policy(
            (
                *_permits(tenant, intent, plan, tenant_plan),
                *(Permit(LAKE, tenant.realm, t.inside, t.outside, port, tenant.name) for t in inward for port in ports),
            ),
            limits(tenant),
        ),
        origin=origin(intent, tenant.position),
    )


def _permits(tenant: Tenant, intent: Intent, plan: Plan, tenant_plan: TenantPlan) -> tuple[Permit, ...]:
    return tuple(
        Permit(tenant.realm, LAKE, Prefix.of(presented), Prefix.of(plan.services[name].lake), port, name)
        for name, presented in tenant_plan.presents.items()
        for port in intent.provider.services[name].ports
    )
