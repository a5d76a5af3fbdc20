"""Talking to the kernel over route netlink: one request at a time, each answered by yes or by an error.

pyroute2 knows the messages; its sockets, each with an event loop of its own, would take more time than
everything else that is done for a node.
"""

from __future__ import annotations

import os
import socket
import struct
from types import TracebackType
from typing import Self

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ERROR = struct.Struct("=i")
_NLMSG_ERROR = 2
_LARGEST_ANSWER = 65536


class Kernel:
    """A route netlink socket, in the network namespace in which the thread was when it was opened."""

    def __init__(self) -> None:
        """Open the socket."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)

    def __enter__(self) -> Self:
        """Return this socket; it is closed at the end."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, request: bytes) -> None:
        """Have the kernel do what a request asks for. Raises OSError where it refuses, with its reason."""
        self._socket.send(request)
        answer = self._socket.recv(_LARGEST_ANSWER)
        _, kind, *_ = _HEADER.unpack_from(answer)
        if kind != _NLMSG_ERROR:
            raise OSError(f"the kernel answers a request with a message of type {kind}")
        (code,) = _ERROR.unpack_from(answer, _HEADER.size)
        if code != 0:
            raise OSError(-code, os.strerror(-code))
