"""The designs by name, and the fabric of an intent: of one design, or of those that the intent names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from farshore.design.ends import provider_end, tenant_end
from farshore.design.lake import lake
from farshore.design.one_box import appliance, last_hop, last_hop_plain
from farshore.design.segment import Segment, Uplink
from farshore.design.single_nat import single_nat
from farshore.fabric.model import Fabric, Link, Node
from farshore.intent.model import DesignName, Intent, Tenant
from farshore.plan.model import Plan, TenantPlan
from farshore.realm import Address

DESIGNS = MappingProxyType[str, Callable[[Intent, Plan], Segment]](
    {
        "single-nat": single_nat,
        "lake": lake,
        "last-hop": last_hop,
        "last-hop-plain": last_hop_plain,
        "appliance": appliance,
    }
)


def build(intent: Intent, plan: Plan, design: str | None = None) -> Fabric:
    """Build the fabric of an intent: all of one design or, with None, each tenant by its own."""
    if design is not None:
        return _put_together(intent, {design: DESIGNS[design](intent, plan)})
    carried = _shares(intent, plan).items()
    return _put_together(intent, {name: DESIGNS[name](*own) for name, own in carried})


# --- who is carried by which design --------------------------------------------------------------------


def _shares(intent: Intent, plan: Plan) -> Mapping[DesignName, tuple[Intent, Plan]]:
    """Return what each design carries, in the order in which the designs are known.

    A tenant stands with the design of its own, though every service of it has another: it may be called.
    """
    found = {}
    for design in DesignName:
        tenants = {
            name: replace(plan.tenants[name], presents=presents)
            for name in intent.tenants
            if (presents := _presents(intent, plan.tenants[name], design)) or intent.design_of(name) is design
        }
        if tenants:
            found[design] = _share(intent, plan, tenants, design)
    return found


def _presents(intent: Intent, tenant: TenantPlan, design: DesignName) -> dict[str, Address]:
    return {name: ip for name, ip in tenant.presents.items() if intent.design_of(tenant.name, name) is design}


def _share(intent: Intent, plan: Plan, tenants: dict[str, TenantPlan], design: DesignName) -> tuple[Intent, Plan]:
    own_tenants = {name: intent.tenants[name] for name in tenants}
    # A service with a design of its own is not even known to the others.
    services = {
        name: service
        for name, service in plan.services.items()
        if intent.provider.services[name].design in (None, design)
    }
    return replace(intent, tenants=own_tenants), replace(plan, services=services, tenants=tenants)


# --- from segments to a fabric -------------------------------------------------------------------------


def _put_together(intent: Intent, segments: Mapping[str, Segment]) -> Fabric:
    """Put the segments of one or several designs, by the designs' names, between the tenants and the provider."""
    nodes: list[Node] = []
    links: list[Link] = []
    for tenant in intent.tenants.values():
        end = tenant_end(tenant, intent, _uplinks(tenant, segments))
        links += end.links
        nodes += [*end.nodes, *(node for each in segments.values() for node in each.tenant_nodes.get(tenant.name, ()))]
    nodes += [node for segment in segments.values() for node in segment.nodes]
    links += [link for segment in segments.values() for link in segment.links]
    beyond = provider_end(intent, tuple(a for segment in segments.values() for a in segment.provider_uplinks))
    return Fabric.of("+".join(segments), (*nodes, *beyond.nodes), (*links, *beyond.links))


def _uplinks(tenant: Tenant, segments: Mapping[str, Segment]) -> tuple[Uplink, ...]:
    found = (segment.uplinks.get(tenant.name) for segment in _by_precedence(segments))
    return tuple(uplink for uplink in found if uplink is not None)


def _by_precedence(segments: Mapping[str, Segment]) -> Iterable[Segment]:
    """Yield the segments, a proxy last: the first is the way to whatever is presented and has no way of its own."""
    return (segment for _, segment in sorted(segments.items(), key=lambda item: item[0] == DesignName.APPLIANCE))
