"""The plan as JSON: the contract with programs that read ``farshore plan --json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from farshore.intent.model import Intent, Tenant
from farshore.plan.model import Appearance, Caller, Plan, ServicePlan, SourcePlan, TenantPlan, appearance
from farshore.translation import PortBlockNapt

JsonObject = dict[str, Any]


def document(intent: Intent, plan: Plan) -> JsonObject:
    """Return the plan's document. The intent gives the names of the hosts."""
    found: JsonObject = {
        "lake": str(plan.lake.network),
        "services": _addressed(plan.services),
        "tenants": {name: _tenant(intent.tenants[name], tenant) for name, tenant in plan.tenants.items()},
    }
    if plan.callers:
        found["callers"] = _addressed(plan.callers)
    return found


def _addressed(planned: Mapping[str, ServicePlan] | Mapping[str, Caller]) -> JsonObject:
    return {name: {"address": str(each.address.ip), "lake": str(each.lake.ip)} for name, each in planned.items()}


def _tenant(tenant: Tenant, plan: TenantPlan) -> JsonObject:
    found: JsonObject = {
        "presents": {service: str(address.ip) for service, address in plan.presents.items()},
        "sources": [_source(tenant, source) for source in plan.sources],
    }
    if plan.callers:
        found["callers"] = {name: str(address.ip) for name, address in plan.callers.items()}
    return found


def _source(tenant: Tenant, source: SourcePlan) -> JsonObject:
    found: JsonObject = {
        "network": str(source.network.network),
        "mode": str(source.mode),
        "lake": [str(prefix.network) for prefix in source.lake],
    }
    if source.provider_translations:
        found["provider"] = [str(each.outside.network) for each in source.provider_translations]
    for translation in source.translations:
        if isinstance(translation, PortBlockNapt):
            found["ports_per_host"] = translation.block_size
    found["hosts"] = {
        host.name: _host(appears) for host in tenant.hosts if (appears := appearance(source, host.address)) is not None
    }
    return found


def _host(appears: Appearance) -> str | JsonObject:
    if appears.ports is None:
        return str(appears.lake.ip)
    return {"address": str(appears.lake.ip), "ports": [appears.ports.first_port, appears.ports.last_port]}
