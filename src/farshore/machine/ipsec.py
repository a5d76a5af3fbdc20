"""IPsec policies and states of the thread's network namespace, of which a node of ours has none (linux/xfrm.h).

A policy drops packets, or has them transformed, wherever the rule sets would let them pass.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from farshore.machine.attributes import attributes
from farshore.machine.foreign import Foreign, Kind, Protocol
from farshore.machine.netlink import Kernel

_SOCKETS = Path("/proc/self/net/netlink")
_GET_STATES, _GET_POLICIES, _FLUSH_STATES, _FLUSH_POLICIES = 0x12, 0x15, 0x1C, 0x1D
_COUNT_STATES, _COUNT_POLICIES, _SET_DEFAULT, _GET_DEFAULT = 0x23, 0x25, 0x27, 0x28
_ALL_STATES = bytes([255])  # IPSEC_PROTO_ANY
_ACCEPT, _UNSAID = 2, 0  # XFRM_USERPOLICY_ACCEPT, XFRM_USERPOLICY_UNSPEC
_DEFAULTS = bytes([_ACCEPT] * 3)  # of what comes in, is forwarded, and goes out
_FLAGS = bytes(4)
_OWN_POLICIES = 12  # bytes: the three numbers of policies that belong to no socket
# Of a selector: two addresses of 16 bytes, ports, family, and the prefixes' lengths.
_FAMILY, _TO_LENGTH, _FROM_LENGTH = 40, 42, 43
_DIRECTION = 160
_DIRECTIONS = {0: "in", 1: "out", 2: "forward"}
_TO_OF_STATE, _SPI_OF_STATE = 56, 72


def is_there() -> bool:
    """Tell whether the kernel has IPsec by netlink. To ask it for that protocol would have it load a module."""
    try:
        lines = _SOCKETS.read_text(encoding="ascii").splitlines()
    except OSError:
        return True
    return any(line.split()[1] == str(int(Protocol.IPSEC)) for line in lines[1:])


def entries() -> Iterator[Foreign]:
    """Yield the policies, the states, and the defaults that are none of the kernel's. Raises OSError."""
    with Kernel(Protocol.IPSEC) as kernel:
        if any(attributes(kernel.answer(_COUNT_POLICIES, _FLAGS), 4).get(1, b"")[:_OWN_POLICIES]):
            for _, content in kernel.dump(_GET_POLICIES, b""):
                yield _foreign(f"IPsec policy {_selected(content)}", _FLUSH_POLICIES, b"")
        if any(attributes(kernel.answer(_COUNT_STATES, _FLAGS), 4).get(1, b"")):
            for _, content in kernel.dump(_GET_STATES, b""):
                spi = int.from_bytes(content[_SPI_OF_STATE : _SPI_OF_STATE + 4], "big")
                to = _address(content[_TO_OF_STATE:], content[_FAMILY])
                yield _foreign(f"IPsec state {spi:#x} to {to}", _FLUSH_STATES, _ALL_STATES)
        with contextlib.suppress(OSError):  # a kernel before 5.15 has no such defaults
            if set(kernel.answer(_GET_DEFAULT, bytes(3))[:3]) - {_ACCEPT, _UNSAID}:
                yield _foreign("IPsec default policy, which blocks,", _SET_DEFAULT, _DEFAULTS)


def _foreign(text: str, request: int, content: bytes) -> Foreign:
    return Foreign(Kind.IPSEC, text, None, request, content, Protocol.IPSEC)


def _selected(content: bytes) -> str:
    family = content[_FAMILY]
    to = f"{_address(content, family)}/{content[_TO_LENGTH]}"
    source = f"{_address(content[16:], family)}/{content[_FROM_LENGTH]}"
    return f"{source} to {to}, {_DIRECTIONS.get(content[_DIRECTION], content[_DIRECTION])}"


def _address(content: bytes, family: int) -> str:
    return str(ip_address(content[: 16 if family == socket.AF_INET6 else 4]))
