"""The article's case, ready to be shown: what will be tried, and what must come of it. Pure but for the file."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass

from farshore.cli.demo_marks import Marks
from farshore.cli.demo_path import Call
from farshore.cli.demo_refusals import Refusal, honest, refusals
from farshore.cli.fabrics import read_fabric
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.model import Intent
from farshore.lab.check import Check, Talk
from farshore.lab.expectations import expectations
from farshore.lab.scene import Scene
from farshore.plan.model import Plan
from farshore.port import Port, Protocol
from farshore.realm import Address

HTTP = Port(Protocol.TCP, 80)


@dataclass(frozen=True, slots=True)
class Case:
    """Who fetches from the one service, who tries what is forbidden, and everything that this stands on."""

    intent: Intent
    plan: Plan
    fabric: Fabric
    hosts: tuple[EndSystem, ...]
    service: EndSystem
    fetches: tuple[Talk, ...]
    honest: Check
    refusals: tuple[Refusal, ...]

    @property
    def marks(self) -> Marks:
        """Return the colours and letters of its realms."""
        return Marks(tuple(self.intent.tenants))

    @property
    def calls(self) -> tuple[Call, ...]:
        """Return the fetches as calls."""
        return tuple(
            Call(self.host(talk), Address(self.host(talk).address.realm, talk.destination), talk.port)
            for talk in self.fetches
        )

    def host(self, talk: Talk) -> EndSystem:
        """Return who makes a fetch."""
        return next(host for host in self.hosts if host.name == talk.node)


def read_case() -> Case:
    """Read the article's intent, which comes with the package, and work out what is to be tried."""
    resource = importlib.resources.files("farshore.cli") / "article.yaml"
    with importlib.resources.as_file(resource) as file:
        intent, plan, fabric = read_fabric(file, "lake")
    scene = Scene.of(intent, plan, fabric)
    checks = expectations(intent, plan, fabric)
    hosts = tuple(host for tenant in intent.tenants for host in scene.hosts[tenant])
    fetches = _fetches(checks, hosts)
    service = fabric.nodes[f"provider/{fetches[0].service}"]
    assert isinstance(service, EndSystem)  # noqa: S101 - a design makes its services so
    return Case(intent, plan, fabric, hosts, service, fetches, honest(scene, checks), refusals(scene, fabric, checks))


def _fetches(checks: Sequence[Check], hosts: Sequence[EndSystem]) -> tuple[Talk, ...]:
    """Return the talks that are fetches of a page by tenants' hosts."""
    tenants_hosts = {host.name for host in hosts}
    talks = [check.attempt for check in checks if isinstance(check.attempt, Talk)]
    return tuple(talk for talk in talks if talk.port == HTTP and talk.node in tenants_hosts)
