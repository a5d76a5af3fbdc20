"""Sets of packets as products of intervals, against the same sets as decision diagrams: the same job, side by side.

python -m tests.bench.algebra [--tenants 10,100] [--rounds N]

The job is a tenant's: everything that can be on its wire, through guard, destination NAT, route, permit and source
NAT, to the set of what leaves and as what. Every round does it by each, one right after the other, so that what
else the machine does falls on all of them; only ratios are worth keeping. oxidd takes part where it is installed.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from farshore.design.catalogue import build
from farshore.fabric.model import Device
from farshore.fabric.names import tenant_nat
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate
from farshore.proof.sets.intervals import EVERY_PORT
from farshore.proof.sets.senders import every_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Stream, cross
from farshore.proof.spread.tables import DeviceTables
from farshore.semantics.profile import PROFILES

from ..proof.diagram import Diagram, leaving, on_the_wire, through
from .intents import many_tenants

EVERYWHERE = IPv4Network("0.0.0.0/0")
PROFILE = PROFILES["linux"]
PORTS = "[tcp/80, tcp/443]"
OURS = "intervals"
Job = Callable[[tuple[Device, ...]], int]


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds that each took for the same job, one right after the other."""

    seconds: dict[str, float]

    def ratio(self, name: str) -> float:
        """Return how many times as long as ours one took."""
        return self.seconds[name] / self.seconds[OURS]


def boxes(tenants: int) -> tuple[Device, ...]:
    """Return the NAT devices of tenants with one /24 each, eight services, and two ports of each."""
    lines = (
        f"{line[: line.index('ports:')]}ports: {PORTS}}}" if "ports:" in line else line
        for line in many_tenants(tenants).splitlines()
    )
    intent = load_text("\n".join(lines) + "\n", "bench.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    nodes = build(intent, plan, "lake").nodes
    found = (nodes[tenant_nat(name)] for name in intent.tenants)
    return tuple(node for node in found if isinstance(node, Device))


def ingress(device: Device) -> str:
    """Return the interface that is toward the tenant."""
    inside = device.source_nat[0].inside.realm
    return next(interface.name for interface in device.interfaces if interface.realm == inside)


def by_intervals(devices: tuple[Device, ...]) -> int:
    """Do the job by products of intervals; return how many packets leave."""
    leave = 0
    for device in devices:
        realm = device.source_nat[0].inside.realm
        crossed = cross(
            DeviceTables.of(device, PROFILE), ingress(device), Stream(every_source(realm), every_target(realm))
        )
        for passage in crossed.passages:
            senders = sum(each.last - each.first + 1 for each in passage.left.senders)
            targets = passage.left.targets
            leave += senders * sum((each.last - each.first + 1) * (each.high - each.low + 1) for each in targets)
    return leave


def by_diagrams(manager: Callable[[], Any], count: Callable[[Any, Any, int], int]) -> Job:
    """Return the job by decision diagrams of a library; all tenants share one table of nodes."""

    def job(devices: tuple[Device, ...]) -> int:
        diagram = Diagram(EVERYWHERE, manager())
        leave = 0
        for device in devices:
            sent = on_the_wire(diagram, device.source_nat[0].inside.realm, EVERY_PORT[1])
            out = through(diagram, device, PROFILE, ingress(device), [sent])
            leave += sum(count(diagram.bdd, node, diagram.variables) for node in leaving(diagram, out).values())
        return leave

    return job


class Oxidd:
    """oxidd's manager with the few calls of dd's that the diagram makes."""

    def __init__(self) -> None:
        """Make room for a million nodes."""
        bdd = importlib.import_module("oxidd.bdd")
        self._manager = bdd.BDDManager(1 << 20, 1 << 18, 1)
        self.true, self.false = self._manager.true(), self._manager.false()

    def declare(self, *names: str) -> None:
        """Add variables, in this order."""
        self._manager.add_named_vars(names)

    def var(self, name: str) -> Any:
        """Return when a variable holds."""
        return self._manager.var(name)


def jobs() -> dict[str, Job]:
    """Return who takes part."""
    from dd.autoref import BDD

    found: dict[str, Job] = {
        OURS: by_intervals,
        "dd.autoref": by_diagrams(BDD, lambda bdd, node, of: int(bdd.count(node, of))),
    }
    if importlib.util.find_spec("oxidd") is not None:
        found["oxidd"] = by_diagrams(Oxidd, lambda _bdd, node, of: int(node.sat_count(of)))
    return found


def rounds(devices: tuple[Device, ...], number: int) -> Iterator[Round]:
    """Yield each round's times. Raises ValueError where two of them do not find as many packets."""
    those = jobs()
    for _ in range(number):
        seconds: dict[str, float] = {}
        packets: dict[str, int] = {}
        for name, job in those.items():
            begun = time.perf_counter()
            packets[name] = job(devices)
            seconds[name] = time.perf_counter() - begun
        if len(set(packets.values())) != 1:
            raise ValueError(f"not the same packets: {packets}")
        yield Round(seconds)


@click.command()
@click.option("--tenants", default="10,100", show_default=True, help="Numbers of tenants.")
@click.option("--rounds", "number", default=5, show_default=True, type=click.IntRange(min=1), help="Rounds of each.")
def main(tenants: str, number: int) -> None:
    """Print how many times as long as intervals the diagrams take."""
    table = Table("tenants", "by", "median ratio", "least", "most", "median ms")
    for count in map(int, tenants.split(",")):
        devices = boxes(count)
        measured = list(rounds(devices, number))
        for name in measured[0].seconds:
            ratios = [each.ratio(name) for each in measured]
            middle = statistics.median(each.seconds[name] for each in measured)
            cells = (statistics.median(ratios), min(ratios), max(ratios))
            table.add_row(str(count), name, *(f"{ratio:.1f}" for ratio in cells), f"{1000 * middle:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
