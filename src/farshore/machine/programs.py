"""eBPF programs that others have attached in the thread's network namespace (bpf(2), linux/bpf.h).

Netlink lists programs of XDP and of classifiers, and none of these: programs on an interface by tcx, and programs of a
namespace that choose sockets or dissect flows. Only a user with all rights can load such programs, and only that user
can look for them; to everybody else there are none.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_NUMBER = _NUMBERS.get(platform.machine())
_NEXT_PROGRAM, _PROGRAM_BY_ID, _INFORMATION, _QUERY = 11, 13, 15, 16
_ATTRIBUTES = 128  # bytes
_CLASSIFIER, _FLOW_DISSECTOR, _SOCKET_LOOKUP = 3, 22, 30  # BPF_PROG_TYPE_…
_TCX = {46: "ingress", 47: "egress"}
_OF_NAMESPACES = {_FLOW_DISSECTOR: (17, "dissects flows"), _SOCKET_LOOKUP: (36, "chooses sockets")}

_libc = ctypes.CDLL(None, use_errno=True)


def loaded() -> frozenset[int]:
    """Return of which types programs are loaded on this machine: where there are none, none need be looked for."""
    types = set()
    identifier = 0
    while (answer := _call(_NEXT_PROGRAM, struct.pack("=I", identifier))) is not None:
        (identifier,) = struct.unpack_from("=I", answer, 4)
        if (program := _descriptor(identifier)) is not None:
            try:
                information = ctypes.create_string_buffer(256)
                request = struct.pack("=IIQ", program, len(information), ctypes.addressof(information))
                if _call(_INFORMATION, request) is not None:
                    types.add(struct.unpack_from("=I", information.raw)[0])
            finally:
                os.close(program)
    return frozenset(types)


def on_interface(types: frozenset[int], index: int) -> str | None:
    """Return the direction in which programs are attached to an interface by tcx, None where none is."""
    if _CLASSIFIER in types:
        for attachment, direction in _TCX.items():
            if _attached(index, attachment):
                return direction
    return None


def in_namespace(types: frozenset[int]) -> Iterator[str]:
    """Yield the programs that are attached to the namespace itself, as people call them."""
    wanted = [each for kind, each in _OF_NAMESPACES.items() if kind in types]
    if wanted:
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for attachment, what in wanted:
                if _attached(here, attachment):
                    yield f"an eBPF program that {what}"
        finally:
            os.close(here)


def _attached(target: int, attachment: int) -> int:
    answer = _call(_QUERY, struct.pack("=II", target, attachment))
    return struct.unpack_from("=I", answer, 24)[0] if answer is not None else 0


def _descriptor(identifier: int) -> int | None:
    result = _system_call(_PROGRAM_BY_ID, bytearray(struct.pack("=I", identifier)))
    return result if result >= 0 else None


def _call(command: int, request: bytes) -> bytes | None:
    """Return the attributes as the kernel leaves them, None where it refuses."""
    content = bytearray(request)
    return bytes(content) if _system_call(command, content) >= 0 else None


def _system_call(command: int, content: bytearray) -> int:
    if _NUMBER is None:
        return -1
    content.extend(bytes(_ATTRIBUTES - len(content)))
    buffer = (ctypes.c_char * _ATTRIBUTES).from_buffer(content)
    return int(_libc.syscall(_NUMBER, command, ctypes.byref(buffer), _ATTRIBUTES))
