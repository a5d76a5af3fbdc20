"""A fabric on Linux: what every engine is to load, and the engines that load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from farshore.engine.haproxy import configuration as haproxy
from farshore.engine.haproxy.engine import Haproxy
from farshore.engine.nftables import desired as nftables
from farshore.engine.nftables.engine import Nftables
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.machine.desired import DesiredState
from farshore.machine.engine import Engine


def desired_state(fabric: Fabric) -> DesiredState:
    """Return the desired state of a whole fabric, with its proxies.

    Raises MachineError where an interface ends outside of the fabric.
    """
    desired = nftables.compile_fabric(fabric)
    configurations = {**desired.configurations, haproxy.ENGINE_NAME: haproxy.configurations(fabric)}
    return replace(desired, configurations=configurations)


def engines(folder: Path, keys: Mapping[NodeName, bytes]) -> tuple[Engine, ...]:
    """Return the engines for such a state.

    Args:
        folder: where programs that run keep what they need; only this user may read it.
        keys: of services that receive the caller's identity in a signed header, by the names of their nodes.
    """
    return Nftables(), Haproxy(folder, {node.local: key for node, key in keys.items()})
