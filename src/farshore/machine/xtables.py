"""Rules of the older iptables in the thread's network namespace, which nft does not list (linux/netfilter/x_tables.h).

A table of it stays until its namespace ends, also with no rule in it: then it passes all packets, and is as none.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HERE = "/proc/thread-self/net"
_LARGEST = 4096
_HOOKS, _NUMBER = 32, 76  # where each stands in what is known of a table
_ALL_OF_IT = 84  # bytes
_HEADER = 40  # of a table's entries, before the first
_PASSES = struct.pack("=i", -2)  # the verdict of a chain's policy: -NF_ACCEPT - 1
_VERDICT = 32  # behind a target's header


_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class _Family:
    """How a family's tables are asked for: the option numbers of a table's information and entries, and their layout.

    ``offsets`` is where an entry says how far its target and the next entry are, None where it is not looked up.
    """

    name: str
    program: str
    socket: int
    level: int
    option: int
    offsets: int | None


_FAMILIES = (
    _Family("ip", "iptables", socket.AF_INET, socket.IPPROTO_IP, 64, 88),
    _Family("ip6", "ip6tables", socket.AF_INET6, socket.IPPROTO_IPV6, 64, 140),
    _Family("arp", "arptables", socket.AF_INET, socket.IPPROTO_IP, 96, None),
)


def tables() -> Iterator[str]:
    """Yield the tables that hold rules, or a policy that drops, as people call them."""
    here = os.open(_HERE, os.O_PATH | os.O_CLOEXEC)
    try:
        found = [(family, name) for family in _FAMILIES for name in _names(here, family)]
    finally:
        os.close(here)
    for family, name in found:
        if _does_something(family, name):
            yield f"rules of {family.program} in its table {name}"


def _names(here: int, family: _Family) -> list[str]:
    try:
        file = os.open(f"{family.name}_tables_names", os.O_RDONLY | os.O_CLOEXEC, dir_fd=here)
    except OSError:  # a kernel without them, or a user who may not
        return []
    try:
        return os.read(file, _LARGEST).decode("ascii").split()
    finally:
        os.close(file)


def _does_something(family: _Family, name: str) -> bool:
    try:
        with socket.socket(family.socket, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as kernel:
            asked = name.encode().ljust(_ALL_OF_IT, b"\0")
            about = _get(kernel, family, 0, asked)
            (hooks,), (number, size) = (
                struct.unpack_from("=I", about, _HOOKS),
                struct.unpack_from("=II", about, _NUMBER),
            )
            if number > hooks.bit_count() + 1:  # a policy for each hook, and what ends the table
                return True
            if family.offsets is None:
                return False
            request = struct.pack("=32sI", name.encode(), size).ljust(_HEADER + size, b"\0")
            return not all(_passes(_get(kernel, family, 1, request), family.offsets, hooks.bit_count()))
    except OSError:
        return True  # what cannot be looked into is not known to be harmless


def _passes(entries: bytes, offsets: int, number: int) -> Iterator[bool]:
    start = _HEADER
    for _ in range(number):
        target, following = struct.unpack_from("=HH", entries, start + offsets)
        verdict = start + target + _VERDICT
        yield entries[verdict : verdict + 4] == _PASSES
        start += following


def _get(kernel: socket.socket, family: _Family, which: int, request: bytes) -> bytes:
    """Return an option whose request is written where the answer is read (getsockopt(2)). Raises OSError."""
    buffer = ctypes.create_string_buffer(request, len(request))
    length = ctypes.c_uint(len(request))
    option = family.option + which
    if _libc.getsockopt(kernel.fileno(), family.level, option, buffer, ctypes.byref(length)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return buffer.raw
