"""A walk for people: the article's table on a wide screen, and a block for each step anywhere else.

Colours mark realms, and the realm's name stands beside each address, so that it reads without colour, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farshore.cli.console import realm_style
from farshore.port import Protocol
from farshore.realm import Address
from farshore.semantics.packet import Packet
from farshore.walk.tell.journey import Phase, Step, Walk
from farshore.walk.tell.summary import Remark, glitch_heading, glitch_list, mark, notes, profile_says, title, verdict

WIDE = 100
_WRONG = "bold red"
_GOOD = "bold green"
_QUIET = "dim"
_ARROWS = {Phase.REQUEST: "→", Phase.REPLY: "←"}
_HEADINGS = ("step", "where", "action", "packet before", "packet after", "state")
_STEP, _WIDEST_WHERE, _GAP = 4, 20, 2
_SIGNS_IN_ASCII = str.maketrans({"→": ">", "←": "<", "✗": "x", "✓": "=", "…": "~"})


def show(console: Console, walk: Walk, tenant_names: tuple[str, ...]) -> None:
    """Print a walk."""
    page = _Page(console, tenant_names)
    page.line(Text(title(walk), "bold"))
    page.line(Text())
    if console.is_terminal and console.width >= WIDE:
        page.table(walk)
    else:
        page.blocks(walk)
    page.remarks(glitch_heading(walk), glitch_list(walk))
    page.remarks("Notes", notes(walk))
    page.sentences(profile_says(walk))
    sign, style = ("✓", _GOOD) if walk.delivered else ("✗", _WRONG)
    page.line(Text(f"{sign} {verdict(walk)}", style))


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a walk is printed, and how."""

    console: Console
    tenant_names: tuple[str, ...]

    def line(self, text: Text, indent: int = 0, first: str = "") -> None:
        """Print a text, broken to the page's width, each line indented; ``first`` stands before the first."""
        room = max(self.console.width - indent, 20)
        for number, part in enumerate(text.wrap(self.console, room) or [Text()]):
            part.rstrip()
            lead = first.ljust(indent) if number == 0 else " " * indent
            whole = Text.assemble((lead, text.style if first and text.style else ""), part) if part else Text(first)
            self.console.print(self.spelled(whole))

    def spelled(self, text: Text) -> Text:
        """Return a text in characters that the page has."""
        if self.console.options.ascii_only:
            return Text(text.plain.translate(_SIGNS_IN_ASCII), text.style, spans=text.spans)
        return text

    # --- the two forms ---

    def table(self, walk: Walk) -> None:
        """Print the article's table, with what the packet looked like."""
        ends = [end for step in walk.steps for packet in (step.before, step.after) for end in _ends(packet)]
        parts = [part for step in walk.steps for part in (step.at.owner, step.at.local)]
        where = min(max(map(len, parts)) + 1, _WIDEST_WHERE)
        packet = len("→ ") + max(map(len, ends))
        room = self.console.width - _STEP - where - 2 * packet - 5 * _GAP
        widths = (_STEP, where, room // 2, packet, packet, room - room // 2)
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 1, 0), header_style="bold")
        for heading, width in zip(_HEADINGS, widths, strict=True):
            table.add_column(heading, width=width, overflow="fold")
        for step in walk.steps:
            table.add_row(*(self.spelled(cell) for cell in self._cells(step, mark(walk, step))))
        self.console.print(table, soft_wrap=False, end="")

    def _cells(self, step: Step, word: str) -> Iterator[Text]:
        yield Text(f"{step.number} {_ARROWS[step.phase]}", _WRONG if word else "")
        yield Text(f"{step.at.owner}/\n{step.at.local}")
        yield Text(step.action)
        yield self.packet(step.before, "\n→ ", "\n  ")
        yield Text("unchanged", _QUIET) if step.after == step.before else self.packet(step.after, "\n→ ", "\n  ")
        yield Text.assemble((f"✗ {word}: " if word else "", _WRONG), step.state)

    def blocks(self, walk: Walk) -> None:
        """Print a block for each step."""
        for phase, steps in _halves(walk):
            self.line(Text(f"{phase} {_ARROWS[phase]}", "bold"))
            for step in steps:
                self._block(step, mark(walk, step))
            self.console.print()

    def _block(self, step: Step, word: str) -> None:
        number = f"{step.number:>3}. "
        heading = Text(step.at, "bold")
        if word:
            heading = heading + Text(f"  ✗ {word}", _WRONG)
        self.line(heading, len(number), number)
        self.line(Text(step.action), 5)
        if step.after == step.before:
            self._field("packet", self.packet(step.before))
        else:
            self._field("before", self.packet(step.before))
            self._field("after", self.packet(step.after))
        if step.state:
            self._field("state", Text(step.state))

    def _field(self, name: str, text: Text) -> None:
        self.line(text, 13, f"     {name}")

    # --- what stands below ---

    def remarks(self, heading: str, remarks: Iterable[Remark]) -> None:
        """Print the article's glitch-list, or notes in its manner."""
        found = tuple(remarks)
        if not found:
            return
        self.line(Text(heading, "bold"))
        for remark in found:
            number = f"  [{remark.step}.] "
            self.line(Text(remark.says), len(number), number)
            if remark.fix is not None:
                self.line(Text(f"Mend: {remark.fix}."), len(number))
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


def _ends(packet: Packet) -> tuple[str, str]:
    if packet.protocol is Protocol.ICMP:
        return str(packet.source.ip), str(packet.destination.ip)
    return f"{packet.source.ip}:{packet.source_port}", f"{packet.destination.ip}:{packet.destination_port}"


def _halves(walk: Walk) -> Iterator[tuple[Phase, list[Step]]]:
    for phase in Phase:
        steps = [step for step in walk.steps if step.phase is phase]
        if steps:
            yield phase, steps
