"""Protocols and ports: what a service offers, and what a filter lets through."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """A protocol that a service may offer."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """What a service listens on: ``tcp/443``, ``udp/53``, or ``icmp`` (echo), which has number 0."""

    protocol: Protocol
    number: int = 0

    def __str__(self) -> str:
        """Return the form that the intent file uses."""
        return "icmp" if self.protocol is Protocol.ICMP else f"{self.protocol}/{self.number}"
