"""The summary of a design for one intent, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.errors import Diagnostic
from farshore.fabric.names import NodeName


@dataclass(frozen=True, slots=True)
class Failure:
    """A walk that is not delivered: from, to, at which step, and why."""

    origin: NodeName
    target: str
    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReachedBy:
    """By which ports a host reaches what it should, and by which it does not.

    Where ``identity_lost`` the service expects the caller's identity, and the design does not pass it on.
    """

    origin: NodeName
    target: str
    ports: tuple[str, ...]
    missed: tuple[str, ...]
    identity_lost: bool = False


@dataclass(frozen=True, slots=True)
class Costs:
    """What a design takes.

    ``hops`` and ``translations`` are of the longest delivered walk: boxes that a request crosses, and those that
    translate it; a proxy's second connection counts as one.
    """

    namespaces: int
    lake_addresses: int
    presented_addresses: int
    hops: int
    translations: int


@dataclass(frozen=True, slots=True)
class DesignSummary:
    """One design for one intent.

    ``walks`` is how many were walked: from every tenant's first host to every port of every service that it uses,
    from the Internet, and from the provider where it calls; ``delivered`` how many of them arrived, and their
    replies. ``reached`` tells the same of each host and service, the same ones in the same order in every design.
    ``failures`` are the others in order, ``uncarried`` what the design cannot carry by its nature.
    """

    design: str
    walks: int
    delivered: int
    reached: tuple[ReachedBy, ...]
    failures: tuple[Failure, ...]
    uncarried: tuple[Diagnostic, ...]
    costs: Costs

    @property
    def complete(self) -> bool:
        """Tell whether every host reaches what it should."""
        return self.walks == self.delivered and not self.uncarried
