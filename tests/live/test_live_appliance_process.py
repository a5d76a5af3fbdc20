"""The proxy's process: no reload is noticed, what cannot run replaces nothing, and a dead one comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from ipaddress import IPv4Address

import live_tools
import pytest
from live_appliance import ALICE, BILL, HERE, KEYS, NEWS, PORTAL, ask, fabric, started
from live_world import World

from farshore.errors import MachineError
from farshore.fabric.model import Fabric, Proxy
from farshore.lab.lab_init import proxy_environment

pytestmark = pytest.mark.kernel

RELOADS = 20


def reloads(whole: Fabric) -> tuple[int, list[str | None], int, bool, bool]:
    """Replace the configuration again and again: connections opened, lost, reloads made, and who still exchanges."""
    appliance = started(whole)
    proxy = whole.proxies[0]
    fewer = replace(proxy, fronts=tuple(f for f in proxy.fronts if (f.service, f.port.number) != ("portal", 443)))
    stop, opened, lost = threading.Event(), [], []

    def connect() -> None:
        while not stop.is_set():
            fetched = ask(ALICE, PORTAL)
            (opened if fetched.seen is not None and fetched.seen.tenant == "customer-a" else lost).append(fetched)

    with live_tools.tcp(BILL, HERE, 0, PORTAL, 80) as standing:
        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        made = sum(appliance.apply(each, proxy_environment(KEYS)) for each in [fewer, proxy] * (RELOADS // 2))
        again = appliance.apply(proxy, proxy_environment(KEYS))
        stop.set()
        for thread in threads:
            thread.join()
        standing.sendall(b"GET / HTTP/1.0\r\n\r\n")
        still = b"customer-b" in standing.recv(65535) + standing.recv(65535)
    return len(opened), [fetched.failure for fetched in lost], made, again, still


def test_no_reload_is_noticed(world: World) -> None:
    opened, lost, made, again, still = world.call(reloads, fabric())
    assert opened > RELOADS
    assert lost == []
    assert made == RELOADS
    assert not again
    assert still


def refused_configuration(whole: Fabric) -> tuple[str, bool]:
    """Ask for what HAProxy refuses: its words, and whether what ran before still runs."""
    appliance = started(whole)
    front = whole.proxies[0].fronts[0]
    nonsense = Proxy(whole.proxies[0].name, whole.proxies[0].interfaces, (replace(front, service="no such name"),))
    try:
        appliance.apply(nonsense, {})
    except Exception as error:  # noqa: BLE001 - handed back to the test
        return str(error), ask(ALICE, PORTAL).seen is not None
    return "", False


def test_what_haproxy_refuses_is_never_put_in_place(world: World) -> None:
    words, runs = world.call(refused_configuration, fabric())
    assert words.startswith("HAProxy rejects its configuration")
    assert runs


def cannot_start(whole: Fabric) -> tuple[str, bool, bool]:
    """Ask for what passes the check and cannot start: what is said, whether the old one serves, and comes back."""
    appliance = started(whole)
    number = appliance.process_number
    proxy = whole.proxies[0]
    nowhere = replace(proxy.fronts[0], presented=replace(proxy.fronts[0].presented, ip=IPv4Address("10.2.2.9")))
    try:
        appliance.apply(replace(proxy, fronts=(nowhere,)), proxy_environment(KEYS))
        said = ""
    except MachineError as error:
        said = str(error)
    same = appliance.process_number == number and ask(ALICE, PORTAL).seen is not None
    assert number is not None
    os.kill(number, signal.SIGKILL)
    return said, same, live_tools.until(lambda: ask(ALICE, PORTAL).seen is not None)


def test_what_cannot_start_is_never_put_in_place(world: World) -> None:
    said, same, back = world.call(cannot_start, fabric())
    assert said.startswith("HAProxy ended right after its start")
    assert same
    assert back


def replaced_and_stopped(whole: Fabric) -> tuple[bool, list[bool], bool]:
    """Replace a proxy that holds a connection, then stop it.

    Returns whether the new process answers as soon as it is said to, which processes still run, and whether
    the connection has ended.
    """
    appliance = started(whole)
    proxy = whole.proxies[0]
    old = appliance.process_number
    with live_tools.tcp(BILL, HERE, 0, PORTAL, 80) as standing:
        appliance.apply(replace(proxy, fronts=proxy.fronts[:-1]), proxy_environment(KEYS))
        new = appliance.process_number
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect("/run/farshore/test/proxy.sock")
            asking.sendall(b"show info\n")
            answers = f"Pid: {new}\n" in asking.makefile().read()
        appliance.stop()
        ended = False
        with contextlib.suppress(TimeoutError):
            try:
                ended = standing.recv(1) == b""
            except ConnectionError:
                ended = True
    return answers, [runs(number) for number in (old, new)], ended


def runs(number: int | None) -> bool:
    assert number is not None
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_replacement_is_at_work_when_it_is_said_to_be_and_nothing_outlives_a_stop(world: World) -> None:
    assert world.call(replaced_and_stopped, fabric()) == (True, [False, False], True)


def killed(whole: Fabric) -> bool:
    """Kill the proxy and tell whether another comes back by itself."""
    appliance = started(whole)
    number = appliance.process_number
    assert number is not None
    os.kill(number, signal.SIGKILL)
    deadline = time.monotonic() + live_tools.PATIENCE
    while (ask(ALICE, PORTAL).seen is None or appliance.process_number == number) and time.monotonic() < deadline:
        time.sleep(0.05)
    return ask(ALICE, PORTAL).seen is not None and appliance.process_number != number


def test_a_dead_proxy_comes_back(world: World) -> None:
    assert world.call(killed, fabric())


def without_proxy(whole: Fabric) -> dict[str, int]:
    """Connect to instances in which nobody listens, and count what reaches any end system."""
    live_tools.build(whole)
    receivers = {}
    for node in whole.end_systems:
        if node.name.startswith("provider/"):
            receivers[node.name] = live_tools.open_socket(node.name, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
            receivers[node.name].bind(("provider", 0x0800))
            receivers[node.name].setblocking(False)
    for destination in (PORTAL, NEWS, "10.1.1.2", "100.64.0.1"):
        with contextlib.suppress(OSError):
            live_tools.tcp(ALICE, HERE, 0, destination, 80).close()
    heard = {}
    for name, receiver in receivers.items():
        heard[name] = 0
        with contextlib.suppress(BlockingIOError):
            while receiver.recv(65535):
                heard[name] += 1
    return heard


def test_without_the_proxy_nothing_crosses(world: World) -> None:
    assert set(world.call(without_proxy, fabric()).values()) == {0}
