"""The difference between what should be and what is: pure, every change with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from farshore.fabric.names import LinkEnd, NodeName
from farshore.machine.actual import ActualInterface, ActualNode, ActualState
from farshore.machine.changes import (
    AddRoute,
    AddRule,
    BorrowInterface,
    Change,
    ConfigureBorrowed,
    ConfigureInterface,
    CreateLink,
    CreateNamespace,
    DeleteNamespace,
    DetachProgram,
    DropRecord,
    LoadConfiguration,
    LowerTunnel,
    MakeSetting,
    RaiseLoopback,
    RemoveAddress,
    RemoveAltname,
    RemoveForeign,
    RemoveForeignRoute,
    RemoveForeignRule,
    RemoveInterface,
    RemoveIpsec,
    RemoveNeighbour,
    RemoveNextHop,
    RemoveQdisc,
    RemoveRoute,
    RemoveRule,
    RestoreInterface,
    ReturnInterface,
    UnloadConfiguration,
)
from farshore.machine.desired import DesiredInterface, DesiredNode, DesiredState
from farshore.machine.engine import NOTHING, Engine, Reading
from farshore.machine.foreign import Foreign, Kind
from farshore.machine.namespace import node_name

_NOT_DESIRED = "not part of the fabric, or configured otherwise"
_REMOVALS: Mapping[Kind, type[RemoveForeign]] = {
    Kind.ADDRESS: RemoveAddress,
    Kind.NEIGHBOUR: RemoveNeighbour,
    Kind.ROUTE: RemoveForeignRoute,
    Kind.RULE: RemoveForeignRule,
    Kind.QDISC: RemoveQdisc,
    Kind.PROGRAM: DetachProgram,
    Kind.NEXT_HOP: RemoveNextHop,
    Kind.ALTNAME: RemoveAltname,
    Kind.IPSEC: RemoveIpsec,
    Kind.TUNNEL: LowerTunnel,
}
_FORWARDING = "net/ipv4/ip_forward"
# The kernel writes this one when forwarding is switched on or off.
_FOLLOWING = "net/ipv4/conf/all/accept_redirects"
# So does it with this one, of every interface too.
_FORWARDED = "net/ipv4/conf/default/forwarding"
_OF_NEW_INTERFACES = {"net/ipv4/conf/default/": "ipv4/", "net/ipv6/conf/default/": "ipv6/"}


def difference(desired: DesiredState, actual: ActualState, engines: tuple[Engine, ...] = ()) -> tuple[Change, ...]:
    """Return what must change, in the order in which it is to be done. Empty where all is as it should be.

    What is to go is closed before it is taken apart: what engines run there ends, its links go, then its namespace.
    What filters stands before anything can flow: configurations of engines, then settings (forwarding among them), then
    links and routes, and last the configurations that need them.
    """
    early = tuple(engine for engine in engines if not engine.needs_links)
    late = tuple(engine for engine in engines if engine.needs_links)
    there = {name: node for name, node in actual.nodes.items() if node is not None}
    present = {name: node for name, node in there.items() if not node.lasting}
    # What stays until its namespace ends has it end, and made anew.
    ending = dict.fromkeys(actual.unwanted, "not part of the fabric")
    ending |= {name: f"{node.lasting[0]}: it is made anew" for name, node in there.items() if node.lasting}
    unwanted_nodes = {**actual.unwanted, **_less(there, present)}
    nodes = desired.nodes.values()
    doomed = {
        LinkEnd(name, interface.name)
        for name, node in present.items()
        for interface in _doomed(desired, desired.nodes[name], node, early)
    }
    unwanted = {LinkEnd(name, interface) for name, node in unwanted_nodes.items() for interface in node.interfaces}
    # The far end of a removed link goes with it.
    missing = [
        link
        for link in desired.links
        if any(_is_missing(end, present, doomed) for end in (link.left, link.right))
        or not _are_joined(present[link.left.node], link.left, present[link.right.node], link.right)
    ]
    fresh = {end for link in missing for end in (link.left, link.right)}
    return (
        *(change for engine in engines for change in _ends(desired, engine, actual, ending)),
        *_interface_removals(actual.unwanted, unwanted, set(), "its node is not part of the fabric"),
        *_interface_removals(_less(there, present), unwanted, set(), "its node is made anew"),
        *_interface_removals(present, doomed, fresh, _NOT_DESIRED),
        *_left_at_home(desired, actual),
        *(DeleteNamespace(name, why) for name, why in ending.items()),
        *(CreateNamespace(name, "missing") for name in desired.nodes if name not in present),
        *(change for engine in early for change in _loads(desired, engine, present)),
        *(change for engine in early for change in _unloads(desired, engine, present, actual.held)),
        *(change for node in nodes for change in _settings(node, present.get(node.name), doomed | fresh)),
        *(change for node in nodes for change in _name_removals(node, present.get(node.name), doomed | fresh)),
        *(CreateLink(link.left.node, "missing", link) for link in missing),
        *(change for node in nodes for change in _wiring(node, present.get(node.name), doomed, fresh)),
        *(change for engine in late for change in _loads(desired, engine, present)),
        *(change for engine in late for change in _unloads(desired, engine, present, actual.held)),
    )


def _less(all_of_it: Mapping[NodeName, ActualNode], less: Collection[NodeName]) -> dict[NodeName, ActualNode]:
    return {name: node for name, node in all_of_it.items() if name not in less}


# --- links --------------------------------------------------------------------------------------------------


def _doomed(
    desired: DesiredState, node: DesiredNode, actual: ActualNode, engines: tuple[Engine, ...]
) -> Iterator[ActualInterface]:
    """Yield the interfaces that must go: all, where a node is to lose all that filters there."""
    opened = any(
        actual.loaded.get(engine.name, NOTHING).loaded and not desired.wanted(engine.name, [node.name])
        for engine in engines
    )
    wanted = {(interface.name, interface.mac, interface.mtu, "veth") for interface in node.interfaces}
    borrowed = {(each.name, each.port) for each in node.borrowed}
    for found in actual.interfaces.values():
        kept = (found.name, found.mac, found.mtu, found.kind) in wanted or (found.name, found.home) in borrowed
        if opened or not kept or (found.program is not None and found.home is None):
            yield found


def _is_missing(end: LinkEnd, present: Mapping[NodeName, ActualNode], doomed: set[LinkEnd]) -> bool:
    return end in doomed or end.node not in present or end.interface not in present[end.node].interfaces


def _are_joined(left_node: ActualNode, left: LinkEnd, right_node: ActualNode, right: LinkEnd) -> bool:
    """Tell whether two interfaces are the ends of one link, as far as their numbers tell."""
    here, there = left_node.interfaces[left.interface], right_node.interfaces[right.interface]
    return here.peer in (None, there.index) and there.peer in (None, here.index)


def _interface_removals(
    present: Mapping[NodeName, ActualNode], doomed: set[LinkEnd], fresh: set[LinkEnd], reason: str
) -> Iterator[Change]:
    """Yield the removals of what is doomed, for a reason, and of the far ends that go with it."""
    for name, node in present.items():
        for interface in node.interfaces.values():
            end = LinkEnd(name, interface.name)
            if end in doomed:
                if interface.home is None:
                    why = (
                        reason
                        if interface.program is None
                        else f"an eBPF program is attached to it, {interface.program}"
                    )
                    yield RemoveInterface(name, why, interface.name)
                else:
                    yield ReturnInterface(name, reason, interface.name, interface.home)
            elif end in fresh:
                yield RemoveInterface(name, "the far end of its link is replaced", interface.name)


def _left_at_home(desired: DesiredState, actual: ActualState) -> Iterator[Change]:
    """Yield what is left to do where interfaces were borrowed by whoever was cut off, or whose namespace is gone."""
    wanted = {each.port for node in desired.nodes.values() for each in node.borrowed}
    nodes = (*(node for node in actual.nodes.values() if node is not None), *actual.unwanted.values())
    away = {interface.home for node in nodes for interface in node.interfaces.values()}
    for port, marked in actual.home.marked.items():
        if port not in wanted:
            why = "back, and without what it had"
            yield RestoreInterface(node_name(marked.namespace), why, marked.interface, port)
    for port, record in actual.home.records.items():
        if port not in away | wanted and port not in actual.home.marked:
            ended = f"{port} does not exist any more: it ended with its namespace or was deleted"
            why = f"{port} has all that it had" if port in actual.home.names else ended
            yield DropRecord(node_name(record.namespace), why, port)


# --- engines ------------------------------------------------------------------------------------------------


def _loads(desired: DesiredState, engine: Engine, present: Mapping[NodeName, ActualNode]) -> Iterator[Change]:
    """Yield what an engine is to load: of what it loads at once all, where one of it is not as it is to be."""
    wanted = desired.wanted(engine.name, desired.nodes)
    found = {node: _loaded(engine, node, present) for node in wanted}
    for members, unit in _units(engine, wanted):
        reasons = {node: why for node in members if (why := _reason(engine, wanted[node], found[node])) is not None}
        in_use = any(found[node].loaded is not None for node in members)
        for node in members if reasons else ():
            why = reasons.get(node) or f"loaded together with {next(iter(reasons))}"
            yield LoadConfiguration(node, why, engine.name, engine.noun, wanted[node], in_use, unit)


def _reason(engine: Engine, configuration: str, found: Reading) -> str | None:
    """Return why a configuration is to be loaded, None where it is there."""
    if found.loaded is None:
        return f"no {engine.noun} is loaded"
    if not found.intact:
        return "modified by another program"
    if found.loaded != engine.digest(configuration):
        return f"the desired {engine.noun} has changed"
    return None


def _ends(
    desired: DesiredState, engine: Engine, actual: ActualState, ending: Mapping[NodeName, str]
) -> Iterator[Change]:
    """Yield the end of what an engine holds for nodes where it is to load nothing, or whose namespace ends."""
    held = actual.held.get(engine.name, frozenset())
    kept = desired.wanted(engine.name, desired.nodes).keys() - ending.keys()
    for members, unit in _units(engine, sorted(held - kept)):
        for node in members:
            why = "its node is not part of the fabric" if node not in desired.nodes else "none is desired here"
            if node in ending and node in desired.nodes:
                why = "its node is made anew"
            yield UnloadConfiguration(node, why, engine.name, engine.noun, None, unit)


def _unloads(
    desired: DesiredState,
    engine: Engine,
    present: Mapping[NodeName, ActualNode],
    held: Mapping[str, frozenset[NodeName]],
) -> Iterator[Change]:
    wanted = desired.wanted(engine.name, desired.nodes)
    found = {node: _loaded(engine, node, present) for node in desired.nodes}
    kept = wanted.keys() | held.get(engine.name, frozenset())
    gone = [node for node, reading in found.items() if reading.loaded is not None and node not in kept]
    for members, unit in _units(engine, gone):
        for node in members:
            yield UnloadConfiguration(node, "none is desired here", engine.name, engine.noun, None, unit)
    for node, reading in found.items():
        for each in reading.surplus:
            yield UnloadConfiguration(node, f"{each} is not part of the fabric", engine.name, engine.noun, each)


def _loaded(engine: Engine, node: NodeName, present: Mapping[NodeName, ActualNode]) -> Reading:
    return present[node].loaded.get(engine.name, NOTHING) if node in present else NOTHING


def _units(engine: Engine, nodes: Collection[NodeName]) -> Iterator[tuple[list[NodeName], frozenset[NodeName]]]:
    """Yield the nodes that an engine takes at once, in their order, and as a set where they are several."""
    order = {node: number for number, node in enumerate(nodes)}
    for unit in engine.units(nodes):
        yield sorted(unit, key=order.__getitem__), unit if len(unit) > 1 else frozenset()


# --- settings -----------------------------------------------------------------------------------------------


def _settings(node: DesiredNode, actual: ActualNode | None, replaced: set[LinkEnd]) -> Iterator[Change]:
    wrong = {path: value for path, value in node.settings if actual is None or actual.settings[path] != value}
    wanted = dict(node.settings)
    # What is to forward no more does so at once, and what is to forward does so last.
    if actual is not None and wrong.get(_FORWARDING) == "0":
        wrong = {_FORWARDING: "0", _FOLLOWING: wanted.get(_FOLLOWING, "0"), **wrong}
    if actual is not None and _FORWARDING in wrong:
        wrong.pop(_FORWARDED, None)
    for path, value in wrong.items():
        yield MakeSetting(node.name, f"{path}: desired value {value}", path, value)
    if actual is None:
        return
    of_interfaces = tuple(_of_interfaces(node))
    for interface in actual.interfaces.values():
        if LinkEnd(node.name, interface.name) in replaced:
            continue
        for name, value in of_interfaces:
            if interface.settings.get(name, value) != value and not (
                name.endswith("forwarding") and _FORWARDING in wrong
            ):
                family, _, setting = name.partition("/")
                path = f"net/{family}/conf/{interface.name}/{setting}"
                yield MakeSetting(node.name, f"{path}: desired value {value}", path, value)


def _of_interfaces(node: DesiredNode) -> Iterator[tuple[str, str]]:
    """Yield what each interface of a node is to have: what new ones begin with."""
    for path, value in node.settings:
        for prefix, family in _OF_NEW_INTERFACES.items():
            if path.startswith(prefix):
                yield family + path.removeprefix(prefix), value


# --- what is inside a namespace -----------------------------------------------------------------------------


def _name_removals(node: DesiredNode, actual: ActualNode | None, gone: set[LinkEnd]) -> Iterator[Change]:
    """Yield which alternative names go, before links are made: one may be the name that a new link is to have."""
    for each in actual.foreign if actual is not None else ():
        if each.kind is Kind.ALTNAME and LinkEnd(node.name, each.interface or "") not in gone:
            yield _removal(node, each)


def _wiring(
    node: DesiredNode, actual: ActualNode | None, doomed: set[LinkEnd], fresh: set[LinkEnd]
) -> Iterator[Change]:
    """Yield what changes inside a namespace once its links stand."""
    # What stands on an interface that goes goes with it.
    present = actual.interfaces if actual is not None else {}
    lost = {name for name in present if LinkEnd(node.name, name) in doomed | fresh}
    foreign = [each for each in (actual.foreign if actual is not None else ()) if each.interface not in lost]
    yield from (_removal(node, each) for each in foreign if each.kind not in (Kind.ROUTE, Kind.ALTNAME))
    if actual is not None and not actual.loopback:
        yield RaiseLoopback(node.name, "down, or without its routes")
    elif actual is None and not (node.interfaces or node.routes or node.rules):
        yield RaiseLoopback(node.name, "new")  # where there is anything to wire that goes without saying
    for borrowed in node.borrowed:
        if borrowed.name not in present or borrowed.name in lost:
            yield BorrowInterface(node.name, "missing", borrowed)
        elif _is_changed(found := present[borrowed.name]):
            why = "differs from the desired configuration"
            yield ConfigureBorrowed(node.name, why, borrowed, found.addresses, found.program)
            lost.add(borrowed.name)
    for interface in node.interfaces:
        is_new = LinkEnd(node.name, interface.name) in fresh
        yield from _configuration(node, interface, None if is_new else present.get(interface.name), foreign, lost)
    yield from _routing_policy(node, actual)
    yield from (_removal(node, each) for each in foreign if each.kind is Kind.ROUTE and each.interface not in lost)
    yield from _routes(node, actual, lost)


def _routes(node: DesiredNode, actual: ActualNode | None, lost: set[str]) -> Iterator[Change]:
    standing = actual.routes if actual is not None else frozenset()
    if lost:
        standing = frozenset(route for route in standing if route.interface not in lost)
    if standing == node.routes:
        return
    for route in sorted(standing - node.routes, key=str):
        yield RemoveRoute(node.name, f"{route.destination} is not a desired route", route)
    for route in sorted(node.routes - standing, key=str):
        yield AddRoute(node.name, f"{route.destination} is missing", route)


def _is_changed(borrowed: ActualInterface) -> bool:
    """Tell whether a borrowed interface is otherwise than it is when it has been borrowed."""
    has = borrowed.addresses or borrowed.far_mac or borrowed.program
    return bool(has) or not (borrowed.up and borrowed.plain)


def _removal(node: DesiredNode, found: Foreign) -> Change:
    return _REMOVALS[found.kind](node.name, f"{found.text} is not part of the fabric", found)


def _configuration(
    node: DesiredNode, wanted: DesiredInterface, before: ActualInterface | None, foreign: list[Foreign], lost: set[str]
) -> Iterator[Change]:
    """Yield what an interface needs, and add it to ``lost`` where that costs it its routes.

    The kernel removes the routes of an interface that goes away or down, or that loses its last address; with the
    last address go its permanent neighbours too.
    """
    others = any(each.kind is Kind.ADDRESS and each.interface == wanted.name for each in foreign)
    if before is None:
        yield ConfigureInterface(node.name, "its link is new", wanted, is_new=True)
        lost.add(wanted.name)
        return
    # An address that packets do not reach, for its route is gone, is taken away and given anew.
    surplus = before.addresses - (frozenset(wanted.addresses) if before.local else frozenset())
    bare = (surplus or others) and not before.addresses - surplus
    if bare or not _is_configured(wanted, before):
        yield ConfigureInterface(node.name, "differs from the desired configuration", wanted, surplus)
    if bare or not before.up:
        lost.add(wanted.name)


def _routing_policy(node: DesiredNode, actual: ActualNode | None) -> Iterator[Change]:
    standing = actual.rules if actual is not None else frozenset()
    for rule in sorted(standing - node.rules, key=str):
        yield RemoveRule(node.name, f"rule {rule.priority} is not a desired rule", rule)
    # Those that refuse and those that are gone to come before those that lead there.
    missing = (node.rules - standing) | (actual.lost if actual is not None else frozenset())
    for rule in sorted(missing, key=lambda rule: (-rule.priority, str(rule))):
        yield AddRule(node.name, f"rule {rule.priority} is missing", rule)


def _is_configured(wanted: DesiredInterface, actual: ActualInterface) -> bool:
    same = actual.far_mac == wanted.far_mac and actual.addresses == frozenset(wanted.addresses)
    return actual.up and actual.plain and actual.local and same
