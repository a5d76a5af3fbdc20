"""Walk every design of an intent, and count its costs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from farshore.comparison.model import Costs, DesignSummary, Failure, ReachedBy
from farshore.design.catalogue import DESIGNS, build
from farshore.fabric import names
from farshore.fabric.model import Device, EndSystem, Fabric, NodeKind, Proxy
from farshore.fabric.names import NodeName
from farshore.intent.check.capabilities import uncarried
from farshore.intent.model import DesignName, Intent
from farshore.plan.model import Plan, appearance
from farshore.realm import PROVIDER, Address
from farshore.reporter import SILENT, Reporter
from farshore.semantics.crossing import Verb
from farshore.walk.tell.journey import Probe, Walk, walk

# In the order in which one would choose: the cheapest that carries everything first, then those that only show why.
_ORDER = ("lake", "last-hop", "appliance", "single-nat", "last-hop-plain")


def compare(intent: Intent, plan: Plan, reporter: Reporter = SILENT) -> tuple[DesignSummary, ...]:
    """Return a summary on each design and, where the intent asks for several at once, on that mix."""
    asked = build(intent, plan)
    mixed = [None] if asked.design not in DESIGNS else []
    choices: list[str | None] = [*mixed, *_ORDER]
    summaries = []
    reporter.started("comparison")
    for number, design in enumerate(choices):
        name = design or asked.design
        reporter.advanced(number, len(choices), name)
        summaries.append(summary(intent, plan, asked if design is None else build(intent, plan, design), design))
    reporter.finished("comparison")
    return tuple(summaries)


def summary(intent: Intent, plan: Plan, fabric: Fabric, design: str | None) -> DesignSummary:
    """Walk one fabric. ``design`` is the one for all, None where the intent chose."""
    walks = [walk(fabric, None, probe) for probe in probes(intent, plan, fabric)]
    failures = tuple(_failure(each) for each in walks if not each.delivered)
    delivered = [each for each in walks if each.delivered]
    return DesignSummary(
        fabric.design,
        len(walks),
        len(delivered),
        _reached(intent, design, walks),
        failures,
        uncarried(intent, design),
        Costs(
            namespaces=_namespaces(fabric),
            lake_addresses=_lake_addresses(plan),
            presented_addresses=sum(len(tenant.presents) for tenant in plan.tenants.values()),
            hops=max((_hops(each, fabric) for each in delivered), default=0),
            translations=max((_translations(each) for each in delivered), default=0),
        ),
    )


def probes(intent: Intent, plan: Plan, fabric: Fabric) -> Iterator[Probe]:
    """Yield every flow that should pass: one host of each tenant stands for the others."""
    for tenant in intent.tenants.values():
        host = next(n for n in fabric.end_systems if n.address.realm == tenant.realm)
        for service, presented in plan.tenants[tenant.name].presents.items():
            for port in intent.provider.services[service].ports:
                yield Probe(host.name, service, presented, port)
        yield from _calls(intent, plan, fabric, host)
    if names.INTERNET_HOST in fabric.nodes:
        for service_plan in intent.provider.services.values():
            if service_plan.internet is not None:
                for port in service_plan.ports:
                    yield Probe(names.INTERNET_HOST, service_plan.name, service_plan.internet, port)


def _calls(intent: Intent, plan: Plan, fabric: Fabric, host: EndSystem) -> Iterator[Probe]:
    tenant = host.address.realm.name
    ports = intent.reached(tenant)
    dialled = called(plan, fabric, host) if ports else None
    for caller in plan.callers if dialled is not None else ():
        for port in ports:
            assert dialled is not None  # noqa: S101 - or there were no callers
            yield Probe(names.service(caller), host.name, dialled, port)


def called(plan: Plan, fabric: Fabric, host: EndSystem) -> Address | None:
    """Return the address by which the provider's hosts call a tenant's host, None where it has none."""
    tenant = host.address.realm.name
    found = (appearance(source, host.address) for source in plan.tenants[tenant].sources)
    seen = next((each for each in found if each is not None), None)
    if seen is None:
        return None
    if names.tenant_nat(tenant) in fabric.nodes:
        return seen.provider or seen.lake
    # Where one box translates for the tenant, its lake addresses are the provider's own: there is no lake to cross.
    here, router = Address(PROVIDER, seen.lake.ip), fabric.nodes[names.PROVIDER_ROUTER]
    own = isinstance(router, Device) and any(
        here in route.destination for route in router.routes if route.destination.network.prefixlen
    )
    return here if own else seen.lake


def _failure(walked: Walk) -> Failure:
    step = next((each for each in walked.steps if not each.ok), walked.steps[-1])
    return Failure(walked.origin, f"{walked.service} {walked.port}", step.number, step.reason or "no reply comes back")


def _reached(intent: Intent, design: str | None, walks: Sequence[Walk]) -> tuple[ReachedBy, ...]:
    pairs: dict[tuple[NodeName, str], list[Walk]] = {}
    for each in walks:
        pairs.setdefault((each.origin, each.service), []).append(each)
    return tuple(
        ReachedBy(
            origin,
            target,
            tuple(str(each.port) for each in tried if each.delivered),
            tuple(str(each.port) for each in tried if not each.delivered),
            _identity_lost(intent, design, origin, target),
        )
        for (origin, target), tried in pairs.items()
    )


def _identity_lost(intent: Intent, design: str | None, origin: NodeName, target: str) -> bool:
    """Tell whether a service that expects the caller's identity does not get it: only a proxy passes it on."""
    service = intent.provider.services.get(target)
    if service is None or service.caller_identity is None or origin.owner not in intent.tenants:
        return False
    return (design or intent.design_of(origin.owner, target)) != DesignName.APPLIANCE


def _namespaces(fabric: Fabric) -> int:
    """Count the boxes of the provider: a proxy has a namespace for each of its interfaces."""
    boxes = [node for node in fabric.nodes.values() if isinstance(node, Device) and node.kind is not NodeKind.WAN]
    return len(boxes) + sum(len(proxy.interfaces) for proxy in fabric.proxies)


def _lake_addresses(plan: Plan) -> int:
    blocks = sum(p.network.num_addresses for t in plan.tenants.values() for s in t.sources for p in s.lake)
    return len(plan.services) + blocks


def _hops(walked: Walk, fabric: Fabric) -> int:
    crossed = (fabric.nodes[hop.node] for hop in walked.traces[0].hops)
    return sum(isinstance(node, Device | Proxy) for node in crossed)


def _translations(walked: Walk) -> int:
    return sum(
        hop.crossing is not None and any(e.verb in (Verb.TRANSLATED, Verb.PROXIED) for e in hop.crossing.events)
        for hop in walked.traces[0].hops
    )
