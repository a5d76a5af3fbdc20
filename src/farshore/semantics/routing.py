"""Route look-up, with ambiguity as an outcome of its own: two routes to the same address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from farshore.fabric.model import Route
from farshore.realm import Address


class Found(StrEnum):
    """What a look-up came to."""

    ROUTE = "route"
    NONE = "no route"
    DISCARDED = "discarded"
    AMBIGUOUS = "ambiguous"
    WRONG_SIDE = "through another realm"


# Look-ups without one right answer.
TWO_SIDED = (Found.AMBIGUOUS, Found.WRONG_SIDE)


@dataclass(frozen=True, slots=True)
class LookUp:
    """The outcome, the route for the packet's own realm, and the other one where there are two.

    ``held`` is the route that a real table holds for it, which is colour-blind: the first of equal ones.
    """

    found: Found
    route: Route | None
    rival: Route | None = None
    held: Route | None = None


def look_up(routes: Iterable[Route], destination: Address) -> LookUp:
    """Look a destination up as a router does: by longest prefix, without its realm.

    Where equally long prefixes of different realms hold it, no table has the one right answer; where a longer
    one of another realm holds it, the table has the wrong one. ``route`` is then what would be right, so that
    a walk can go on behind the glitch.
    """
    matching = [route for route in routes if destination.ip in route.destination.network]
    if not matching:
        return LookUp(Found.NONE, None)
    longest = max(route.destination.network.prefixlen for route in matching)
    best = [route for route in matching if route.destination.network.prefixlen == longest]
    right = [route for route in best if route.destination.realm == destination.realm]
    intended = right[0] if right else _own(matching, destination)
    if intended is not None:
        # Another realm's route is no rival where it leads the same way.
        rivals = [route for route in best if route.interface != intended.interface]
        if rivals:
            return LookUp(Found.AMBIGUOUS if right else Found.WRONG_SIDE, intended, rivals[0], best[0])
    chosen = intended or best[0]
    return LookUp(Found.DISCARDED if chosen.interface is None else Found.ROUTE, chosen, held=best[0])


def _own(matching: list[Route], destination: Address) -> Route | None:
    """Return the longest route of the destination's own realm."""
    own = [route for route in matching if route.destination.realm == destination.realm]
    return max(own, key=lambda route: route.destination.network.prefixlen, default=None)
