"""The appliance at work: nobody is believed but the proxy, limits are one tenant's own, and no reload is noticed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import live_tools
import pytest
from live_world import World

from farshore.conformance.exchanges import Fetched, parsed
from farshore.design.catalogue import build
from farshore.engine.haproxy.process import Appliance
from farshore.errors import MachineError
from farshore.fabric.model import Fabric, Proxy
from farshore.fabric.names import NodeName
from farshore.intent.load import load_text
from farshore.lab.lab_init import caller_identities, proxy_environment
from farshore.plan.allocate import allocate
from farshore.traffic import servers

pytestmark = pytest.mark.kernel

TEXT = """\
version: 1
design: appliance
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/80, tcp/443], proxy-protocol: v2}
    news: {address: 10.1.1.2, ports: [tcp/80], signed-header: news.key}
    plain: {address: 10.1.1.3, ports: [tcp/80]}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, news, plain]
    hosts: {alice: 10.1.1.1}
  customer-b:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, news, plain]
    hosts: {bill: 10.1.1.1}
    limits: {sessions: 5}
  customer-c:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [plain]
    hosts: {carl: 10.1.1.1}
    limits: {rate: 2}
"""
ALICE, BILL, HERE = "customer-a/alice", "customer-b/bill", "10.1.1.1"
PORTAL, NEWS, PLAIN = "10.2.2.1", "10.2.2.2", "10.2.2.3"
KEYS = {NodeName("provider/news"): bytes(range(32))}
RELOADS = 20


def fabric() -> Fabric:
    intent = load_text(TEXT, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan)


def started(whole: Fabric) -> Appliance:
    """Build everything and start the proxy. Runs inside."""
    live_tools.build(whole)
    servers.serve(whole.end_systems, caller_identities(whole), KEYS)
    appliance = Appliance(Path("/run/farshore/test"))
    assert appliance.apply(whole.proxies[0], proxy_environment(KEYS))
    return appliance


def ask(node: str, destination: str, said: bytes = b"GET / HTTP/1.0\r\n\r\n", port: int = 80) -> Fetched:
    """Say something from a node and return what comes back."""
    answer = b""
    try:
        with live_tools.tcp(node, HERE, 0, destination, port) as flow:
            flow.sendall(said)
            while part := flow.recv(65535):
                answer += part
    except OSError as error:
        return Fetched(None, str(error))
    return parsed(answer)


# --- nobody is believed but the proxy ----------------------------------------------------------------

ADDRESSES = socket.inet_aton("10.9.9.9") + socket.inet_aton("10.1.1.1") + b"\x00\x50\x00\x50"
TENANT = b"\x05\x00\x0acustomer-b"
FORGED_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + len(ADDRESSES + TENANT).to_bytes(2, "big") + ADDRESSES + TENANT
FORGED_V1 = b"PROXY TCP4 10.9.9.9 10.1.1.1 80 80\r\n"
FORGED_HEADERS = (
    b"X-Farshore-Tenant: customer-b\r\nx_farshore_tenant: customer-b\r\nX-FARSHORE-CLIENT: 10.9.9.9:1\r\n"
    b"X-Farshore-Signature: 00\r\n"
)


def forgeries(whole: Fabric) -> dict[str, tuple[str | None, str | None]]:
    """Say who the services believe is calling when Alice says that she is Bill."""
    started(whole)
    plain = b"GET / HTTP/1.0\r\n\r\n"
    found = {
        "honest": ask(ALICE, PORTAL),
        "bill": ask(BILL, PORTAL),
        "v2": ask(ALICE, PORTAL, FORGED_V2 + plain),
        "v1": ask(ALICE, PORTAL, FORGED_V1 + plain),
        "signed": ask(ALICE, NEWS),
        "headers": ask(ALICE, NEWS, b"GET / HTTP/1.0\r\n" + FORGED_HEADERS + b"\r\n"),
        "v2 to plain": ask(ALICE, PLAIN, FORGED_V2 + plain),
    }
    return {name: (f.seen.tenant, f.seen.client) if f.seen else (None, None) for name, f in found.items()}


def test_nobody_is_believed_but_the_proxy(world: World) -> None:
    believed = world.call(forgeries, fabric())
    assert believed["honest"] == ("customer-a", HERE)
    assert believed["bill"] == ("customer-b", HERE)
    # The forged header stands where a request belongs: the service takes it for one, or for nonsense.
    assert believed["v2"] in {("customer-a", HERE), (None, None)}
    assert believed["v1"] in {("customer-a", HERE), (None, None)}
    assert believed["signed"] == believed["headers"] == ("customer-a", HERE)
    assert believed["v2 to plain"] == (None, None)


def past_the_proxy(whole: Fabric) -> list[str | None]:
    """Ask the services from the provider's own router, as if there were no proxy."""
    started(whole)
    failures: list[str | None] = []
    for destination, said in (("10.1.1.1", b"GET / HTTP/1.0\r\n\r\n"), ("10.1.1.2", b"GET / HTTP/1.0\r\n\r\n")):
        with live_tools.tcp("provider/plain", "10.1.1.3", 0, destination, 80) as flow:
            flow.sendall(said)
            answer = b""
            with contextlib.suppress(OSError):
                while part := flow.recv(65535):
                    answer += part
        failures.append(parsed(answer).failure)
    return failures


def test_who_does_not_come_through_the_proxy_gets_no_answer(world: World) -> None:
    silence, refusal = world.call(past_the_proxy, fabric())
    assert silence == "answered b''"
    assert refusal is not None
    assert "403" in refusal


# --- limits ------------------------------------------------------------------------------------------


def too_many(whole: Fabric) -> tuple[int, int]:
    """Open more connections than Bill may have, and some of Alice's meanwhile: how many of each were opened."""
    started(whole)
    opened: dict[str, int] = {ALICE: 0, BILL: 0}
    with contextlib.ExitStack() as stack:
        for node in (BILL, ALICE):
            for _ in range(8):
                with contextlib.suppress(OSError):
                    stack.enter_context(live_tools.tcp(node, HERE, 0, PLAIN, 80))
                    opened[node] += 1
    return opened[ALICE], opened[BILL]


def test_a_limit_is_one_tenants_own(world: World) -> None:
    assert world.call(too_many, fabric()) == (8, 5)


def too_quickly(whole: Fabric) -> tuple[int, int, float]:
    """Begin many connections at once, Carl's first: how many of Alice's and of his are opened, in so many seconds."""
    started(whole)
    opened: dict[str, int] = {}
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        begun: dict[str, list[socket.socket]] = {"customer-c/carl": [], ALICE: []}
        for node, destination in (("customer-c/carl", "10.2.2.1"), (ALICE, PLAIN)):
            for _ in range(40):
                own = stack.enter_context(live_tools.open_socket(node, socket.SOCK_STREAM))
                own.setblocking(False)
                own.connect_ex((destination, 80))
                begun[node].append(own)
        live_tools.until(lambda: connected(begun[ALICE]) == len(begun[ALICE]))
        opened = {node: connected(flows) for node, flows in begun.items()}
    return opened[ALICE], opened["customer-c/carl"], time.monotonic() - begin


def connected(flows: list[socket.socket]) -> int:
    """Count the connections that are open."""
    count = 0
    for flow in flows:
        with contextlib.suppress(OSError):
            flow.getpeername()
            count += 1
    return count


def test_a_rate_is_one_tenants_own(world: World) -> None:
    alices, carls, seconds = world.call(too_quickly, fabric())
    assert alices == 40
    # Two at once; and two more for each second that a slow machine may take.
    assert 2 <= carls <= 2 + 2 * (seconds + 1)


# --- what a service is told --------------------------------------------------------------------------


def introductions_on_the_wire(whole: Fabric) -> tuple[list[bytes], bytes]:
    """Be the portal: what the proxy's checks say, and what stands before the request when Alice calls."""
    live_tools.build(whole)
    listener = live_tools.open_socket("provider/portal", socket.SOCK_STREAM)
    listener.bind(("10.1.1.1", 80))
    listener.listen()
    listener.settimeout(live_tools.PATIENCE)
    Appliance(Path("/run/farshore/test")).apply(whole.proxies[0], proxy_environment(KEYS))
    checks = []
    for _ in range(3):
        with listener.accept()[0] as caller:
            checks.append(until_the_end(caller))
    with live_tools.tcp(ALICE, HERE, 0, PORTAL, 80) as flow:
        flow.sendall(b"hello")
        flow.shutdown(socket.SHUT_WR)
        while True:
            with listener.accept()[0] as caller:
                said = until_the_end(caller)
            if said.endswith(b"hello"):
                return checks, said


def until_the_end(caller: socket.socket) -> bytes:
    said = b""
    caller.settimeout(live_tools.PATIENCE)
    with contextlib.suppress(ConnectionError):  # a check may end with a reset
        while part := caller.recv(65535):
            said += part
    return said


def test_a_check_calls_for_nobody_and_a_caller_is_named(world: World) -> None:
    checks, said = world.call(introductions_on_the_wire, fabric())
    start = b"\r\n\r\n\0\r\nQUIT\n"
    # Version 2, LOCAL, and nothing behind the header that a service could take for a request.
    assert all(check.startswith(start + b"\x20") for check in checks)
    assert all(len(check) == 16 + int.from_bytes(check[14:16], "big") for check in checks)
    assert said.startswith(start + b"\x21\x11")
    assert b"\x05\x00\x0acustomer-a" in said
    assert b"\x30\x00\x10customer-a.proxy" in said


# --- reloads and deaths ------------------------------------------------------------------------------


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


def test_what_haproxy_refuses_is_never_put_in_position(world: World) -> None:
    words, runs = world.call(refused_configuration, fabric())
    assert words.startswith("HAProxy refuses its configuration")
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


def test_what_cannot_start_is_never_put_in_position(world: World) -> None:
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
    """Throw packets at instances in which nobody listens, and count what reaches any end system."""
    live_tools.build(whole)
    ears = {}
    for node in whole.end_systems:
        if node.name.startswith("provider/"):
            ears[node.name] = live_tools.open_socket(node.name, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
            ears[node.name].bind(("provider", 0x0800))
            ears[node.name].setblocking(False)
    for destination in (PORTAL, NEWS, "10.1.1.2", "100.64.0.1"):
        with contextlib.suppress(OSError):
            live_tools.tcp(ALICE, HERE, 0, destination, 80).close()
    heard = {}
    for name, ear in ears.items():
        heard[name] = 0
        with contextlib.suppress(BlockingIOError):
            while ear.recv(65535):
                heard[name] += 1
    return heard


def test_without_the_proxy_nothing_crosses(world: World) -> None:
    assert set(world.call(without_proxy, fabric()).values()) == {0}
