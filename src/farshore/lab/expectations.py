"""What must and what must not be possible in a lab, worked out from the intent and its plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.model import Intent, Service, Tenant
from farshore.lab.calls import calls
from farshore.lab.check import Check, Outcome, Talk, Throw
from farshore.lab.packet import Packet
from farshore.lab.refusals import TCP_PROBE, UDP_PROBE, good_throws, tenant_refusals, unasked
from farshore.lab.scene import SHARED_SOURCE_PORT, Scene, thrown
from farshore.plan.model import Plan


def expectations(intent: Intent, plan: Plan, fabric: Fabric) -> tuple[Check, ...]:
    """Return every check of a lab, those that must reach first, each name once."""
    scene = Scene.of(intent, plan, fabric)
    checks: list[Check] = []
    for tenant in intent.tenants.values():
        checks += [
            *_within_limits(tenant, list(_talks(tenant, scene)), scene),
            *calls(tenant, scene),
            *tenant_refusals(tenant, scene),
            *unasked(tenant, scene),
        ]
    if scene.internet is not None:
        checks += _internet(scene.internet, scene)
    distinct = {check.name: check for check in checks}.values()
    return tuple(sorted(distinct, key=lambda check: check.expected is Outcome.BLOCK))


def _within_limits(tenant: Tenant, talks: list[Check], scene: Scene) -> Iterator[Check]:
    """Yield as many talks as the tenant may have at once; the last one's name says how many were left out.

    The made-up packets of a tenant that must arrive open flows too.
    """
    most = scene.room(tenant)
    room = len(talks) if most is None else most - good_throws(tenant, scene)
    of_what = "sessions" if most == tenant.sessions else "new sessions a second"
    for number, check in enumerate(talks[:room], 1):
        left_out = len(talks) - room if number == room else 0
        more = f" ({left_out} more are beyond its limit of {most} {of_what})" if left_out > 0 else ""
        yield replace(check, name=check.name + more)


def _talks(tenant: Tenant, scene: Scene) -> Iterator[Check]:
    """Yield every service and port for every host, all from the same source port."""
    for host in scene.hosts[tenant.name]:
        for service, presented in scene.plan.tenants[tenant.name].presents.items():
            seen = scene.seen(tenant.name, host.address, service)
            for port in scene.ports(service):
                talk = Talk(
                    node=host.name,
                    source=host.address.ip,
                    source_port=SHARED_SOURCE_PORT,
                    destination=presented.ip,
                    port=port,
                    service=service,
                    seen_as=seen.ip,
                    seen_ports=seen.ports,
                    introduced=seen.introduced,
                )
                if scene.carries(tenant.name, service, port):
                    yield Check(f"{host.name} reaches {service} {port} at {presented.ip}", Outcome.REACH, talk)
                else:
                    name = f"{host.name} tries {service} {port} at {presented.ip}, which the proxy does not carry"
                    yield Check(name, Outcome.BLOCK, talk)


def _internet(host: EndSystem, scene: Scene) -> Iterator[Check]:
    """Yield what the Internet may reach, and what it might try beyond that."""
    for service in scene.intent.provider.services.values():
        if service.internet is not None:
            yield from _published(host, service, scene)
        for where, target in (("real", service.address.ip), ("lake", scene.plan.services[service.name].lake.ip)):
            packet = thrown(service.ports[0], host.address.ip, target)
            yield _refused(host, f"goes straight to the {where} address of {service.name}", packet)
    for tenant in scene.intent.tenants.values():
        victim = scene.hosts[tenant.name][0].address
        lake = scene.appears(tenant.name, victim).lake.ip
        for where, target in (("real", victim.ip), ("lake", lake)):
            # What the provider's own hosts may call is nothing for the Internet.
            for port in (TCP_PROBE, *scene.reached(tenant.name)):
                packet = thrown(port, host.address.ip, target)
                yield _refused(host, f"tries {tenant.name} by its {where} address", packet)


def _published(host: EndSystem, service: Service, scene: Scene) -> Iterator[Check]:
    assert service.internet is not None  # noqa: S101 - the caller has looked
    here, public = host.address.ip, service.internet.ip
    for port in service.ports:
        talk = Talk(host.name, here, SHARED_SOURCE_PORT, public, port, service.name, seen_as=here)
        yield Check(f"{host.name} reaches {service.name} {port} at {public}", Outcome.REACH, talk)
    for port in (TCP_PROBE, UDP_PROBE):
        yield _refused(host, f"tries {port}, which {service.name} does not offer", thrown(port, here, public))
    lake = scene.plan.services[service.name].lake.ip
    yield _refused(host, "forges a source in the lake", thrown(service.ports[0], lake, public))


def _refused(host: EndSystem, what: str, packet: Packet) -> Check:
    return Check(f"{host.name} {what}: {packet}", Outcome.BLOCK, Throw(host.name, host.interface.name, packet))
