"""What would permit a flow that the intent does not: the key to write, or that no key can.

A walk shows which device drops a packet. Whether it may pass is the intent's to say, so the fix of a refusal is made
here: the same value is shown and can be followed.
"""

from __future__ import annotations

from dataclasses import replace

from farshore.errors import Position
from farshore.fabric.names import NodeName
from farshore.fix import Append, Choice, Edit, Fix, Value, Write
from farshore.intent.model import DesignName, Intent, Service, Tenant
from farshore.port import Port, Protocol
from farshore.realm import INTERNET, PROVIDER
from farshore.walk.tell.journey import Probe, Walk

_NONE = "no key permits it"


def explained(intent: Intent, design: str | None, probe: Probe, walked: Walk) -> Walk:
    """Return a walk whose refusal names the key that would permit the flow; the same where the intent permits it.

    ``design`` is the one for all tenants, None where the intent chooses.
    """
    last = walked.steps[-1]
    fix = None if last.ok else permission(intent, design, probe)
    if fix is None:
        return walked
    # Where a route is ambiguous besides, that has a fix of its own, which permits nothing.
    ambiguous, both, _ = (last.fix or "").rpartition("; ")
    return replace(walked, steps=(*walked.steps[:-1], replace(last, fix=f"{ambiguous}{both}{fix}")))


def permission(intent: Intent, design: str | None, probe: Probe) -> str | None:
    """Return the fix of the intent that permits what a probe tries, None where it permits that already."""
    if probe.origin.owner == PROVIDER.name:
        return _call(intent, design, probe)
    service = intent.provider.services[probe.service]
    if probe.origin.owner == INTERNET.name:
        return _from_internet(service, probe.port)
    tenant = intent.tenants[probe.origin.owner]
    carrier = design or intent.design_of(tenant.name, service.name)
    if carrier == DesignName.APPLIANCE and probe.port.protocol is not Protocol.TCP:
        return f"{_NONE} while design appliance carries {service.name}, as it carries TCP only: use lake or last-hop"
    missing = [*_subscription(tenant, service), *_offer(service, probe.port)]
    return _all_of(missing)


def _subscription(tenant: Tenant, service: Service) -> list[tuple[str, Edit]]:
    if any(each.service == service.name for each in tenant.subscriptions):
        return []
    path, words = ("tenants", tenant.name, "services"), f"add {{}} to services of tenant {tenant.name}"
    if tenant.presents is None:
        words += " and write presents with the range that its admins assigned"
    if not tenant.subscriptions:
        return [(words, Write(path, (service.name,)))]
    if tenant.subscriptions[0].presented_position == Position():
        return [(words, Append(path, service.name))]
    return [(words.replace("{}", f"{service.name}: {{}}"), Write((*path, service.name), "null"))]


def _offer(service: Service, port: Port) -> list[tuple[str, Edit]]:
    if port in service.ports:
        return []
    path = ("provider", "services", service.name, "ports")
    return [(f"add {{}} to ports of service {service.name}", Append(path, str(port)))]


def _from_internet(service: Service, port: Port) -> str | None:
    if service.caller_identity is not None:
        return f"{_NONE}: Internet clients would bypass the proxy that passes on the caller's identity"
    offer = _all_of(_offer(service, port))
    if service.internet is None:
        also = f", and {offer}" if offer is not None else ""
        return f"write internet: with a public address at service {service.name}{also}"
    return offer


def _call(intent: Intent, design: str | None, probe: Probe) -> str | None:
    tenant, caller = intent.tenants[NodeName(probe.service).owner], probe.origin.local
    named = [host.name for host in intent.provider.hosts]
    if named and caller not in named:
        return f"{_NONE} to {caller} while hosts of the provider has others: they alone call tenants"
    if design not in (None, DesignName.LAKE):
        return f"{_NONE} with design {design}: only design lake carries calls to tenants"
    if tenant.presents is None:
        return f"write presents with the range that its admins assigned at tenant {tenant.name}"
    missing: list[tuple[str, Edit]] = []
    reach = next((each for each in intent.provider.reaches if each.tenant == tenant.name), None)
    if reach is None:
        entry: Value = {"tenant": tenant.name, "ports": (str(probe.port),)}
        there = ("provider", "reaches")
        edit = Append(there, entry) if intent.provider.reaches else Write(there, (entry,))
        missing.append(("add {} to reaches of the provider", edit))
    elif probe.port not in intent.reached(tenant.name):
        path = ("provider", "reaches", reach.position, "ports")
        missing.append(
            (f"add {{}} to ports of {tenant.name} in reaches of the provider", Append(path, str(probe.port)))
        )
    if intent.design_of(tenant.name) is not DesignName.LAKE and design is None:
        edit = Write(("tenants", tenant.name, "design"), str(DesignName.LAKE))
        missing.append((f"give tenant {tenant.name} design: {{}}", edit))
    return _all_of(missing)


def _all_of(missing: list[tuple[str, Edit]]) -> str | None:
    """Return the fix that makes all of these edits, None for none."""
    if not missing:
        return None
    return Fix((Choice(", and ".join(words for words, _ in missing), tuple(edit for _, edit in missing)),))
