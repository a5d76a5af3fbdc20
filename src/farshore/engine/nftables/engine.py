"""The engine of rule sets: each node's own, loaded and read in its namespace by nft."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from farshore.engine.nftables import nft
from farshore.engine.nftables.desired import ENGINE_NAME
from farshore.engine.nftables.ruleset import RECORD_TABLE
from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine.engine import Configurations, Engine, Reading
from farshore.machine.namespace import Namespaces, namespace_name

# A rule set that has been changed since it was loaded is listed, which is mostly waiting for nft.
_READING_AT_ONCE = 8


class Nftables(Engine):
    """Loads rule sets. A node has one, and all tables of its namespace are this engine's business."""

    @property
    def name(self) -> str:
        """Return the name by which a desired state holds rule sets."""
        return ENGINE_NAME

    @property
    def noun(self) -> str:
        """Return what its configurations are called."""
        return "rule set"

    def digest(self, configuration: str) -> str:
        """Return what tells a rule set from every other."""
        return nft.digest(configuration)

    def units(self, nodes: Iterable[NodeName]) -> Iterator[frozenset[NodeName]]:
        """Yield each node by itself."""
        return (frozenset({node}) for node in nodes)

    def check(self, namespaces: Namespaces, configurations: Configurations) -> None:
        """Have nft check rule sets where they are to be loaded."""
        for node, text in configurations.items():
            with namespaces.entered(namespace_name(node)):
                nft.check(text)

    def read(
        self, namespaces: Namespaces, nodes: Collection[NodeName], *, full: bool = False
    ) -> Mapping[NodeName, Reading]:
        """Return what is loaded in each node, and which tables are not ours."""
        with ThreadPoolExecutor(_READING_AT_ONCE) as pool:
            return dict(zip(nodes, pool.map(self._reader(namespaces, full=full), nodes), strict=True))

    def load(self, namespaces: Namespaces, configurations: Configurations, *, in_use: bool) -> None:
        """Load rule sets, each in one transaction, and hold what is there then against what was meant."""
        for node, text in configurations.items():
            with namespaces.entered(namespace_name(node)):
                nft.load(text, in_use=in_use)

    def unload(self, namespaces: Namespaces, nodes: Collection[NodeName], surplus: Collection[str] = ()) -> None:
        """Delete tables: those of the names in ``surplus`` or, without any, ours."""
        names = [each.removeprefix("table ") for each in surplus] or [*nft.OWN_TABLES, RECORD_TABLE]
        for node in nodes:
            with namespaces.entered(namespace_name(node)):
                nft.unload(names)

    @staticmethod
    def _reader(namespaces: Namespaces, *, full: bool) -> Callable[[NodeName], Reading]:
        def read(node: NodeName) -> Reading:
            try:
                with namespaces.entered(namespace_name(node)):
                    found = nft.remembered(full=full)
            except (OSError, MachineError) as error:
                raise MachineError(f"{node}: read its rule set: {error}") from error
            # Without a record, tables of ours are of a load that was cut off, or of another program.
            loaded = found.wanted if found.ours and found.wanted else "" if found.any else None
            return Reading(loaded, found.intact, tuple(f"table {each}" for each in found.others))

        return read
