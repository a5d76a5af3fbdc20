"""What the provider's hosts must be able to open to tenants' hosts, and what not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from farshore.design import names
from farshore.intent.model import Tenant
from farshore.lab.check import Check, Outcome, Talk, Throw
from farshore.lab.refusals import STRANGER, TCP_PROBE, UDP_PROBE
from farshore.lab.scene import SHARED_SOURCE_PORT, Scene, thrown
from farshore.port import Protocol


def calls(tenant: Tenant, scene: Scene) -> Iterator[Check]:
    """Yield every call to every host of a tenant that the provider reaches, and what it must not open there."""
    ports = scene.reached(tenant.name)
    for name, caller in scene.plan.callers.items() if ports else ():
        node, presented = names.service(name), scene.plan.tenants[tenant.name].callers[name]
        for host in scene.hosts[tenant.name]:
            appears = scene.appears(tenant.name, host.address)
            dialled = (appears.provider or appears.lake).ip
            for port in ports:
                talk = Talk(
                    node=node,
                    source=caller.address.ip,
                    source_port=SHARED_SOURCE_PORT,
                    destination=dialled,
                    port=port,
                    service=host.name.partition("/")[2],
                    seen_as=presented.ip,
                )
                yield Check(f"{node} reaches {host.name} {port} at {dialled}", Outcome.REACH, talk)
            for probe in (TCP_PROBE, UDP_PROBE):
                if probe not in ports:
                    packet = thrown(probe, caller.address.ip, dialled)
                    what = f"{node} calls {host.name} on {probe}, which it may not: {packet}"
                    yield Check(what, Outcome.BLOCK, Throw(node, "provider", packet))
            offered = next((port for port in ports if port.protocol is not Protocol.ICMP), ports[0])
            forged = thrown(offered, STRANGER, dialled)
            yield Check(
                f"{node} calls {host.name} as a stranger: {forged}", Outcome.BLOCK, Throw(node, "provider", forged)
            )
    if ports:
        yield from _others(tenant, scene)


def _others(tenant: Tenant, scene: Scene) -> Iterator[Check]:
    """Yield the calls of services, where others are named that may call."""
    host = scene.hosts[tenant.name][0]
    appears = scene.appears(tenant.name, host.address)
    dialled, port = (appears.provider or appears.lake).ip, scene.reached(tenant.name)[0]
    for service in scene.intent.provider.services.values():
        if service.name not in scene.plan.callers:
            node, packet = names.service(service.name), thrown(port, service.address.ip, dialled)
            name = f"{node}, which may not, calls {host.name}: {packet}"
            yield Check(name, Outcome.BLOCK, Throw(node, "provider", packet))
