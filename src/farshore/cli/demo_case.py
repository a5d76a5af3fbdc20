"""The article's case, ready to be shown: what will be tried, and what must come of it. Pure but for the file."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass

from farshore.cli.demo_marks import Marks
from farshore.cli.demo_path import Call
from farshore.cli.demo_refusals import Refusal, honest, refusals
from farshore.cli.inputs import read_built
from farshore.conformance.check import Check, Exchange
from farshore.conformance.expectations import expectations
from farshore.conformance.topology import Topology
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.model import Intent
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
    fetches: tuple[Exchange, ...]
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
            Call(self.host(exchange), Address(self.host(exchange).address.realm, exchange.destination), exchange.port)
            for exchange in self.fetches
        )

    def host(self, exchange: Exchange) -> EndSystem:
        """Return who makes a fetch."""
        return next(host for host in self.hosts if host.name == exchange.node)


def read_case() -> Case:
    """Read the article's intent, which comes with the package, and work out what is to be tried."""
    resource = importlib.resources.files("farshore.cli") / "article.yaml"
    with importlib.resources.as_file(resource) as file:
        built = read_built(file, "lake")
    intent, plan, fabric = built.intent, built.plan, built.fabric
    topology = Topology.of(intent, plan, fabric)
    checks = expectations(intent, plan, fabric)
    hosts = tuple(host for tenant in intent.tenants for host in topology.hosts[tenant])
    fetches = _fetches(checks, hosts)
    service = fabric.nodes[f"provider/{fetches[0].service}"]
    assert isinstance(service, EndSystem)  # noqa: S101 - a design makes its services so
    return Case(
        intent, plan, fabric, hosts, service, fetches, honest(topology, checks), refusals(topology, fabric, checks)
    )


def _fetches(checks: Sequence[Check], hosts: Sequence[EndSystem]) -> tuple[Exchange, ...]:
    """Return the exchanges that are fetches of a page by tenants' hosts."""
    tenants_hosts = {host.name for host in hosts}
    exchanges = [check.attempt for check in checks if isinstance(check.attempt, Exchange)]
    return tuple(exchange for exchange in exchanges if exchange.port == HTTP and exchange.node in tenants_hosts)
