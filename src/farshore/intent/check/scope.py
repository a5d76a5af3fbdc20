"""The scope of the checks: the valid part of a file, and the wording that all checks share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import zip_longest

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position
from farshore.fix import Choice, Fix, Path, Remove, choices_of, write
from farshore.intent.check.network_table import NetworkTable, Placed, end_of
from farshore.intent.free_ranges import free_lake
from farshore.intent.model import Provider, Salvage
from farshore.lookup import Nearest
from farshore.port import Port
from farshore.realm import Prefix

_UNUSED_LAKE = "set lake in provider to an unused range"
LAKE_PATH: Path = ("provider", "lake")
BETWEEN_THE_ENDS = "choose an address between the first and the last"


class OtherLake:
    """Finds a lake of the same size that the file does not use, once for a whole run of the checks."""

    __slots__ = ("_fix", "_parts")

    def __init__(self, parts: Salvage) -> None:
        """Begin without having looked."""
        self._parts = parts
        self._fix: str | None = None

    def fix(self) -> str:
        """Return the fix that sets another lake: in words alone where none is free, or not all of the file is known."""
        if self._fix is None:
            parts, self._fix = self._parts, _UNUSED_LAKE
            if parts.provider is not None and not any(parts.damage.values()):
                length = parts.provider.lake.network.prefixlen
                found = free_lake(parts.provider, parts.tenants.values(), length)
                if found is not None:
                    self._fix = write(str(found), "set lake in provider to {}, which is unused", LAKE_PATH)
        return self._fix


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of a file that could be read.

    ``nearest`` suggests names for the whole file, a bounded number; ``lake`` another lake, the same one every time.
    """

    file: str
    parts: Salvage
    provider: Provider | None
    nearest: Nearest
    lake: OtherLake

    @classmethod
    def of(cls, parts: Salvage) -> Scope:
        """Return the scope of one run of the checks."""
        return cls(parts.file, parts, parts.provider, Nearest(), OtherLake(parts))

    def whole(self, owner: str, key: str) -> bool:
        """Tell whether nothing of a key was refused, so that what is absent there is absent from the file."""
        return key not in self.parts.damage.get(owner, frozenset())

    def named(self, unknown: str, known: Collection[str], otherwise: str, path: Path, taken: set[str]) -> str:
        """Return the fix that writes the nearest known name at a path: one that is not yet ``taken``, but then is."""
        fix = self.nearest.fix(unknown, known, otherwise, taken)
        taken.update(str(edit.value) for choice in choices_of(fix) for edit in choice.edits)
        return fix.at(path) if isinstance(fix, Fix) else fix

    def fault(self, position: Position, code: DiagnosticCode, problem: str, fix: str) -> Diagnostic:
        """Return a diagnostic of this file."""
        return Diagnostic(self.file, position, code, problem, fix)

    def duplicate_ports(
        self, subject: str, ports: tuple[Port, ...], positions: tuple[Position, ...], path: Path
    ) -> Iterator[Diagnostic]:
        """Yield the ports that are listed more than once. ``subject`` names the list, which stands at a path."""
        first: dict[Port, Position] = {}
        for port, position in zip(ports, positions, strict=False):
            if first.setdefault(port, position) is not position:
                problem = f"{subject}: duplicate port {port} (first in line {first[port].line})"
                fix = Fix((Choice("remove {} here", (Remove((*path, position), str(port)),)),))
                yield self.fault(position, DiagnosticCode.DUPLICATE_ENTRY, problem, fix)

    def end_of_network(
        self, subject: str, address: IPv4Address, network: Placed, position: Position
    ) -> Iterator[Diagnostic]:
        """Yield a fault where an address is the network or broadcast address of its network."""
        if end := end_of(network.network, address):
            problem = f"{subject}: {address} is the {end} address of {network}"
            yield self.fault(position, DiagnosticCode.END_OF_NETWORK, problem, BETWEEN_THE_ENDS)


def without_overlap(pair: tuple[Placed, Placed], path: Path, also: Path | None = None) -> Fix:
    """Return the fix that removes the smaller of two networks of a list, of equal ones the later.

    ``also`` is the path of a mapping with settings for networks: that of the one removed goes with it.
    """
    later, earlier = pair
    smaller, larger = (later, earlier) if later.network.prefixlen >= earlier.network.prefixlen else (earlier, later)
    shown = str(smaller.network)
    edits = [Remove((*path, smaller.position), shown)]
    if also is not None and smaller.network != larger.network:
        edits.append(Remove((*also, shown), shown))
    words = "remove {} here" if smaller is later else f"remove {{}} in line {smaller.position.line}"
    return Fix((Choice(words, tuple(edits)),))


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
            fix = scope.lake.fix() if own is not None else "choose an address of the provider's networks"
            yield scope.fault(position, DiagnosticCode.LAKE_OVERLAP, problem, fix)
        if own is not None:
            yield from scope.end_of_network(subject, address, own, position)
        elif scope.whole("provider", "networks"):
            line = provider.network_positions[0].line if provider.network_positions else provider.position.line
            problem = f"{subject}: address {address} is outside the provider's networks"
            fix = f"correct the address, or add its network to networks in provider (line {line})"
            yield scope.fault(position, DiagnosticCode.OUTSIDE_NETWORKS, problem, fix)
