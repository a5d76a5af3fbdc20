"""The scope of the checks: the valid part of a file, and the wording that all checks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import zip_longest

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position
from farshore.intent.check.network_table import NetworkTable, Placed, end_of
from farshore.intent.model import Provider, Salvage
from farshore.lookup import Nearest
from farshore.port import Port
from farshore.realm import Prefix

OTHER_LAKE = "set lake in provider to an unused range"
BETWEEN_THE_ENDS = "choose an address between the first and the last"


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of a file that could be read; ``nearest`` suggests names for the whole file, a bounded number."""

    file: str
    parts: Salvage
    provider: Provider | None
    nearest: Nearest

    @classmethod
    def of(cls, parts: Salvage) -> Scope:
        """Return the scope of one run of the checks."""
        return cls(parts.file, parts, parts.provider, Nearest())

    def whole(self, owner: str, key: str) -> bool:
        """Tell whether nothing of a key was refused, so that what is absent there is absent from the file."""
        return key not in self.parts.damage.get(owner, frozenset())

    def fault(self, position: Position, code: DiagnosticCode, problem: str, fix: str) -> Diagnostic:
        """Return a diagnostic of this file."""
        return Diagnostic(self.file, position, code, problem, fix)

    def duplicate_ports(
        self, subject: str, ports: tuple[Port, ...], positions: tuple[Position, ...]
    ) -> Iterator[Diagnostic]:
        """Yield the ports that are listed more than once. ``subject`` names the list."""
        first: dict[Port, Position] = {}
        for port, position in zip(ports, positions, strict=False):
            if first.setdefault(port, position) is not position:
                problem = f"{subject}: duplicate port {port} (first in line {first[port].line})"
                yield self.fault(position, DiagnosticCode.DUPLICATE_ENTRY, problem, "keep one of them")

    def end_of_network(
        self, subject: str, address: IPv4Address, network: Placed, position: Position
    ) -> Iterator[Diagnostic]:
        """Yield a fault where an address is the network or broadcast address of its network."""
        if end := end_of(network.network, address):
            problem = f"{subject}: {address} is the {end} address of {network}"
            yield self.fault(position, DiagnosticCode.END_OF_NETWORK, problem, BETWEEN_THE_ENDS)


def lake_name(provider: Provider) -> str:
    """Return the lake as messages show it, with the line where the file sets it."""
    origin = "the default" if provider.lake_position == provider.position else f"line {provider.lake_position.line}"
    return f"the lake {provider.lake.network} ({origin})"


def placed(prefixes: tuple[Prefix, ...], positions: Iterable[Position]) -> tuple[Placed, ...]:
    """Return prefixes with their positions, as far as these are known."""
    known = tuple(positions)[: len(prefixes)]
    pairs = zip_longest(prefixes, known, fillvalue=Position())
    return tuple(Placed(prefix.network, position) for prefix, position in pairs if isinstance(prefix, Prefix))


@dataclass(frozen=True, slots=True)
class ProviderNetworks:
    """The provider's networks and source, for finding the one that contains an address."""

    networks: NetworkTable
    source: NetworkTable

    @classmethod
    def of(cls, provider: Provider) -> ProviderNetworks:
        """Return the tables of a provider."""
        networks = placed(provider.networks, provider.network_positions)
        return cls(NetworkTable(networks), NetworkTable(placed(provider.source, provider.source_positions)))

    def misplaced(
        self, scope: Scope, provider: Provider, subject: str, address: IPv4Address, position: Position
    ) -> Iterator[Diagnostic]:
        """Yield what is wrong with the place of a service or a host in the provider's networks."""
        source, own = self.source.holding(address), self.networks.holding(address)
        if source is not None:
            problem = f"{subject}: address {address} is inside the provider's source {source}"
            fix = "give source a prefix without services and hosts"
            yield scope.fault(position, DiagnosticCode.INSIDE_SOURCE, problem, fix)
        if address in provider.lake.network:
            problem = f"{subject}: address {address} is inside {lake_name(provider)}"
            fix = OTHER_LAKE if own is not None else "choose an address of the provider's networks, or set another lake"
            yield scope.fault(position, DiagnosticCode.LAKE_OVERLAP, problem, fix)
        elif own is not None:
            yield from scope.end_of_network(subject, address, own, position)
        elif scope.whole("provider", "networks"):
            line = provider.network_positions[0].line if provider.network_positions else provider.position.line
            problem = f"{subject}: address {address} is outside the provider's networks"
            fix = f"add its network to networks in provider (line {line}), or correct the address"
            yield scope.fault(position, DiagnosticCode.OUTSIDE_NETWORKS, problem, fix)
