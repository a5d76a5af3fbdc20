"""Who is carried by which design: an intent and its plan, cut down to what one of them has to carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from farshore.intent.model import DesignName, Intent
from farshore.plan.model import Plan, TenantPlan
from farshore.realm import Address


def shares(intent: Intent, plan: Plan) -> Mapping[DesignName, tuple[Intent, Plan]]:
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
