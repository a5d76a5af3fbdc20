"""The appliance at work: nobody is believed but the proxy, and limits are one tenant's own."""

from __future__ import annotations

import contextlib
import socket
import time

import live_tools
import pytest
from live_appliance import ALICE, BILL, HERE, NEWS, PLAIN, PORTAL, applied, ask, fabric, started
from live_world import World

from farshore.conformance.exchanges import parsed
from farshore.fabric.model import Fabric

pytestmark = pytest.mark.kernel

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
    assert silence == "unexpected reply b''"
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


def identities_on_the_wire(whole: Fabric) -> tuple[list[bytes], bytes]:
    """Be the portal: what the proxy's checks say, and what stands before the request when Alice calls."""
    live_tools.build(whole)
    listener = live_tools.open_socket("provider/portal", socket.SOCK_STREAM)
    listener.bind(("10.1.1.1", 80))
    listener.listen()
    listener.settimeout(live_tools.PATIENCE)
    applied(whole)
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
    checks, said = world.call(identities_on_the_wire, fabric())
    start = b"\r\n\r\n\0\r\nQUIT\n"
    # Version 2, LOCAL, and nothing behind the header that a service could take for a request.
    assert all(check.startswith(start + b"\x20") for check in checks)
    assert all(len(check) == 16 + int.from_bytes(check[14:16], "big") for check in checks)
    assert said.startswith(start + b"\x21\x11")
    assert b"\x05\x00\x0acustomer-a" in said
    assert b"\x30\x00\x10customer-a.proxy" in said
