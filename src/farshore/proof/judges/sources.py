"""Sources of packets, and the path of every possible packet that is injected there.

All judges do the same at such a place, and it is written once here: inject, enter which nodes packets reach and how
their flows look to the devices on the way, and refute what is wrong of any sender: a look-up with two answers, a reply
that is lost, an offer that is not reached. A judge adds what only its own senders may do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from farshore.fabric.model import Device, EndSystem, Fabric
from farshore.fabric.names import LinkEnd, NodeName
from farshore.proof.judges.account import Account, Packets, Property
from farshore.proof.judges.flows import prints
from farshore.proof.sets.intervals import Intervals, union
from farshore.proof.sets.senders import Senders, every_source
from farshore.proof.sets.targets import Targets, every_target
from farshore.proof.spread.crossing import Stream
from farshore.proof.spread.returning import Clean, Fault, Strayed, strayed
from farshore.proof.spread.spread import Arrival, LinkVisit, Spread, Terrain, spread
from farshore.realm import Realm, RealmKind


@dataclass(frozen=True, slots=True)
class TenantSite:
    """A tenant's side of a fabric: its hosts, the router that they are behind, and its links to the provider.

    ``uplinks`` are the router's interfaces whose links do not lead to one of the hosts.
    """

    hosts: tuple[EndSystem, ...]
    router: NodeName
    uplinks: tuple[LinkEnd, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everywhere that packets come from: ``tenants`` by their names, the others by their nodes'."""

    fabric: Fabric
    tenants: Mapping[str, tuple[EndSystem, ...]]
    provider: Mapping[str, EndSystem]
    internet: Mapping[str, EndSystem]

    @classmethod
    def of(cls, fabric: Fabric) -> Sources:
        """Find every place of a fabric that packets come from.

        Raises ValueError where there are attachments: what comes in from outside is not looked at yet.
        """
        if fabric.attachments:
            where = next(iter(fabric.attachments.values()))
            raise ValueError(f"the proof does not cover what enters the fabric at {where}")
        hosts: dict[str, list[EndSystem]] = {}
        provider: dict[str, EndSystem] = {}
        internet: dict[str, EndSystem] = {}
        for node in fabric.end_systems:
            realm = node.address.realm
            if realm.kind is RealmKind.TENANT:
                hosts.setdefault(realm.name, []).append(node)
            elif realm.kind is RealmKind.INTERNET:
                internet[node.name] = node
            else:
                provider[node.name] = node
        return cls(fabric, {name: tuple(own) for name, own in hosts.items()}, provider, internet)

    def site(self, tenant: str) -> TenantSite:
        """Return a tenant's side of the fabric."""
        fabric, hosts = self.fabric, self.tenants[tenant]
        router = fabric.far_ends[LinkEnd(hosts[0].name, hosts[0].interface.name)].node
        node = fabric.nodes[router]
        assert isinstance(node, Device)  # noqa: S101 - hosts stand behind routers
        ends = (LinkEnd(router, interface.name) for interface in node.interfaces)
        uplinks = tuple(end for end in ends if not isinstance(fabric.nodes[fabric.far_ends[end].node], EndSystem))
        return TenantSite(hosts, router, uplinks)


# The sources of which every packet arrived and was answered: by the node's interface that they were injected at, the
# node that they came to, and the address and the port index that they were sent to.
Answered = dict[tuple[str, NodeName, int, int], Intervals]


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An interface that packets are sent out of, the realm of its link, and the account of what is found of them."""

    terrain: Terrain
    start: LinkEnd
    realm: Realm
    account: Account

    def everything(self) -> Stream:
        """Return every possible packet on the link."""
        return Stream(every_source(self.realm), every_target(self.realm))

    def inject(self, stream: Stream) -> Spread:
        """Send packets and return what becomes of them. What the boxes met decides what a change can touch."""
        found = spread(self.terrain, self.start, stream)
        self.account.met.extend(found.met)
        return found

    def refute(
        self, what: Property, where: str, reason: str, senders: tuple[Senders, ...], targets: tuple[Targets, ...]
    ) -> None:
        """Enter packets from here as ones that refute a property, at a node or for a tenant."""
        self.account.refute(what, Packets(self.start, senders, targets), where, reason)

    def refute_look_ups(self, found: Spread) -> None:
        """Refute every look-up that has no one right answer."""
        for node, each in found.two_sided:
            reason = f"the route to the destination is {each.found}"
            self.refute(Property.AMBIGUITY, node, reason, each.stream.senders, each.stream.targets)

    def beyond(self, visit: LinkVisit) -> Realm:
        """Return the realm of the link that packets left a device by."""
        return self.terrain.boxes[visit.node].realms[visit.passage.egress]

    def enter_flows(self, visit: LinkVisit) -> None:
        """Enter how flows look to a device that remembers them."""
        node = self.terrain.fabric.nodes[visit.node]
        if isinstance(node, Device) and node.policy is not None:
            self.account.prints.extend(prints(visit, node, self.start))

    def arrivals(
        self, found: Spread, of_interest: Callable[[Arrival], bool] | None = None
    ) -> Iterator[tuple[Arrival, tuple[Strayed, ...]]]:
        """Enter every arrival of interest, and yield it with those of its packets whose replies are lost."""
        clean: Clean = {}
        for arrival in found.arrivals if of_interest is None else filter(of_interest, found.arrivals):
            self.account.reach(self.start, arrival.node.name, arrival.stream.senders, arrival.stream.targets)
            yield arrival, tuple(strayed(self.terrain, arrival, clean))

    def refute_replies(self, lost: Iterable[Strayed]) -> None:
        """Refute every reply that does not come back."""
        for each in lost:
            what = Property.AMBIGUITY if each.fault is Fault.TWO_SIDED else Property.RETURN_PATH
            self.refute(what, each.node, f"{each.fault}, at {each.node}", each.senders, each.targets)

    def enter_answered(
        self, answered: Answered, arrival: Arrival, targets: Iterable[Targets], sources: Intervals
    ) -> None:
        """Enter the sources that are answered where the node listens; by a doubtful route nothing is sure to arrive."""
        if any(visit.passage.doubtful for visit in arrival.path):
            return
        for target in targets:
            for port_index in arrival.listening(target):
                key = (self.start.interface, arrival.node.name, target.first, port_index)
                before = answered.get(key)
                answered[key] = sources if before is None else union((*before, *sources))

    def refute_reach(
        self, node: NodeName, name: str, senders: tuple[Senders, ...], destination: int, port_index: int
    ) -> None:
        """Refute that a node, known by a name, is reached at an address and port."""
        target = Targets(destination, destination, destination, port_index, port_index, self.realm)
        reason = f"{name} is not reached, or its reply is lost"
        self.refute(Property.REACH, node, reason, senders, (target,))
