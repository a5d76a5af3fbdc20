"""At no instant does anything untranslated arrive: not while a fabric is made, not when its NAT is taken away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import live_tools
import pytest
from live_assault import HERE, PORTAL, Assault
from live_intents import DISTINCT, case
from live_world import World

from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.fabric.model import Fabric
from farshore.machine import apply as machine
from farshore.machine.apply import apply, remove
from farshore.machine.changes import Change, LoadConfiguration
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE
from farshore.reporter import Reporter

pytestmark = pytest.mark.kernel

ENGINES = (Nftables(),)
NAT_DEVICES = ("customer-a/nat", "provider/nat")


class AtEveryStep(Reporter):
    """Calls a function with what is done and the total after every step of the engine."""

    def __init__(self, call: Callable[[int, int], object]) -> None:
        self.call = call

    def advanced(self, done: int, total: int, item: str = "") -> None:  # noqa: ARG002 - the event's own form
        self.call(done, total)


def made_under_assault(fabric: Fabric) -> tuple[int, list[str], bool]:
    """Make a fabric and inject after every step; return the injections, what arrived, and whether Alice is served."""
    assault = Assault(fabric)
    apply(compile_fabric(fabric), ENGINES, PRIVATE, AtEveryStep(lambda *_: assault.inject()))
    live_tools.serve_echo(fabric)
    return assault.injected, assault.untranslated(), is_served()


def is_served() -> bool:
    """Tell whether Alice reaches the portal."""
    with live_tools.udp("customer-a/alice", HERE, 0, PORTAL, 5000) as asking:
        try:
            return live_tools.ask(asking, b"?")[2] == b"?"
        except OSError:
            return False


def test_nothing_untranslated_arrives_while_a_fabric_is_made(world: World) -> None:
    injected, arrived, served = world.call(made_under_assault, case(DISTINCT).fabric)
    assert injected > 100
    assert arrived == []
    assert served


def rules_last(fabric: Fabric) -> tuple[int, list[str], bool]:
    """Break: make a fabric whose rule sets are loaded after everything else."""
    real = machine.difference

    def reordered(*arguments: object) -> tuple[Change, ...]:
        return tuple(sorted(real(*arguments), key=lambda change: isinstance(change, LoadConfiguration)))  # type: ignore[arg-type]

    machine.difference = reordered
    return made_under_assault(fabric)


def test_a_wrong_order_is_seen(world: World) -> None:
    _, arrived, _ = world.call(rules_last, case(DISTINCT).fabric)
    assert "10.1.1.1 > 10.3.3.1" in arrived


class CutError(Exception):
    """What ends an application half-way."""


def cut_off_after(fabric: Fabric, fractions: list[float]) -> Iterator[tuple[list[str], int, list[str]]]:
    """Cut an application off at several moments, assault what is there, and let another one finish it."""
    desired = compile_fabric(fabric)
    namespaces = [namespace_name(node) for node in fabric.nodes]
    outcomes = []
    for fraction in fractions:

        def cut(done: int, total: int, fraction: float = fraction) -> None:
            if done >= fraction * total:
                raise CutError

        with contextlib.suppress(CutError):
            apply(desired, ENGINES, PRIVATE, AtEveryStep(cut))
        assault = Assault(fabric)
        assault.inject()
        completed = len(apply(desired, ENGINES, PRIVATE, AtEveryStep(lambda *_, assault=assault: assault.inject())))
        assault.inject()
        assert is_answered()
        outcomes.append((assault.untranslated(), completed, live_tools.build(fabric)))
        remove(PRIVATE, namespaces)
    return outcomes  # type: ignore[return-value]


def is_answered() -> bool:
    """Tell whether Alice's pings come back."""
    pinger = live_tools.Pinger("customer-a/alice", HERE)
    with pinger.socket:
        message = pinger.ping(PORTAL, 4)
    return message is not None and message.kind == live_tools.ECHO_REPLY


def test_an_application_cut_off_anywhere_leaks_nothing_and_is_finished_by_the_next(world: World) -> None:
    outcomes = world.call(cut_off_after, case(DISTINCT).fabric, [number / 8 for number in range(8)])
    assert [untranslated for untranslated, _, _ in outcomes] == [[]] * 8
    assert [again for _, _, again in outcomes] == [[]] * 8
    completed = [number for _, number, _ in outcomes]
    assert all(completed)
    assert completed[0] > completed[-1]  # what the first one did is not done again


MEDDLINGS = {
    "flush nat": "flush table ip farshore_nat",
    "delete nat": "delete table ip farshore_nat",
    "flush nat chains": (
        "flush chain ip farshore_nat translate_source; flush chain ip farshore_nat translate_destination"
    ),
    "flush filter": "flush table inet farshore_filter",
    "flush nat and forwarding": "flush table ip farshore_nat; flush chain inet farshore_filter forwarding",
}


def meddled(fabric: Fabric, node: str, commands: str) -> tuple[bool, bool, list[str], list[str], bool]:
    """Take rules away under a flow; return: served before, after, what arrived, what healed, served at last."""
    live_tools.build(fabric)
    live_tools.serve_echo(fabric)
    assault = Assault(fabric)
    before = is_served()
    live_tools.nft_in(node, commands.replace("; ", "\n"))
    after = is_served()
    assault.inject()
    arrived = assault.untranslated()
    healed = live_tools.build(fabric)
    return before, after, arrived, healed, is_served()


@pytest.mark.parametrize("node", NAT_DEVICES)
@pytest.mark.parametrize("commands", MEDDLINGS.values(), ids=MEDDLINGS.keys())
def test_without_its_rules_a_device_lets_nothing_pass(world: World, node: str, commands: str) -> None:
    before, after, arrived, healed, at_last = world.call(meddled, case(DISTINCT).fabric, node, commands)
    assert before
    assert not after
    assert arrived == []
    assert healed == [f"{node}: load rule set: modified by another program"]
    assert at_last


def opened(fabric: Fabric) -> list[str]:
    """Break: take the filters of both shores away as well as the far one's NAT, and inject."""
    live_tools.build(fabric)
    assault = Assault(fabric)
    assault.inject()
    for node in NAT_DEVICES:
        live_tools.nft_in(node, "delete table inet farshore_filter\ndelete table ip farshore_nat")
    assault.inject()
    return assault.untranslated()


def test_the_assault_arrives_where_nothing_filters(world: World) -> None:
    assert "10.1.1.1 > 10.3.3.1" in world.call(opened, case(DISTINCT).fabric)


def test_a_removed_fabric_leaves_no_namespace(world: World) -> None:
    assert world.call(removed, case(DISTINCT).fabric) == []


def removed(fabric: Fabric) -> list[str]:
    """Make a fabric, remove it, and name what is left."""
    live_tools.build(fabric)
    remove(PRIVATE, [namespace_name(node) for node in fabric.nodes])
    return list(PRIVATE.names())
