"""Wait until kernel and UDP servers have processed every packet between namespaces of this machine.

A packet that leaves by one end of a virtual link waits in the queue of the processor that sent it until that
processor takes it in at the other end, and so on for every link that it crosses, always on the same processor. These
queues are first in, first out, one for each processor and all namespaces. So when a packet of ours, sent on a
processor over a loopback interface, has arrived, every packet that was in that processor's queue before it has
crossed one more link. After as many of ours as a packet can cross links, none of the earlier ones is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from farshore.fabric.names import NodeName
from farshore.machine.namespace import namespace_name, unnamed
from farshore.machine.world import PRIVATE

# There and back, and an error about it: as many links each as there are steps in a time to live (RFC 1812: 64).
_LINKS = 3 * 64
_ARRIVES_IN = 60.0  # seconds, a safety net: nothing but a machine that stands still takes so long
# A datagram for a server is sent again after so many seconds, for its queue may have been full. The server may be
# one of the user's own that answers nothing: so many seconds are waited for it, which is a safety net too.
_AGAIN_AFTER, _ANSWERS_IN = 1.0, 30.0
_LARGEST_DATAGRAM = 65535
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


class Settling:
    """A loopback interface of its own, and the packets that are sent over it."""

    def __init__(self) -> None:
        """Make the interface, in a namespace that only its socket keeps. Raises OSError."""
        with unnamed():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            fcntl.ioctl(self._socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(self._socket.getsockname())
        self._socket.settimeout(_ARRIVES_IN)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        """Give the interface up."""
        self.close()

    def close(self) -> None:
        """Give the interface up."""
        self._socket.close()

    def settle(self) -> None:
        """Return when every packet that has been sent before has arrived, or has been dropped.

        What a program sends in answer is sent later. Raises TimeoutError where the machine stands still.
        """
        with _own_processors() as processors:
            for processor in processors:
                os.sched_setaffinity(0, {processor})
                for _ in range(_LINKS):
                    self._socket.send(b"")
                    self._socket.recv(1)


@contextlib.contextmanager
def _own_processors() -> Iterator[frozenset[int]]:
    """Yield the processors that this thread may run on, and let it run on all of them again."""
    processors = os.sched_getaffinity(0)
    try:
        yield frozenset(processors)
    finally:
        os.sched_setaffinity(0, processors)


def wait_for_server(node: NodeName, address: str, port: int) -> None:
    """Return when the server at a UDP port of a node has answered every datagram that arrived at it before.

    A server takes datagrams in the order of their arrival. When it answers one that is sent in its own node, it has
    answered all earlier ones. Returns at once where no program serves the port.
    """
    with PRIVATE.entered(namespace_name(node)):
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with asking, contextlib.suppress(ConnectionRefusedError):
        asking.settimeout(_AGAIN_AFTER)
        asking.connect((address, port))
        deadline = time.monotonic() + _ANSWERS_IN
        while time.monotonic() < deadline:
            asking.send(b"farshore waits")
            with contextlib.suppress(TimeoutError):
                asking.recv(_LARGEST_DATAGRAM)
                return
