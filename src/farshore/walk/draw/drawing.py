"""A walk as a picture: boxes from left to right in the colours of their realms, the request above the reply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from farshore.fabric import names
from farshore.fabric.model import Fabric, NodeKind
from farshore.fabric.names import NodeName
from farshore.port import Protocol
from farshore.realm import INTERNET, LAKE, PROVIDER, Realm, RealmKind
from farshore.semantics.packet import Packet
from farshore.semantics.trace import Trace
from farshore.walk.draw import svg
from farshore.walk.tell.journey import Phase, Step, Walk
from farshore.walk.tell.summary import (
    Remark,
    glitch_heading,
    glitch_list,
    mark,
    notes,
    profile_says,
    state,
    title,
    verdict,
)

_COLOURS = {PROVIDER: "#8e3a80", LAKE: "#0b6e85", INTERNET: "#7d6400"}  # plum, and water
_TENANT_COLOURS = ("#4338a8", "#2f7035", "#9a4a00", "#1f5fae", "#5b5b10")  # indigo first, as Alice's
# Lines of a realm have its own rhythm, too, so that the picture reads without colour.
_DASHES = {RealmKind.TENANT: "", RealmKind.LAKE: "2 4", RealmKind.PROVIDER: "9 4", RealmKind.INTERNET: "10 3 2 3"}
_CAPTIONS = {
    NodeKind.HOST: "host",
    NodeKind.SERVICE: "service",
    NodeKind.WAN: "WAN",
    NodeKind.CE: "CE router",
    NodeKind.NAT: "NAT",
    NodeKind.ROUTER: "router",
    NodeKind.PROXY: "proxy",
}
_INK, _QUIET, _PAPER, _WRONG = "#1f2330", "#5b6070", "#ffffff", "#c00d2d"

_MARGIN = 28
_BOX = 124  # how wide a node is drawn
_GAP = 158  # how wide a link is drawn: an address with its port fits
_BANDS_TOP = 84
_BAND_TITLE = 30
_REQUEST_LANE = 262
_REPLY_LANE = 330
_BOX_TOP, _BOX_BOTTOM = _REQUEST_LANE - 34, _REPLY_LANE + 34
_BANDS_BOTTOM = 472
_FEW_NODES = 4  # with so few the title must be smaller
_RADIUS = 13
_ADDRESS, _SMALL = 13, 11.5
_LINE = 17
_HEADINGS = {Phase.REQUEST: "request →", Phase.REPLY: "← reply"}
_TEXT, _HEADING_SIZE = 13.5, 15
_NUMBER = 30  # room for a step's number
_BETWEEN = 26


@dataclass(frozen=True, slots=True)
class _Wire:
    """A packet between two nodes."""

    left: NodeName
    right: NodeName
    realm: Realm
    packet: Packet
    phase: Phase


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stands where."""

    walk: Walk
    fabric: Fabric
    nodes: tuple[NodeName, ...]
    wires: tuple[_Wire, ...]
    colours: Mapping[Realm, str]

    @property
    def width(self) -> float:
        return 2 * _MARGIN + len(self.nodes) * _BOX + (len(self.nodes) - 1) * _GAP

    def left_of(self, node: NodeName) -> float:
        return _MARGIN + self.nodes.index(node) * (_BOX + _GAP)

    def middle_of(self, node: NodeName) -> float:
        return self.left_of(node) + _BOX / 2


def draw(walk: Walk, fabric: Fabric) -> str:
    """Return a walk as the text of an SVG file."""
    layout = _layout(walk, fabric)
    width = layout.width - 2 * _MARGIN
    heading = (
        svg.text(_MARGIN, 36, title(walk), 20 if len(layout.nodes) > _FEW_NODES else 15, bold=True, width=width),
        _verdict(walk, width),
    )
    below, height = _footer(walk, _MARGIN, _BANDS_BOTTOM + 34, width)
    picture = (
        *heading,
        _waves(),
        *_bands(layout),
        *(part for wire in layout.wires for part in _wire(layout, wire)),
        *(part for node in layout.nodes for part in _node(layout, node)),
        *below,
    )
    return svg.document(layout.width, height + _MARGIN, title(walk), verdict(walk), picture)


# --- layout ------------------------------------------------------------------------------------------


def _layout(walk: Walk, fabric: Fabric) -> _Layout:
    request, *replies = walk.traces
    wires = list(_wires(fabric, walk.origin, request, Phase.REQUEST))
    for reply in replies:
        wires += _wires(fabric, request.hops[-1].node, reply, Phase.REPLY)
    crossed = [walk.origin, *(hop.node for each in walk.traces for hop in each.hops)]
    # Also where no packet arrives, the picture ends with what was asked for: a service, or a tenant's host.
    asked = NodeName.parse(walk.service) or names.service(walk.service)
    nodes = tuple(dict.fromkeys((*crossed, asked)))
    realms = dict.fromkeys(realm for wire in wires for realm in _realms(wire))
    return _Layout(walk, fabric, nodes, tuple(wires), {realm: _colour(fabric, realm) for realm in realms})


def _wires(fabric: Fabric, start: NodeName, trace: Trace, phase: Phase) -> Iterator[_Wire]:
    node = start
    for hop in trace.hops:
        realm = next(i.realm for i in fabric.nodes[hop.node].interfaces if i.name == hop.ingress)
        yield _Wire(node, hop.node, realm, hop.packet, phase)
        node = hop.node


def _realms(wire: _Wire) -> tuple[Realm, ...]:
    return wire.realm, wire.packet.source.realm, wire.packet.destination.realm


def _colour(fabric: Fabric, realm: Realm) -> str:
    """Return a realm's colour; tenants take theirs in the order of the fabric, so that all pictures agree."""
    if realm.kind is not RealmKind.TENANT:
        return _COLOURS[realm]
    tenants = dict.fromkeys(node.interfaces[0].realm.name for node in fabric.nodes.values())
    position = [name for name in tenants if name not in {each.name for each in _COLOURS}].index(realm.name)
    return _TENANT_COLOURS[position % len(_TENANT_COLOURS)]


# --- the realms --------------------------------------------------------------------------------------


def _bands(layout: _Layout) -> Iterator[str]:
    """Draw each stretch of the way that lies in one realm; the boxes between two stand in both."""
    requests = [wire for wire in layout.wires if wire.phase is Phase.REQUEST]
    start = _MARGIN / 2
    for position, wire in enumerate(requests):
        after = requests[position + 1].realm if position + 1 < len(requests) else None
        if after == wire.realm:
            continue
        end = layout.middle_of(wire.right) if after is not None else layout.left_of(wire.right) + _BOX + _MARGIN / 2
        yield from _band(wire.realm, layout.colours[wire.realm], start, end)
        start = end


def _band(realm: Realm, colour: str, start: float, end: float) -> Iterator[str]:
    height = _BANDS_BOTTOM - _BANDS_TOP
    place: dict[str, svg.Attribute] = {
        "x": start + 2,
        "y": _BANDS_TOP,
        "width": end - start - 4,
        "height": height,
        "rx": 10,
    }
    yield svg.element("rect", **place, fill=colour, fill_opacity=0.08)
    if realm == LAKE:
        yield svg.element("rect", **place, fill="url(#waves)")
    yield svg.element("rect", **place, fill="none", **_stroke(realm, colour, 1.6))
    name = "the lake" if realm == LAKE else str(realm)
    width = end - start - 24
    yield svg.text(
        (start + end) / 2, _BANDS_TOP + _BAND_TITLE, name, 17, bold=True, anchor="middle", fill=colour, width=width
    )


def _stroke(realm: Realm, colour: str, width: float) -> dict[str, svg.Attribute]:
    line: dict[str, svg.Attribute] = {"stroke": colour, "stroke_width": width}
    dashes = _DASHES[realm.kind]
    return line | {"stroke_dasharray": dashes} if dashes else line


def _waves() -> str:
    wave = svg.element("path", d="M0 8 q 6 -6 12 0 t 12 0", fill="none", stroke=_COLOURS[LAKE], stroke_opacity=0.22)
    pattern = svg.element("pattern", wave, id="waves", width=24, height=26, patternUnits="userSpaceOnUse")
    return svg.element("defs", pattern)


# --- packets on wires --------------------------------------------------------------------------------


def _wire(layout: _Layout, wire: _Wire) -> Iterator[str]:
    colour = layout.colours[wire.realm]
    is_request = wire.phase is Phase.REQUEST
    y = _REQUEST_LANE if is_request else _REPLY_LANE
    rightward = layout.left_of(wire.right) > layout.left_of(wire.left)
    begin = layout.left_of(wire.left) + (_BOX if rightward else 0)
    end = layout.left_of(wire.right) + (0 if rightward else _BOX)
    tip = -1 if rightward else 1
    yield svg.element("line", x1=begin, y1=y, x2=end + tip * 10, y2=y, **_stroke(wire.realm, colour, 2.5))
    yield svg.element("path", d=f"M{end:g} {y} l{tip * 13} -6 v12 z", fill=colour)
    yield from _label(layout, wire, (begin + end) / 2, y - 12 - 3 * _LINE if is_request else y + 24)


def _label(layout: _Layout, wire: _Wire, x: float, y: float) -> Iterator[str]:
    """Write what a packet looks like on a wire: where it is from and where it goes to."""
    packet = wire.packet
    for word, address, port in (
        ("from", packet.source, packet.source_port),
        ("to", packet.destination, packet.destination_port),
    ):
        colour = layout.colours[address.realm]
        number = "" if packet.protocol is Protocol.ICMP else f":{port}"
        # Paper behind the letters, for the lake's waves run through them otherwise.
        paper: dict[str, svg.Attribute] = {"fill": _PAPER, "fill_opacity": 0.72}
        yield svg.element("rect", x=x - _GAP / 2 + 4, y=y - 13, width=_GAP - 8, height=2 * _LINE, **paper)
        ends = f"{address.ip}{number}"
        yield svg.text(x, y, ends, _ADDRESS, bold=True, mono=True, anchor="middle", fill=colour, width=_GAP)
        says = f"{word} {address.realm}"
        yield svg.text(x, y + _LINE - 3, says, _SMALL, anchor="middle", fill=colour, width=_GAP - 12)
        y += 2 * _LINE


# --- nodes and their steps ---------------------------------------------------------------------------


def _node(layout: _Layout, node: NodeName) -> Iterator[str]:
    reached = any(node in (wire.left, wire.right) for wire in layout.wires)
    x, middle = layout.left_of(node), layout.middle_of(node)
    owner, name = node.owner, node.local
    edge: dict[str, svg.Attribute] = {"stroke": _INK} if reached else {"stroke": _QUIET, "stroke_dasharray": "5 5"}
    height = _BOX_BOTTOM - _BOX_TOP
    yield svg.element("rect", x=x, y=_BOX_TOP, width=_BOX, height=height, rx=8, fill=_PAPER, stroke_width=1.8, **edge)
    y = (_BOX_TOP + _BOX_BOTTOM) / 2
    kind = layout.fabric.nodes[node].kind
    yield svg.text(middle, y - 20, owner, 12, anchor="middle", fill=_QUIET, width=_BOX - 12)
    yield svg.text(middle, y + 2, name, 16, anchor="middle", bold=True, width=_BOX - 12)
    caption = _CAPTIONS[kind] if reached else "not reached"
    yield svg.text(middle, y + 24, caption, 12, anchor="middle", fill=_QUIET, width=_BOX - 12)
    for phase in Phase:
        steps = [step for step in layout.walk.steps if (step.at, step.phase) == (node, phase)]
        yield from _circles(layout.walk, steps, middle, phase)


def _circles(walk: Walk, steps: list[Step], middle: float, phase: Phase) -> Iterator[str]:
    """Draw the numbers of the steps that a node takes in one phase, and mark those that are wrong."""
    above = phase is Phase.REQUEST
    y = _BOX_TOP if above else _BOX_BOTTOM
    spread = 2 * _RADIUS + 8
    for number, step in enumerate(steps):
        x = middle + (number - (len(steps) - 1) / 2) * spread
        word = mark(walk, step)
        fill = _WRONG if word else _INK
        yield svg.element("circle", cx=x, cy=y, r=_RADIUS, fill=fill, stroke=_PAPER, stroke_width=2)
        yield svg.text(x, y + 5, str(step.number), 14, bold=True, anchor="middle", fill=_PAPER)
        if word:
            yield from _wrong_mark(middle, y - 48 if above else y + 42, word)


def _wrong_mark(x: float, y: float, word: str) -> Iterator[str]:
    """Draw a cross, and the word for it on a label."""
    yield svg.element(
        "path", d=f"M{x - 8:g} {y - 8:g} l16 16 m0 -16 l-16 16", stroke=_WRONG, stroke_width=5, stroke_linecap="round"
    )
    yield svg.element("rect", x=x - 40, y=y + 13, width=80, height=17, rx=3, fill=_PAPER)
    yield svg.text(x, y + 26, word, 14, bold=True, anchor="middle", fill=_WRONG)


def _verdict(walk: Walk, width: float) -> str:
    sign = "✓" if walk.delivered else "✗"
    fill = "#1c6b2c" if walk.delivered else _WRONG
    return svg.text(_MARGIN, 64, f"{sign} {verdict(walk)}", 16, bold=True, fill=fill, width=width)


# --- below the picture --------------------------------------------------------------------------------


def _footer(walk: Walk, x: float, y: float, width: float) -> tuple[list[str], float]:
    """Return the steps in words, the glitches and the notes below the picture, and where they end."""
    drawn: list[str] = []
    column = (width - _BETWEEN) / 2
    ends = []
    for number, phase in enumerate(Phase):
        steps = [step for step in walk.steps if step.phase is phase]
        if steps:
            left = x + number * (column + _BETWEEN)
            drawn.append(svg.text(left, y, _HEADINGS[phase], _HEADING_SIZE, bold=True))
            parts, end = _footer_steps(walk, steps, left, y + 24, column)
            drawn += parts
            ends.append(end)
    y = max(ends)
    for heading, remarks in ((glitch_heading(walk), glitch_list(walk)), ("Notes", notes(walk))):
        if remarks:
            parts, y = _footer_remarks(heading, remarks, x, y + 14, width)
            drawn += parts
    for number, sentence in enumerate(profile_says(walk)):
        parts, y = svg.paragraph(x, y + (14 if number == 0 else 0), sentence, _TEXT, width, fill=_QUIET)
        drawn += parts
    return drawn, y


def _footer_steps(walk: Walk, steps: list[Step], x: float, y: float, width: float) -> tuple[list[str], float]:
    drawn: list[str] = []
    for step in steps:
        word = mark(walk, step)
        how = state(walk, step)
        says = f"{step.at}: {step.action}" + (f" \N{EM DASH} {how}" if how else "")
        drawn.append(svg.text(x, y, f"{step.number}.", _TEXT, bold=True, fill=_WRONG if word else _INK))
        parts, y = svg.paragraph(x + _NUMBER, y, f"{word}: {says}" if word else says, _TEXT, width - _NUMBER)
        drawn += parts
        y += 4
    return drawn, y


def _footer_remarks(
    heading: str, remarks: Iterable[Remark], x: float, y: float, width: float
) -> tuple[list[str], float]:
    drawn = [svg.text(x, y, heading, _HEADING_SIZE, bold=True)]
    y += 22
    for remark in remarks:
        drawn.append(svg.text(x, y, f"[{remark.step}.]", _TEXT, bold=True))
        says = remark.says if remark.fix is None else f"{remark.says} Fix: {remark.fix}."
        parts, y = svg.paragraph(x + 40, y, says, _TEXT, width - 40)
        drawn += parts
        y += 4
    return drawn, y
