"""A proxy's routing instances: a namespace for each realm that it stands in, which forwards nothing. Pure.

The program that runs in the provider's instance listens in all the others. What connects two instances is that
program and nothing else: where it stops, no packet has a way across.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

from farshore.engine.nftables.kernel_settings import instance_settings
from farshore.engine.nftables.proxy_ruleset import provider_ruleset, tenant_ruleset
from farshore.engine.nftables.state import EVERYWHERE, DesiredInterface, DesiredNode, DesiredRoute
from farshore.fabric.model import Interface, Proxy
from farshore.machine.placement import instance_name, namespace_name
from farshore.realm import RealmKind

# An interface as it is to be, with these addresses of its own.
Wired = Callable[[Interface, tuple[IPv4Address, ...]], DesiredInterface]


def instances(proxy: Proxy, wired: Wired) -> Iterator[DesiredNode]:
    """Yield the instances of a proxy. ``wired`` gives its interfaces their places on the links."""
    limits = {limit.ingress: limit for limit in proxy.limits}
    for interface in proxy.interfaces:
        if interface.realm.kind is RealmKind.TENANT:
            fronts = [front for front in proxy.fronts if front.ingress == interface.realm]
            addresses = tuple(dict.fromkeys(front.presented.ip for front in fronts))
            rules = tenant_ruleset(fronts, limits.get(interface.realm))
        else:
            addresses = tuple(dict.fromkeys(front.own.ip for front in proxy.fronts))
            rules = provider_ruleset(proxy.fronts)
        name = instance_name(proxy, interface.realm)
        yield DesiredNode(
            name=name,
            namespace=namespace_name(name),
            interfaces=(wired(interface, addresses),),
            routes=frozenset({DesiredRoute(EVERYWHERE, interface.name)}),
            settings=instance_settings(),
            ruleset=rules,
        )
