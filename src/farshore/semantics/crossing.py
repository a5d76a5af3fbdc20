"""The result of a packet at a device: the events, in order, and the egress interface."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from farshore.semantics.flow import Flow
from farshore.semantics.packet import Packet
from farshore.semantics.routing import Found


class Verb(StrEnum):
    """What happened to a packet inside a device."""

    GUARDED = "guard"
    TRANSLATED = "translate"
    ROUTED = "route"
    FILTERED = "filter"
    PROXIED = "proxy"
    GATHERED = "gather"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``says`` is a clause for people; ``wrong`` marks a glitch or a refusal.

    ``found`` is what a route look-up came to.
    """

    verb: Verb
    says: str
    before: Packet
    after: Packet
    wrong: bool = False
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A packet's way through a device: the events and, unless it is dropped, the egress interface."""

    events: tuple[Event, ...]
    packet: Packet
    egress: str | None
    flow: Flow | None

    @property
    def refused(self) -> bool:
        """Tell whether the packet went no further."""
        return self.egress is None
