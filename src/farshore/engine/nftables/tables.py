"""The tables of the thread's network namespace and its generation, by the kernel itself: no program is started.

The kernel counts the transactions of a namespace (its generation). A namespace whose generation is the one that was
remembered has had none since, by whatever program, and need not be listed: that takes a hundred times as long. The
layouts are those of linux/netfilter/nf_tables.h; a table's comment is written as libnftnl does.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from farshore.machine.attributes import attribute, attributes, text
from farshore.machine.netlink import Kernel

_NETLINK_NETFILTER = 12
_NFT_MSG_GETTABLE, _NFT_MSG_GETGEN = 0x0A01, 0x0A10
_NFT_MSG_NEWTABLE, _NFT_MSG_DELTABLE = 0x0A00, 0x0A02
# A transaction stands between these two, and names, in network byte order, the subsystem: NFNL_SUBSYS_NFTABLES.
_BATCH_BEGIN, _BATCH_END, _OF_NFTABLES = 16, 17, socket.htons(10)
_NLM_F_ACK, _NLM_F_CREATE = 0x004, 0x400
_NLM_F_REQUEST = 0x001
_HEADER, _NETFILTER, _ERROR = struct.Struct("=IHHII"), struct.Struct("=BBH"), struct.Struct("=i")
_NFTA_GEN_ID = 1
_NFTA_TABLE_NAME, _NFTA_TABLE_USERDATA = 1, 6
_COMMENT = 0
_LARGEST_ANSWER = 65536
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_TRIES = 20
_ANYTHING = _NETFILTER.pack(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Present:
    """What stands in a namespace: its generation, and the comments of its tables by family and name."""

    generation: int
    tables: Mapping[str, str]


def present() -> Present:
    """Return what stands in the thread's namespace. Raises OSError where the kernel refuses."""
    with Kernel(_NETLINK_NETFILTER) as kernel:
        for _ in range(_TRIES):
            before = _generation(kernel)
            try:
                tables = dict(_tables(kernel))
            except InterruptedError:
                continue
            if _generation(kernel) == before:
                return Present(before, tables)
    raise OSError("the tables change faster than they can be listed")


def write_comment(name: str, comment: str, *, is_there: bool) -> None:
    """Make an empty table with a comment, in one transaction, in place of the one that is there.

    Raises OSError where the kernel refuses.
    """
    family, _, own = name.partition(" ")
    number = next(each for each, known in _FAMILIES.items() if known == family)
    named = attribute(_NFTA_TABLE_NAME, own.encode() + b"\0")
    words = comment.encode() + b"\0"
    content = named + attribute(_NFTA_TABLE_USERDATA, bytes((_COMMENT, len(words))) + words)
    messages = [
        _message(_BATCH_BEGIN, _NLM_F_REQUEST, _NETFILTER.pack(0, 0, _OF_NFTABLES)),
        # Deleting costs a wait for all processors, so only what is there is deleted.
        *([_message(_NFT_MSG_DELTABLE, _NLM_F_REQUEST, _NETFILTER.pack(number, 0, 0) + named)] if is_there else []),
        _message(
            _NFT_MSG_NEWTABLE, _NLM_F_REQUEST | _NLM_F_CREATE | _NLM_F_ACK, _NETFILTER.pack(number, 0, 0) + content
        ),
        _message(_BATCH_END, _NLM_F_REQUEST, _NETFILTER.pack(0, 0, _OF_NFTABLES)),
    ]
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_NETFILTER) as kernel:
        kernel.send(b"".join(messages))
        answer = kernel.recv(_LARGEST_ANSWER)
        (code,) = _ERROR.unpack_from(answer, _HEADER.size)
        if code != 0:
            raise OSError(-code, f"table {name}: {os.strerror(-code)}")


def _message(kind: int, flags: int, content: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, 0, 0) + content


def _generation(kernel: Kernel) -> int:
    content = kernel.answer(_NFT_MSG_GETGEN, _ANYTHING)
    return int.from_bytes(attributes(content, _NETFILTER.size)[_NFTA_GEN_ID], "big")


def _tables(kernel: Kernel) -> Iterator[tuple[str, str]]:
    for _, content in kernel.dump(_NFT_MSG_GETTABLE, _ANYTHING):
        family, _, _ = _NETFILTER.unpack_from(content)
        found = attributes(content, _NETFILTER.size)
        name = text(found[_NFTA_TABLE_NAME])
        yield f"{_FAMILIES.get(family, family)} {name}", _comment(found.get(_NFTA_TABLE_USERDATA, b""))


def _comment(data: bytes) -> str:
    start = 0
    while start + 2 <= len(data):
        kind, size = data[start], data[start + 1]
        if kind == _COMMENT:
            return text(data[start + 2 : start + 2 + size])
        start += 2 + size
    return ""
