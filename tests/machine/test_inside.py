"""Functions inside a world: their values and errors come back, and neither side outlives the other's end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from farshore.errors import MachineError, UsageError
from farshore.machine.inside import Channel, ChildEndedError, call, creating, running
from farshore.machine.world import World, start_time

pytestmark = pytest.mark.kernel

STDERR = 2
PATIENCE = 60.0  # seconds, a safety net


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def waiting(caller: Channel[None, None]) -> NoReturn:
    """Be the first process of a world, and do nothing."""
    caller.receive()
    raise AssertionError("nothing is ever sent")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    try:
        with creating(STDERR, (), waiting) as (made, _):
            yield made
    except MachineError as error:
        pytest.skip(str(error))


def where(_caller: Channel[None, None], kinds: tuple[str, ...]) -> dict[str, str]:
    return {kind: str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in kinds}


def test_a_function_runs_in_the_namespaces_of_the_world(world: World) -> None:
    kinds = ("net", "mnt", "pid")
    inside = call(world, where, kinds)
    assert inside == {kind: str(Path(f"/proc/{world.pid}/ns/{kind}").readlink()) for kind in kinds}
    assert not set(inside.values()) & {str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in kinds}


def doubling(caller: Channel[int, int], times: int, *, step: int) -> str:
    for _ in range(times):
        caller.send(caller.receive() * 2 + step)
    return "done"


def test_values_go_both_ways_and_then_the_result(world: World) -> None:
    with running(world, doubling, 3, step=1) as child:
        answers = []
        for number in range(3):
            child.send(number)
            answers.append(child.receive())
        assert answers == [1, 3, 5]
        assert child.result() == "done"
        with pytest.raises(ChildEndedError):
            child.receive()


def megabytes(caller: Channel[bytes, bytes]) -> int:
    content = caller.receive()
    caller.send(content)
    return len(content)


def test_what_is_larger_than_any_buffer_arrives(world: World) -> None:
    content = os.urandom(1 << 20) * 8
    with running(world, megabytes) as child:
        child.send(content)
        assert child.receive() == content
        assert child.result() == len(content)


class StubbornError(Exception):
    """One that cannot be made again from its arguments."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def raising(_caller: Channel[None, None], kind: str) -> None:
    raise {"usage": UsageError("no such node"), "value": ValueError(7), "stubborn": StubbornError(1, 2)}[kind]


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("usage", UsageError, "no such node"),
        ("value", ValueError, "7"),
        ("stubborn", RuntimeError, "StubbornError: 1 and 2"),
    ],
)
def test_what_it_raises_is_raised_here(world: World, kind: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        call(world, raising, kind)
    assert type(raised.value) is error
    assert any("in raising" in note for note in raised.value.__notes__)


def own_pid(caller: Channel[int, None]) -> NoReturn:
    caller.send(int(Path("/proc/self/status").read_text().partition("NSpid:")[2].split()[0]))
    caller.receive()
    raise AssertionError("nothing is ever sent")


def inner(starter: int) -> int:
    """Return the process in the world behind the one that was started."""
    return int(Path(f"/proc/{starter}/task/{starter}/children").read_text().split()[0])


@pytest.mark.parametrize("victim", ["starter", "inner"])
def test_a_killed_process_is_an_error_here(world: World, victim: str) -> None:
    with running(world, own_pid) as child:
        child.receive()
        started = child._process.pid
        within = inner(started)
        os.kill(started if victim == "starter" else within, signal.SIGKILL)
        with pytest.raises(ChildEndedError, match="has been killed"):
            child.receive()
    assert until(lambda: start_time(within) is None)


def test_it_ends_with_the_body(world: World) -> None:
    def broken_off() -> None:
        with running(world, own_pid) as child:
            child.receive()
            pids.append(inner(child._process.pid))
            raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [start_time(pid) for pid in pids] == [None]


class Unreadable:
    """What cannot be made again at the other end."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


def test_what_cannot_be_read_there_is_an_error_here(world: World) -> None:
    """Whoever reads must not fall silent: the function would wait for ever, and outlive its caller."""
    with running(world, doubling, 1, step=0) as child:
        child.send(Unreadable())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="no number"):
            child.receive(PATIENCE)
        within = child._process.pid
    assert until(lambda: start_time(within) is None)


CALLER = """
import sys, test_inside
from farshore.machine.inside import running
from farshore.machine.world import World
with running(World(int(sys.argv[1]), int(sys.argv[2]), "gone"), test_inside.own_pid) as child:
    child.receive()
    print(test_inside.inner(child._process.pid), flush=True)
    child.receive()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_it_dies_with_its_caller(world: World, number: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", CALLER, str(world.pid), str(world.started)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment, text=True) as caller:
        assert caller.stdout is not None
        within = int(caller.stdout.readline())
        assert start_time(within) is not None
        caller.send_signal(number)
        caller.wait(PATIENCE)
    assert until(lambda: start_time(within) is None)


def test_a_world_that_is_gone_says_so() -> None:
    with pytest.raises(MachineError, match="the lab is gone"):
        call(World(os.getpid(), 1, "the lab is gone"), where, ("net",))


def test_a_world_that_ends_meanwhile_says_so() -> None:
    with creating(STDERR, (), waiting) as (made, _):
        mortal = World(made.pid, made.started, "the lab is gone")

        def outliving() -> None:
            with running(mortal, own_pid) as child:
                child.receive()
                assert made.wait(PATIENCE, kill=True)
                child.receive()

        with pytest.raises(MachineError, match="the lab is gone"):
            outliving()


def test_a_world_ends_with_the_body_unless_it_is_detached() -> None:
    with creating(STDERR, (), waiting) as (passing, _):
        assert passing.is_alive()
    assert not passing.is_alive()
    with creating(STDERR, (), waiting) as (staying, child):
        child.detach()
    assert staying.is_alive()
    assert staying.wait(PATIENCE, kill=True)
