"""Where a proxy of a fabric stands on the machine: a node for each of its routing instances. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from farshore.fabric.model import Fabric, Proxy
from farshore.fabric.names import LinkEnd, NodeName
from farshore.realm import Realm, RealmKind


def instance_name(proxy: Proxy, realm: Realm) -> NodeName:
    """Return the name of a proxy's routing instance for a realm: each is a namespace of its own."""
    return proxy.name if realm.kind is not RealmKind.TENANT else NodeName.of(realm.name, proxy.name.local)


def namespaced_nodes(fabric: Fabric) -> tuple[NodeName, ...]:
    """Return the names of a fabric's nodes as they stand on the machine, in their order."""
    found: list[NodeName] = []
    for node in fabric.nodes.values():
        if isinstance(node, Proxy):
            found += (instance_name(node, interface.realm) for interface in node.interfaces)
        else:
            found.append(node.name)
    return tuple(found)


def instance_ends(fabric: Fabric) -> Mapping[LinkEnd, LinkEnd]:
    """Return, for every interface of a proxy, where it is to be: an interface of one of its instances."""
    return {
        LinkEnd(proxy.name, interface.name): LinkEnd(instance_name(proxy, interface.realm), interface.name)
        for proxy in fabric.proxies
        for interface in proxy.interfaces
    }
