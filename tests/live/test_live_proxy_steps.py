"""Whoever applies a fabric with a proxy may be killed between any two steps: nothing is open, no HAProxy is unknown."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import live_tools
import pytest
from live_appliance import FOLDER, HERE, KEYS, PORTAL, TEXT, haproxies
from live_assault import UNTRANSLATED
from live_intents import Case
from live_world import World

from farshore.design.catalogue import build
from farshore.engine.haproxy import master
from farshore.engine.haproxy.master import Home
from farshore.engine.linux import desired_state, engines
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.machine.apply import apply
from farshore.machine.desired import DesiredState
from farshore.machine.steps import Step, Steps
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate

pytestmark = pytest.mark.kernel

# The provider's addresses are others than the tenants', so that what is not the proxy's own tells itself.
DISTINCT = TEXT.replace("networks: [10.1.1.0/24]\n  services", "networks: [10.3.3.0/24]\n  services").replace(
    "address: 10.1.1", "address: 10.3.3"
)
HOSTS = ("customer-a/alice", "customer-b/bill")
TARGETS = (PORTAL, "10.3.3.1", "100.64.0.1")


class Counting(Steps):
    """Counts events, and kills the process at one of them. Loads come from several threads."""

    def __init__(self, last: int) -> None:
        self.count, self.last = 0, last

    def before(self, step: Step) -> None:  # noqa: ARG002 - counted alone
        self._heard()

    def after(self, step: Step) -> None:  # noqa: ARG002 - counted alone
        self._heard()

    def _heard(self) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def change(desired: DesiredState, steps: Steps | None = None) -> list[str]:
    made = apply(desired, engines(FOLDER, KEYS), PRIVATE, steps=steps or Steps())
    return [str(each) for each in made]


def killed_at(desired: DesiredState, last: int) -> bool:
    """Apply in a process of its own, killed at an event; tell whether it was."""
    child = os.fork()
    if child == 0:
        try:
            change(desired, Counting(last))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


class Knocking:
    """Has hosts of tenants connect to all there is, and hears at the portal what is not the proxy's own."""

    def __init__(self) -> None:
        self.wire: live_tools.Wire | None = None
        self.foreign: list[str] = []

    def knock(self) -> None:
        if self.wire is None:
            try:
                self.wire = live_tools.Wire("provider/portal", "provider")
            except (OSError, MachineError):
                self.wire = None
        for host in HOSTS:
            for target in TARGETS:
                try:
                    live_tools.tcp(host, HERE, 0, target, 80).close()
                except (OSError, MachineError):
                    continue
        if self.wire is not None:
            for packet in self.wire.heard():
                source, destination = list(live_tools.addresses(packet))[:2]
                if any(address in network for address in (source, destination) for network in UNTRANSLATED):
                    self.foreign.append(f"{source} > {destination}")


Outcome = tuple[str, list[str], list[str], bool]


def at_every_event(before: Fabric | None, after: Fabric | None, every: int) -> list[Outcome]:
    """Go from one fabric to another, killed at an event and finished, and so for every event.

    Of each: its name, what arrived at the portal that is not the proxy's own, what is done after all was finished, and
    whether the masters that live are those that are known.
    """
    nothing = DesiredState({}, ())
    first = desired_state(before) if before is not None else nothing
    desired = desired_state(after) if after is not None else nothing
    outcomes: list[Outcome] = []
    event = 1
    while True:
        change(first)
        knocking = Knocking()
        if not killed_at(desired, event):
            return outcomes
        knocking.knock()
        change(desired)
        knocking.knock()
        again = change(desired)
        with master.found(Home(FOLDER / "provider.proxy")) as running:
            known = [running.pid] if running is not None else []
        masters = [number for number, own in haproxies(FOLDER) if own == 1]
        expected = len(desired.configurations.get("haproxy", {}))
        outcomes.append((f"event {event}", knocking.foreign, again, masters == known and len(known) == expected))
        event += every


def whole() -> Case:
    intent = load_text(DISTINCT, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return Case(intent, plan, build(intent, plan))


def less() -> Fabric:
    """Return the fabric without a tenant; everybody else keeps what the plan gave."""
    case = whole()
    intent = load_text(
        DISTINCT[: DISTINCT.index("  customer-b")] + DISTINCT[DISTINCT.index("  customer-c") :], "i.yaml"
    )
    assert intent.intent is not None
    return build(intent.intent, case.plan)


CHANGES: dict[str, Callable[[], tuple[Fabric | None, Fabric | None, int]]] = {
    "a tenant goes": lambda: (whole().fabric, less(), 2),
    "a tenant comes": lambda: (less(), whole().fabric, 3),
    "all is made": lambda: (None, whole().fabric, 17),
    "all goes": lambda: (whole().fabric, None, 5),
}


@pytest.mark.parametrize("case", CHANGES.values(), ids=CHANGES.keys())
def test_killed_between_any_two_steps_of_a_proxys_fabric(
    world: World, case: Callable[[], tuple[Fabric | None, Fabric | None, int]]
) -> None:
    outcomes = world.call(at_every_event, *case())
    assert len(outcomes) > 5
    assert [each for each in outcomes if each[1:] != ([], [], True)] == []
