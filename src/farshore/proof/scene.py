"""Where packets come from: the wires of every tenant, of the provider's own hosts, and of the Internet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farshore.fabric.model import Device, EndSystem, Fabric, LinkEnd
from farshore.realm import RealmKind


@dataclass(frozen=True, slots=True)
class Ground:
    """A tenant's side of a fabric: its hosts, the router that they are behind, and its ways to the provider.

    ``mouths`` are the router's interfaces beyond which a box of the provider stands.
    """

    hosts: tuple[EndSystem, ...]
    router: str
    mouths: tuple[LinkEnd, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everywhere that packets come from. ``grounds`` go by the tenants' names."""

    grounds: Mapping[str, Ground]
    provider: tuple[EndSystem, ...]
    internet: tuple[EndSystem, ...]


def scene(fabric: Fabric) -> Scene:
    """Find every place of a fabric that packets come from."""
    hosts: dict[str, list[EndSystem]] = {}
    provider, internet = [], []
    for node in fabric.end_systems:
        match node.address.realm.kind:
            case RealmKind.TENANT:
                hosts.setdefault(node.address.realm.name, []).append(node)
            case RealmKind.INTERNET:
                internet.append(node)
            case _:
                provider.append(node)
    return Scene({name: _ground(fabric, tuple(own)) for name, own in hosts.items()}, tuple(provider), tuple(internet))


def _ground(fabric: Fabric, hosts: tuple[EndSystem, ...]) -> Ground:
    router = fabric.far_ends[LinkEnd(hosts[0].name, hosts[0].interface.name)].node
    node = fabric.nodes[router]
    assert isinstance(node, Device)  # noqa: S101 - hosts stand behind routers
    ends = (LinkEnd(router, interface.name) for interface in node.interfaces)
    mouths = tuple(end for end in ends if not isinstance(fabric.nodes[fabric.far_ends[end].node], EndSystem))
    return Ground(hosts, router, mouths)
