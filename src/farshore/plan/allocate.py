"""From the intent to the address plan. Pure: the same intent gives the same plan, always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.fix import Choice, Fix
from farshore.gc_pause import without_collector
from farshore.intent.model import Intent
from farshore.plan.blocks import Blocks
from farshore.plan.capacity import Shortage, lake_room, source_room
from farshore.plan.model import Plan, SourcePlan, TenantPlan
from farshore.plan.presented import allocate_presented, services_of_its_design
from farshore.plan.services import allocate_callers, allocate_services
from farshore.plan.sources import Demand, demand, leaves_few_ports, plan_source, pool_diagnostic, translate_onward


@dataclass(frozen=True, slots=True)
class Allocated:
    """The plan, or None where a diagnostic says why there cannot be one."""

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]


def allocate(intent: Intent) -> Allocated:
    """Assign addresses to every service, tenant network, presented service and calling host.

    Addresses are assigned in file order, so whatever is added at the end of the tenants or of the
    services moves nothing that was assigned before.

    Returns:
        The plan, or all the reasons why the addresses do not suffice.
    """
    with without_collector():
        return _allocate(intent)


def _allocate(intent: Intent) -> Allocated:
    reached = {reach.tenant for reach in intent.provider.reaches}
    demands = [
        demand(tenant, network, called=tenant.name in reached)
        for tenant in intent.tenants.values()
        for network in tenant.networks
    ]
    shortage = Shortage.of(intent, demands)
    services = allocate_services(intent)
    sources, source_diagnostics = _allocate_sources(intent, demands, shortage)
    callers = allocate_callers(intent, services.services)
    presented = {
        name: allocate_presented(
            intent.file,
            tenant,
            tuple(callers.callers) if name in reached else (),
            services_of_its_design(intent, tenant) if name in reached else frozenset(),
        )
        for name, tenant in intent.tenants.items()
    }
    diagnostics = (
        *(_too_many(shortage, problem) for problem in (services.problem, callers.problem) if problem is not None),
        *source_diagnostics,
        *(fault for allocated in presented.values() for fault in allocated.diagnostics),
    )
    if diagnostics:
        return Allocated(None, diagnostics)
    in_order = iter(sources)
    tenants = {
        name: TenantPlan(
            name, presented[name].presents, tuple(islice(in_order, len(tenant.networks))), presented[name].callers
        )
        for name, tenant in intent.tenants.items()
    }
    return Allocated(Plan(intent.provider.lake, services.services, tenants, callers.callers), ())


def _too_many(shortage: Shortage, problem: str) -> Diagnostic:
    """Return the diagnostic of too many services and callers for their part of the lake."""
    intent = shortage.intent
    other = (
        shortage.other_lake()
        or shortage.other_lake(remedied=True)
        or Choice("split the services over two providers, each with a file of its own")
    )
    return Diagnostic(intent.file, intent.provider.lake_position, DiagnosticCode.SERVICES_FULL, problem, Fix((other,)))


def _allocate_sources(
    intent: Intent, demands: Sequence[Demand], shortage: Shortage
) -> tuple[Sequence[SourcePlan], tuple[Diagnostic, ...]]:
    """Return a plan for each demand, in order, or else every reason why there is none."""
    diagnostics = [
        pool_diagnostic(intent.file, tenant, network, shortage.modes(tenant))
        for tenant in intent.tenants.values()
        for network in tenant.networks
        if leaves_few_ports(network)
    ]
    diagnostics += shortage.diagnostics()
    if diagnostics:
        return (), tuple(diagnostics)
    lake_blocks = Blocks(lake_room(intent).ranges)
    plans = [plan for each in demands if (plan := plan_source(each, lake_blocks)) is not None]
    return (_translate_all_onward(intent, plans) if intent.provider.source else plans), ()


def _translate_all_onward(intent: Intent, plans: Sequence[SourcePlan]) -> Sequence[SourcePlan]:
    blocks = Blocks(source_room(intent).ranges)
    return [replace(plan, provider_translations=translate_onward(plan.lake, blocks)) for plan in plans]
