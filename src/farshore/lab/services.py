"""What a lab's first process holds: the servers that answer as its end systems.

The network around them is changed by others, between :meth:`Services.withdraw` and :meth:`Services.provide`: what is
not desired any more ends before its node goes, and what is new begins when its node stands. What stays is not touched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from farshore.engine.haproxy.configuration import ENGINE_NAME
from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine.changes import Change, LoadConfiguration
from farshore.machine.exhaustion import exhaustion
from farshore.machine.steps import Step, Steps
from farshore.traffic.servers import Offer, Servers


@dataclass(frozen=True, slots=True)
class ServiceChange(Change):
    """A change of a server. ``does`` is what is done, in words."""

    does: str

    @property
    def what(self) -> str:
        """Return what is done, in words."""
        return self.does


class Services:
    """The servers of a lab. To be changed from one thread at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._servers = Servers()

    def difference(self, desired: Collection[Offer]) -> tuple[ServiceChange, ...]:
        """Return what :meth:`withdraw` and :meth:`provide` will do."""
        surplus = self._servers.surplus(desired)
        return (
            *(
                ServiceChange(each.node, "not part of the fabric, or configured otherwise", f"close {each}")
                for each in surplus
            ),
            *(
                ServiceChange(each.node, "nothing answers there", f"open {each}")
                for each in self._servers.missing(desired)
            ),
        )

    def withdraw(self, desired: Collection[Offer]) -> None:
        """End what is not desired."""
        self._servers.close(self._servers.surplus(desired))

    def provide(self, desired: Collection[Offer]) -> Mapping[NodeName, str]:
        """Begin what is desired and missing. Return why not, by node, where something cannot begin."""
        failures: dict[NodeName, str] = {}
        for each in self._servers.missing(desired):
            try:
                self._servers.open([each])
            except (MachineError, OSError) as error:
                cause = exhaustion(error) if isinstance(error, OSError) else None
                failures.setdefault(each.node, f"{each.node}: open {each}: {cause or error}")
                if cause is not None:
                    break  # what this one lacks, the others lack too
        return failures


class ServersFirst(Steps):
    """Has servers begin before a proxy is loaded: it takes one that does not answer its first check for dead."""

    def __init__(self, provide: Callable[[], object]) -> None:
        """Keep what has them begin, which may be called more than once."""
        self._provide = provide
        self._providing = threading.Lock()

    def before(self, step: Step) -> None:
        """Hear of a step."""
        change = step.changes[0]
        if isinstance(change, LoadConfiguration) and change.engine == ENGINE_NAME:
            with self._providing:
                self._provide()
