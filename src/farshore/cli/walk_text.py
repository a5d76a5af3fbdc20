"""A walk as text: a table on a wide terminal, and a block for each step anywhere else.

Colours mark realms, and the realm's name stands beside each address, so that it reads without colour, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

from farshore.cli.console import BAD, GOOD, realm_style, say, spelled, wrapped
from farshore.port import Protocol
from farshore.realm import Address
from farshore.semantics.packet import Packet
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

_QUIET = "dim"
_ARROWS = {Phase.REQUEST: "→", Phase.REPLY: "←"}
_HEADINGS = ("step", "where", "action", "packet before", "packet after", "state")
_GAP = 2
_LEAST_PROSE = 20  # columns of an action or a state, or else the table is too narrow for words

_Cells = tuple[Text, ...]


def show(console: Console, walk: Walk, tenant_names: tuple[str, ...]) -> None:
    """Print a walk."""
    page = _Page(console, tenant_names)
    page.line(Text(title(walk), "bold"))
    page.line(Text())
    if not (console.is_terminal and page.table(walk)):
        page.blocks(walk)
    page.remarks(glitch_heading(walk), glitch_list(walk))
    page.remarks("Notes", notes(walk))
    page.sentences(profile_says(walk))
    sign, style = ("✓", GOOD) if walk.delivered else ("✗", BAD)
    page.line(Text(f"{sign} {verdict(walk)}", style))


@dataclass(frozen=True, slots=True)
class _Folding:
    """How the packets of a table are folded: into one line, two or four."""

    before_realm: str
    before_destination: str


# From the one that takes the fewest lines to the one that takes the fewest columns.
_FOLDINGS = (_Folding(" ", " → "), _Folding(" ", "\n→ "), _Folding("\n  ", "\n→ "))


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a walk is printed, and how."""

    console: Console
    tenant_names: tuple[str, ...]

    def line(self, text: Text, lead: Text | str = "") -> None:
        """Print a text, folded to the page's width, behind its lead."""
        say(self.console, text, lead=lead, fold=True)

    # --- the two forms ---

    def table(self, walk: Walk) -> bool:
        """Print a row for each step, in the folding that takes the fewest lines; tell whether one fits."""
        layouts = [layout for folding in _FOLDINGS if (layout := self._laid_out(walk, folding)) is not None]
        if not layouts:
            return False
        rows = min(layouts, key=lambda rows: sum(len(row) for row in rows))
        apart = any(len(row) > 1 for row in rows[1:])
        for number, row in enumerate(rows):
            if apart and number:
                self.console.print()
            for line in row:
                self.console.print(spelled(self.console, line))
        self.console.print()
        return True

    def _laid_out(self, walk: Walk, folding: _Folding) -> list[list[Text]] | None:
        """Return the heading and the rows of a table as lines, None where there is too little room for them."""
        rows = [tuple(self._cells(walk, step, folding)) for step in walk.steps]
        headings = tuple(Text(heading, "bold") for heading in _HEADINGS)
        natural = [max(_widest(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
        prose = [_HEADINGS.index(name) for name in ("action", "state")]
        room = self.console.width - _GAP * (len(natural) - 1)
        room -= sum(width for position, width in enumerate(natural) if position not in prose)
        if room < 2 * _LEAST_PROSE:
            return None
        action, state = (natural[position] for position in prose)
        if action + state > room:
            action = min(max(room * action // (action + state), _LEAST_PROSE), room - _LEAST_PROSE)
            state = room - action
        widths = [*natural]
        widths[prose[0]], widths[prose[1]] = action, state
        return [_row(cells, widths) for cells in (headings, *rows)]

    def _cells(self, walk: Walk, step: Step, folding: _Folding) -> Iterator[Text]:
        word, how = mark(walk, step), state(walk, step)
        yield Text(f"{step.number} {_ARROWS[step.phase]}", BAD if word else "")
        yield Text(step.at)
        yield Text(step.action)
        ends = (folding.before_destination, folding.before_realm)
        yield self.packet(step.before, *ends)
        yield Text("unchanged", _QUIET) if step.after == step.before else self.packet(step.after, *ends)
        yield Text.assemble((f"✗ {word}" if word else "", BAD), (": " if word and how else "", BAD), how)

    def blocks(self, walk: Walk) -> None:
        """Print a block for each step."""
        for phase, steps in _halves(walk):
            self.line(Text(f"{phase} {_ARROWS[phase]}", "bold"))
            for step in steps:
                self._block(walk, step)
            self.console.print()

    def _block(self, walk: Walk, step: Step) -> None:
        word, how = mark(walk, step), state(walk, step)
        heading = Text(step.at, "bold")
        if word:
            heading = heading + Text(f"  ✗ {word}", BAD)
        self.line(heading, Text(f"{step.number:>3}. ", "bold"))
        self.line(Text(step.action), "     ")
        if step.after == step.before:
            self._field("packet", self.packet(step.before))
        else:
            self._field("before", self.packet(step.before))
            self._field("after", self.packet(step.after))
        if how:
            self._field("state", Text(how))

    def _field(self, name: str, text: Text) -> None:
        self.line(text, f"     {name:8}")

    # --- what stands below ---

    def remarks(self, heading: str, remarks: Iterable[Remark]) -> None:
        """Print the glitches, or notes in their manner."""
        found = tuple(remarks)
        if not found:
            return
        self.line(Text(heading, "bold"))
        for remark in found:
            number = f"  [{remark.step}.] "
            self.line(Text(remark.says), number)
            if remark.fix is not None:
                self.line(Text(f"Fix: {remark.fix}."), " " * len(number))
        self.console.print()

    def sentences(self, sentences: Iterable[str]) -> None:
        """Print sentences, a line or more for each, and a blank line if there were any."""
        found = tuple(sentences)
        for sentence in found:
            self.line(Text(sentence))
        if found:
            self.console.print()

    # --- packets ---

    def packet(self, packet: Packet, arrow: str = " → ", realm: str = " ") -> Text:
        """Return where a packet comes from and where it goes, in the colours of the realms."""
        source, destination = _ends(packet)
        return Text.assemble(
            (f"{source}{realm}{packet.source.realm}", self._style(packet.source)),
            arrow,
            (f"{destination}{realm}{packet.destination.realm}", self._style(packet.destination)),
        )

    def _style(self, address: Address) -> str:
        return realm_style(address.realm, self.tenant_names)


def _row(cells: _Cells, widths: Sequence[int]) -> list[Text]:
    """Return the lines of a row; cells are folded to their columns, and no line ends in blanks."""
    folded = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for parts in zip_longest(*folded, fillvalue=Text()):
        line, column = Text(), 0
        for part, width in zip(parts, widths, strict=True):
            if part:
                line.append(" " * max(column - line.cell_len, 0)).append_text(part)
            column += width + _GAP
        lines.append(line)
    return lines


def _widest(cell: Text) -> int:
    return max((line.cell_len for line in cell.split("\n")), default=0)


def _ends(packet: Packet) -> tuple[str, str]:
    if packet.protocol is Protocol.ICMP:
        return str(packet.source.ip), str(packet.destination.ip)
    return f"{packet.source.ip}:{packet.source_port}", f"{packet.destination.ip}:{packet.destination_port}"


def _halves(walk: Walk) -> Iterator[tuple[Phase, list[Step]]]:
    for phase in Phase:
        steps = [step for step in walk.steps if step.phase is phase]
        if steps:
            yield phase, steps
