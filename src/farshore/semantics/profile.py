"""Profiles: in which order a kind of box translates, routes and filters. Data, not branches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What a device does to a packet, between taking it in and sending it out."""

    DESTINATION = "translate destination"
    SOURCE = "translate source"
    ROUTE = "route"
    FILTER = "filter"


class Returning(StrEnum):
    """How a device finds the way out for a packet of a flow that it knows."""

    ROUTE = "route"  # a look-up of its own, like the first packet's
    SESSION = "session"  # the way that the session remembers
    LAST_HOP = "last hop"  # where the connection came in


class Grade(StrEnum):
    """How sure the source of a profile is."""

    A = "read in the vendor's own documentation or source"
    B = "read in a secondary source"
    C = "general knowledge"


class Form(StrEnum):
    """Which form of a new packet's destination a filter judges."""

    ARRIVED = "as it arrived"
    TRANSLATED = "as translated"


@dataclass(frozen=True, slots=True)
class Profile:
    """A device's order of operations for a flow's first packet and for its replies.

    On the way back the stage DESTINATION undoes the source translation and SOURCE the destination
    translation. ``filter_reads`` is the form of the destination that permits are judged by: by position
    it would be what the stages before the filter made of it, but some boxes read the other.
    """

    name: str
    forward: tuple[Stage, ...]
    backward: tuple[Stage, ...]
    returning: Returning
    filter_reads: Form
    grade: Grade
    source: str
    returning_says: str = ""

    def translates_before_it_routes(self) -> bool:
        """Tell whether a first packet has its destination translated when its route is looked up."""
        return self.forward.index(Stage.DESTINATION) < self.forward.index(Stage.ROUTE)
