"""eBPF programs that others attach in a node go, wherever they are attached: what filters is the rule set alone."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import socket
import struct
from collections.abc import Iterator

import live_tools
import pytest
import test_live_borrowed
from live_intents import DISTINCT, case
from live_world import World

from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.machine import programs
from farshore.machine.apply import apply
from farshore.machine.attributes import NESTED, attribute
from farshore.machine.namespace import namespace_name
from farshore.machine.netlink import Kernel
from farshore.machine.world import PRIVATE

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="loading eBPF programs of these types takes CAP_BPF"),
    pytest.mark.skipif(platform.machine() not in programs._NUMBERS, reason="the number of bpf(2) is not known here"),
]

CE, ALICE = "customer-a/ce", "customer-a/alice"
_LOAD, _ATTACH, _LINK_CREATE = 5, 8, 28
_CLASSIFIER, _XDP, _FLOW_DISSECTOR, _SOCKET_LOOKUP = 3, 6, 22, 30
_TCX_INGRESS, _TCX_EGRESS, _AT_LOOKUP = 46, 47, 36
_PASS = {_CLASSIFIER: 0, _XDP: 2, _SOCKET_LOOKUP: 1}
_libc = ctypes.CDLL(None, use_errno=True)


def bpf(command: int, request: bytes) -> int:
    """Call bpf(2), and return what it returns."""
    buffer = ctypes.create_string_buffer(request.ljust(128, b"\0"), 128)
    result = int(_libc.syscall(programs._NUMBERS[platform.machine()], command, buffer, 128))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def loaded(kind: int) -> int:
    """Load a program that lets everything pass."""
    code = struct.pack("=BBhi", 0xB7, 0, 0, _PASS[kind]) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    instructions, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    request = struct.pack("=IIQQ", kind, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(licence))
    expected = _AT_LOOKUP if kind == _SOCKET_LOOKUP else 0
    return bpf(_LOAD, request.ljust(68, b"\0") + struct.pack("=I", expected))


@contextlib.contextmanager
def attached(how: str) -> Iterator[None]:
    """Attach a program in a node, by a link of its own that lasts as long as the body where ``how`` says so."""
    with PRIVATE.entered(namespace_name(CE)), contextlib.ExitStack() as stack:
        index = socket.if_nametoindex("nat")
        kind = _XDP if how.startswith("XDP") else _SOCKET_LOOKUP if how == "of sockets" else _CLASSIFIER
        program = loaded(kind)
        stack.callback(os.close, program)
        match how:
            case "tcx":
                bpf(_ATTACH, struct.pack("=IIII", index, program, _TCX_INGRESS, 0))
            case "tcx by a link":
                stack.callback(os.close, bpf(_LINK_CREATE, struct.pack("=IIII", program, index, _TCX_EGRESS, 0)))
            case "XDP of the driver" | "XDP of the stack":
                flags = 4 if how == "XDP of the driver" else 2
                said = attribute(1, struct.pack("=i", program)) + attribute(3, struct.pack("=I", flags))
                with Kernel() as kernel:
                    kernel.remove(19, struct.pack("=BxHiII", 0, 0, index, 0, 0) + attribute(43 | NESTED, said))
            case "of sockets":
                here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
                stack.callback(os.close, here)
                stack.callback(os.close, bpf(_LINK_CREATE, struct.pack("=IIII", program, here, _AT_LOOKUP, 0)))
        yield


def on_a_port(when: str) -> tuple[str, list[str]]:
    """Have others attach a program to a port, before it is borrowed or after: the refusal, and then without it."""
    test_live_borrowed.make("veth")
    before = test_live_borrowed.had()
    wanted = test_live_borrowed.desired(b=test_live_borrowed.PORT)
    with contextlib.ExitStack() as stack:
        if when == "after":
            apply(wanted, (), PRIVATE)
            stack.enter_context(PRIVATE.entered("customer-b.ce"))
        index = socket.if_nametoindex("uplink" if when == "after" else test_live_borrowed.PORT)
        program = loaded(_CLASSIFIER)
        link = bpf(_LINK_CREATE, struct.pack("=IIII", program, index, _TCX_INGRESS, 0))
    try:
        apply(wanted, (), PRIVATE)
        refusal = ""
    except MachineError as error:
        refusal = str(error)
    os.close(link)
    os.close(program)
    apply(wanted, (), PRIVATE)
    apply(test_live_borrowed.desired(), (), PRIVATE)
    return refusal, test_live_borrowed.lost(before)


REFUSALS = {
    "before": "borrow interface: an eBPF program is attached to interface wan0 by tcx, ingress, and would filter for ",
    "after": "configure borrowed interface: an eBPF program is attached to interface uplink, ingress, which belongs ",
}


@pytest.mark.parametrize("when", REFUSALS)
def test_a_program_on_a_port_is_refused_by_name(world: World, when: str) -> None:
    refusal, lacking = world.call(on_a_port, when)
    assert refusal.startswith(f"customer-b/ce: {REFUSALS[when]}")
    assert lacking == []


def meddled(fabric: Fabric, how: str) -> tuple[list[str], list[str], bool]:
    """Have others attach a program; return what an application does, another, and whether Alice's pings come back."""
    live_tools.build(fabric)
    with attached(how):
        first, second = live_tools.build(fabric), live_tools.build(fabric)
    pinger = live_tools.Pinger(ALICE, "10.1.1.1")
    with pinger.socket:
        message = pinger.ping("10.2.2.1", 4)
    return first, second, message is not None and message.kind == live_tools.ECHO_REPLY


ANEW = "remove interface: an eBPF program is attached to it, {}"
HOW = {
    "tcx": ANEW.format("ingress"),
    "tcx by a link": ANEW.format("egress"),
    "XDP of the driver": "detach program: XDP program on nat",
    "XDP of the stack": "detach program: XDP program on nat",
    "of sockets": "delete namespace: an eBPF program that chooses sockets: it is made anew",
}


@pytest.mark.parametrize(("how", "said"), HOW.items(), ids=HOW.keys())
def test_a_program_of_others_goes_by_name(shared_world: World, how: str, said: str) -> None:
    first, second, well = shared_world.call(meddled, case(DISTINCT).fabric, how)
    assert [each for each in first if each.startswith(f"{CE}: {said}")]
    assert second == []
    assert well
