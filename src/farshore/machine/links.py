"""Wait until links that have been brought up carry packets.

The kernel brings a link up at once, but connects it to its queue in a worker of its own, later on a busy machine, and
drops what is sent until then. The operational state (RFC 2863) tells when it has.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable

from farshore.errors import MachineError
from farshore.machine.namespace import Namespaces

_CARRIES_IN = 60.0  # seconds, a safety net: no kernel takes so long
_POLL = 0.001
_REQUEST = struct.Struct("=IHHIIBxHiIIHH16s")  # a message header, an interface, and its name as an attribute
_HEADER, _INTERFACE, _ATTRIBUTE, _ERROR = 16, 16, struct.Struct("=HH"), struct.Struct("=i")
_RTM_NEWLINK, _RTM_GETLINK, _NLM_F_REQUEST = 16, 18, 1
_IFLA_IFNAME, _IFLA_OPERSTATE = 3, 16
_UP = 6
_LONGEST_NAME = 16
_LARGEST_ANSWER = 65536


def wait_until_up(namespaces: Namespaces, name: str, interfaces: Iterable[str]) -> None:
    """Return when these interfaces of a namespace carry packets. Raises MachineError where one does not, OSError."""
    with namespaces.entered(name):
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    with kernel:
        deadline = time.monotonic() + _CARRIES_IN
        for interface in interfaces:
            while _operational_state(kernel, interface) != _UP:
                if time.monotonic() > deadline:
                    raise MachineError(f"interface {interface} in {name} does not come up in {_CARRIES_IN:.0f} s")
                time.sleep(_POLL)


def _operational_state(kernel: socket.socket, interface: str) -> int:
    length = _ATTRIBUTE.size + _LONGEST_NAME
    request = _REQUEST.pack(
        *(_HEADER + _INTERFACE + length, _RTM_GETLINK, _NLM_F_REQUEST, 0, 0),
        *(socket.AF_UNSPEC, 0, 0, 0, 0),
        *(length, _IFLA_IFNAME, interface.encode()),
    )
    kernel.send(request)
    answer = kernel.recv(_LARGEST_ANSWER)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind != _RTM_NEWLINK:
        (code,) = _ERROR.unpack_from(answer, _HEADER)
        raise OSError(-code, f"interface {interface}: its state cannot be read")
    start = _HEADER + _INTERFACE
    while start < len(answer):
        size, attribute = _ATTRIBUTE.unpack_from(answer, start)
        if attribute == _IFLA_OPERSTATE:
            return answer[start + _ATTRIBUTE.size]
        start += (size + 3) & ~3
    raise OSError(f"interface {interface}: the kernel's answer has no operational state")
