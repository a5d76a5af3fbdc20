"""What a lab's first process holds: the servers that answer as its end systems, and its proxies.

The network around them is changed by others, between :meth:`Services.withdraw` and :meth:`Services.provide`: what is
not desired any more ends before its node goes, and what is new begins when its node stands. What stays is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from farshore.engine.haproxy.process import Appliance
from farshore.fabric.model import Proxy
from farshore.fabric.names import NodeName
from farshore.machine.changes import Change
from farshore.machine.namespace import namespace_name
from farshore.traffic.servers import Offer, Servers


@dataclass(frozen=True, slots=True)
class DesiredServices:
    """What is to be held. ``environment`` are the variables in which proxies find keys."""

    offers: tuple[Offer, ...]
    proxies: tuple[Proxy, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServiceChange(Change):
    """A change of a server or a proxy. ``does`` is what is done, in words."""

    does: str

    @property
    def what(self) -> str:
        """Return what is done, in words."""
        return self.does


class Services:
    """The servers and proxies of a lab. To be changed from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Begin with none; what proxies need is kept in a folder."""
        self._folder = folder
        self._servers = Servers()
        self._proxies: dict[NodeName, Appliance] = {}

    def difference(self, desired: DesiredServices) -> tuple[ServiceChange, ...]:
        """Return what :meth:`withdraw` and :meth:`provide` will do."""
        changes = [
            ServiceChange(each.node, "not part of the fabric, or configured otherwise", f"close {each}")
            for each in self._servers.surplus(desired.offers)
        ]
        changes += [
            ServiceChange(name, "not part of the fabric", "stop proxy") for name in self._surplus_proxies(desired)
        ]
        changes += [
            ServiceChange(each.node, "nothing answers there", f"open {each}")
            for each in self._servers.missing(desired.offers)
        ]
        for proxy in desired.proxies:
            running = self._proxies.get(proxy.name)
            if running is None:
                changes.append(ServiceChange(proxy.name, "none is running", "start proxy"))
            elif not running.is_running(proxy, desired.environment):
                changes.append(ServiceChange(proxy.name, "its configuration differs", "reload proxy"))
        return tuple(changes)

    def _surplus_proxies(self, desired: DesiredServices) -> list[NodeName]:
        wanted = {proxy.name for proxy in desired.proxies}
        return [name for name in self._proxies if name not in wanted]

    def withdraw(self, desired: DesiredServices) -> None:
        """End what is not desired."""
        self._servers.close(self._servers.surplus(desired.offers))
        for name in self._surplus_proxies(desired):
            self._proxies.pop(name).stop()

    def provide(self, desired: DesiredServices) -> None:
        """Begin what is desired and missing. Raises MachineError or OSError where something cannot."""
        self._servers.open(self._servers.missing(desired.offers))
        for proxy in desired.proxies:
            running = self._proxies.get(proxy.name) or Appliance(self._folder / namespace_name(proxy.name))
            running.apply(proxy, desired.environment)
            self._proxies[proxy.name] = running
