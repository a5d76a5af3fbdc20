"""The path as a picture for a terminal: every host's own way to the shore, and the way that all share.

Above (or below) each way stand the addresses that its packet carries in each realm that it crosses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from farshore.cli.demo_marks import Marks
from farshore.cli.demo_path import Hop, path
from farshore.fabric.model import EndSystem, Fabric, Node, NodeKind
from farshore.realm import Address

_LABEL_ROWS = 3  # the realm, from, to
_BOX_ROWS = 4
_BAND_ROWS = _LABEL_ROWS + _BOX_ROWS
_ROWS_BETWEEN = 2
_ABBREVIATED = {NodeKind.CE: "CE", NodeKind.NAT: "NAT"}
_PLAIN = str.maketrans("┌┐└┘─│├┤╞═╗╝╣║╨╥", "++++-|||====#|##")


@dataclass(frozen=True, slots=True)
class _Way:
    """One host's way: the nodes that are its own, the others, and its packet on every link."""

    own: tuple[Node, ...]
    shared: tuple[Node, ...]
    hops: tuple[Hop, ...]


@dataclass(slots=True)
class _Canvas:
    """Characters by row and column; what is drawn later covers what was drawn before."""

    cells: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    def write(self, row: int, column: int, text: str, style: str = "") -> None:
        for offset, character in enumerate(text):
            self.cells[row, column + offset] = (character, style)

    def lines(self, *, plain: bool) -> Iterator[Text]:
        for row in range(max(row for row, _ in self.cells) + 1):
            line = Text()
            for column in range(max((c for r, c in self.cells if r == row), default=-1) + 1):
                character, style = self.cells.get((row, column), (" ", ""))
                line.append(character.translate(_PLAIN) if plain else character, style)
            line.rstrip()
            yield line


def picture(fabric: Fabric, calls: Sequence[tuple[EndSystem, Address]], marks: Marks, *, plain: bool = False) -> Text:
    """Draw the ways of some hosts to one service; each calls it by an address of its own.

    ``plain`` draws with ASCII characters. Raises LookupError where a packet does not get there.
    """
    ways = _ways([path(fabric, host, called) for host, called in calls])
    canvas = _Canvas()
    half = (len(ways) + 1) // 2
    own_width = max(_chain_width(way.own, marks) for way in ways)
    lake_width = max(len(line) for way in ways for line, _ in _label(way.hops[len(way.own) - 1], marks)) + 1
    shared_column = own_width + lake_width
    trunk = shared_column + _box_width(ways[0].shared[0], marks) // 2
    middle = half * _BAND_ROWS - 1
    wires = []
    for position, way in enumerate(ways):
        upper = position < half
        top = position * _BAND_ROWS + (0 if upper else _ROWS_BETWEEN)
        boxes = top + _LABEL_ROWS if upper else top
        _draw_labels(canvas, top if upper else top + _BOX_ROWS, own_width + 1, shared_column, way, marks)
        _draw_wire(canvas, boxes + 1, _chain_width(way.own, marks), trunk)
        _draw_chain(canvas, boxes, 0, way.own, marks, last_edge="╞")
        wires.append(boxes + 1)
    _draw_trunk(canvas, trunk, wires)
    _draw_chain(canvas, middle, shared_column, ways[0].shared, marks, last_edge="│")
    canvas.write(middle, trunk, "╨", marks.style(_crossing(ways[0]).realm))
    if len(ways) > half:
        canvas.write(middle + 2, trunk, "╥", marks.style(_crossing(ways[0]).realm))
    return Text("\n").join(canvas.lines(plain=plain))


def _ways(paths: Sequence[tuple[tuple[Hop, ...], EndSystem]]) -> list[_Way]:
    """Tell each host's own nodes from those that all packets cross at the end."""
    chains = [[*(hop.node for hop in hops), end] for hops, end in paths]
    shared = 0
    while all(chain[-shared - 1] == chains[0][-shared - 1] for chain in chains):
        shared += 1
        if shared + 1 >= min(map(len, chains)):  # a host and its shore are its own, also where it is alone
            break
    return [
        _Way(tuple(chain[:-shared]), tuple(chain[-shared:]), hops)
        for chain, (hops, _) in zip(chains, paths, strict=True)
    ]


def _crossing(way: _Way) -> Hop:
    """Return the packet between the host's own shore and the shared one."""
    return way.hops[len(way.own) - 1]
