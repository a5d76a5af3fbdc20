"""The paths of several packets as a picture for a terminal, with colours and letters that mark realms.

Above each way, or below it, stand the addresses that its packet carries in each realm that it crosses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from farshore.cli.console import Cell, cell, realm_style
from farshore.conformance.topology import SHARED_SOURCE_PORT
from farshore.fabric.model import Device, EndSystem, Fabric, Node, NodeKind
from farshore.fabric.names import LinkEnd
from farshore.port import Port
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Realm, RealmKind
from farshore.semantics.packet import Packet
from farshore.semantics.profile import profile_of
from farshore.semantics.trace import trace

_LETTERS = {PROVIDER: "P", LAKE: "L", INTERNET: "I"}
_TENANT_LETTERS = "ABCDEFGHJKMNOQRSTUVWXYZ"  # the others are taken


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks for these tenants; they take colours and letters in this order."""

    tenant_names: tuple[str, ...]

    def letter(self, realm: Realm) -> str:
        """Return the letter of a realm, with a number where there are more tenants than letters."""
        if realm.kind is not RealmKind.TENANT:
            return _LETTERS[realm]
        turn, position = divmod(self.tenant_names.index(realm.name), len(_TENANT_LETTERS))
        return _TENANT_LETTERS[position] + (str(turn + 1) if turn else "")

    def style(self, realm: Realm) -> str:
        """Return the colour of a realm."""
        return realm_style(realm, self.tenant_names)

    def label(self, address: Address) -> str:
        """Return ``10.1.1.1 A``."""
        return f"{address.ip} {self.letter(address.realm)}"

    def cell(self, address: Address) -> Cell:
        """Return a label as a cell of a table."""
        return cell(self.label(address), self.style(address.realm))

    def text(self, address: Address) -> Text:
        """Return a label as text."""
        return Text(self.label(address), self.style(address.realm))

    def legend(self, realms: tuple[Realm, ...]) -> Text:
        """Return what the letters of these realms stand for."""
        parts = [Text(f"{self.letter(realm)} {realm}", self.style(realm)) for realm in realms]
        return Text("   ").join(parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A host that calls a port by an address of its own realm."""

    host: EndSystem
    called: Address
    port: Port


@dataclass(frozen=True, slots=True)
class Leg:
    """A packet on the link behind a node: the link's realm, and the addresses that it carries there."""

    node: Node
    realm: Realm
    source: Address
    destination: Address


def path(fabric: Fabric, call: Call) -> tuple[tuple[Leg, ...], EndSystem]:
    """Return the legs of a call's first packet, and the end system that takes it.

    Raises LookupError where it does not arrive.
    """
    host = call.host
    packet = Packet(call.port.protocol, host.address, call.called, SHARED_SOURCE_PORT, call.port.number)
    journey = trace(fabric, profile_of(None), LinkEnd(host.name, host.interface.name), packet, {})
    if journey.arrived_at is None:
        raise LookupError(f"a packet from {host.name} to {call.called} ends at {journey.hops[-1].node}")
    legs = [Leg(host, host.interface.realm, packet.source, packet.destination)]
    for hop in journey.hops:
        node = fabric.nodes[hop.node]
        if isinstance(node, Device) and hop.crossing is not None:
            realm = next(i.realm for i in node.interfaces if i.name == hop.crossing.egress)
            legs.append(Leg(node, realm, hop.crossing.packet.source, hop.crossing.packet.destination))
    return tuple(legs), journey.arrived_at


_LABEL_ROWS = 3  # the realm, from, to
_BOX_ROWS = 4
_BAND_ROWS = _LABEL_ROWS + _BOX_ROWS
_ROWS_BETWEEN = 2  # with the last row of a box above and the first of one below, room for another box
_ABBREVIATED = {NodeKind.CE: "CE", NodeKind.NAT: "NAT"}
_BOX_CHARACTERS = "┌┐└┘─│├┤╞═╗╝╣║╨╥"
_ASCII_CHARACTERS = "++++-||||=####=="


@dataclass(frozen=True, slots=True)
class _Way:
    """One host's way: the nodes that are its own, the others, and its packet on every link."""

    own: tuple[Node, ...]
    shared: tuple[Node, ...]
    legs: tuple[Leg, ...]

    @property
    def crossing(self) -> Leg:
        """Return the packet between the last node of its own and the first of the others."""
        return self.legs[len(self.own) - 1]


@dataclass(slots=True)
class _Canvas:
    """Characters with their styles by row and column; what is drawn later covers what was drawn before."""

    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def write(self, row: int, column: int, text: str, style: str) -> None:
        for offset, character in enumerate(text):
            self.cells[row, column + offset] = (character, style)

    def lines(self) -> Iterator[Text]:
        for row in range(max(row for row, _ in self.cells) + 1):
            width = max((column for r, column in self.cells if r == row), default=-1) + 1
            cells = (self.cells.get((row, column), (" ", "")) for column in range(width))
            runs = itertools.groupby(cells, key=lambda cell: cell[1])
            yield Text.assemble(*(("".join(character for character, _ in run), style) for style, run in runs))


def picture(fabric: Fabric, calls: Sequence[Call], marks: Marks) -> Text:
    """Draw the ways of two hosts or more to one service.

    Raises LookupError where a packet does not get there.
    """
    ways = _ways([path(fabric, call) for call in calls])
    canvas = _Canvas()
    half = (len(ways) + 1) // 2  # as many ways above the shared one as below it
    own_width = max(_chain_width(way.own, marks) for way in ways)
    lake_width = max(len(line) for way in ways for line in _label(way.crossing, marks)) + 1
    shared_column = own_width + lake_width
    first_shared_width = _box_width(ways[0].shared[0], marks)
    trunk = shared_column + first_shared_width // 2
    wires = []
    for position, way in enumerate(ways):
        upper = position < half
        top = position * _BAND_ROWS + (0 if upper else _ROWS_BETWEEN)
        labels, boxes = (top, top + _LABEL_ROWS) if upper else (top + _BOX_ROWS, top)
        columns = {way.legs[0]: 1, way.crossing: own_width, way.legs[-1]: shared_column + first_shared_width}
        for leg, column in columns.items():
            _draw_label(canvas, labels, column, leg, marks)
        end = _draw_chain(canvas, boxes, 0, way.own, legs=way.legs, marks=marks)
        style = marks.style(way.crossing.realm)
        canvas.write(boxes + 1, end - 1, "╞" + "═" * (trunk - end), style)
        wires.append(boxes + 1)
    middle = half * _BAND_ROWS - 1
    _draw_trunk(canvas, trunk, middle, wires, marks.style(ways[0].crossing.realm))
    _draw_chain(canvas, middle, shared_column, ways[0].shared, legs=ways[0].legs, marks=marks)
    _draw_joints(canvas, trunk, middle, wires, marks.style(ways[0].crossing.realm))
    return Text("\n").join(canvas.lines())


def ascii_picture(drawn: Text) -> Text:
    """Return a picture in characters that every terminal has."""
    table = str.maketrans(_BOX_CHARACTERS, _ASCII_CHARACTERS)
    return Text(drawn.plain.translate(table), spans=drawn.spans)


def _ways(paths: Sequence[tuple[tuple[Leg, ...], EndSystem]]) -> list[_Way]:
    """Tell each host's own nodes from those that all packets cross at the end."""
    chains = [(*(leg.node for leg in legs), end) for legs, end in paths]
    most = min(len(chain) for chain in chains) - 1
    shared = 0
    while shared < most and all(chain[-shared - 1] == chains[0][-shared - 1] for chain in chains):
        shared += 1
    if not shared:
        raise LookupError("these packets do not end at one service")
    return [_Way(chain[:-shared], chain[-shared:], legs) for chain, (legs, _) in zip(chains, paths, strict=True)]


def _label(leg: Leg, marks: Marks) -> tuple[str, str, str]:
    title = f"{leg.realm} ({marks.letter(leg.realm)})"
    return title, f"from {marks.label(leg.source)}", f"to   {marks.label(leg.destination)}"


def _draw_label(canvas: _Canvas, row: int, column: int, leg: Leg, marks: Marks) -> None:
    realms = (leg.realm, leg.source.realm, leg.destination.realm)
    for offset, (line, realm) in enumerate(zip(_label(leg, marks), realms, strict=True)):
        canvas.write(row + offset, column, line, marks.style(realm) if offset else f"bold {marks.style(realm)}")


def _draw_trunk(canvas: _Canvas, column: int, middle: int, wires: Sequence[int], style: str) -> None:
    """Draw the upright that all wires lead to; the box in its middle is drawn over it."""
    for row in range(min(wires), max(*wires, middle) + 1):
        canvas.write(row, column, "╣" if row in wires else "║", style)


def _draw_joints(canvas: _Canvas, column: int, middle: int, wires: Sequence[int], style: str) -> None:
    """Draw where the upright ends, and where it enters the box in its middle."""
    canvas.write(wires[0], column, "╗", style)
    canvas.write(middle, column, "╨", style)
    if wires[-1] > middle:
        canvas.write(middle + 2, column, "╥", style)
        canvas.write(wires[-1], column, "╝", style)


def _draw_chain(
    canvas: _Canvas, row: int, column: int, nodes: Sequence[Node], *, legs: Sequence[Leg], marks: Marks
) -> int:
    """Draw boxes and the wires between them; return the column behind the last."""
    realms = {leg.node: leg.realm for leg in legs}
    for position, node in enumerate(nodes):
        width = _draw_box(canvas, row, column, node, marks)
        if position:
            canvas.write(row + 1, column - 2, "├─┤", marks.style(realms[nodes[position - 1]]))
        column += width + 1
    return column - 1


def _draw_box(canvas: _Canvas, row: int, column: int, node: Node, marks: Marks) -> int:
    """Draw a node and return its width. What stands in one realm alone has that realm's colour."""
    realms = {interface.realm for interface in node.interfaces}
    style = marks.style(realms.pop()) if len(realms) == 1 else ""
    width = _box_width(node, marks)
    lines = _inscription(node, marks)
    canvas.write(row, column, f"┌{'─' * (width - 2)}┐", style)
    for offset, line in enumerate(lines, start=1):
        canvas.write(row + offset, column, f"│ {line:{width - 4}} │", style)
    canvas.write(row + len(lines) + 1, column, f"└{'─' * (width - 2)}┘", style)
    return width


def _inscription(node: Node, marks: Marks) -> tuple[str, ...]:
    name = _ABBREVIATED.get(node.kind, node.name.local)
    return (name, marks.label(node.address)) if isinstance(node, EndSystem) else (name,)


def _box_width(node: Node, marks: Marks) -> int:
    return max(map(len, _inscription(node, marks))) + 4


def _chain_width(nodes: Sequence[Node], marks: Marks) -> int:
    return sum(_box_width(node, marks) + 1 for node in nodes) - 1
