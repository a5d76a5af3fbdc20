"""The text of the demo: colours and letters mark realms, and no line of prose is wider than 80 columns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address

from rich.console import Console
from rich.text import Text

from farshore.cli.console import Cell, Row, cell, say, table
from farshore.cli.demo.case import Case, url
from farshore.cli.demo.picture import ascii_picture, path, picture
from farshore.conformance.check import Result
from farshore.conformance.exchanges import Fetched
from farshore.fabric.model import EndSystem
from farshore.realm import LAKE, PROVIDER, Address

_WIDEST = 80
_GOOD, _BAD = "green", "bold red"
_FETCHERS = (("curl", "curl"), ("wget", "wget -qO -"))  # programs, and how to have them print a page


class Story:
    """Prints a case on a console, a section a method."""

    def __init__(self, console: Console, case: Case) -> None:
        """Keep the console and the case."""
        self._console = console
        self._case = case
        self._marks = case.marks

    def problem(self) -> None:
        """Print the addresses of hosts and service."""
        nodes = [*self._case.hosts, self._case.service]
        who = [f"{_name(host)}'s PC at {host.address.realm}" for host in self._case.hosts]
        addresses = sorted({str(node.address.ip) for node in nodes})
        self._heading("The problem")
        self._prose(
            f"{', '.join(who)} and {self._case.intent.provider.name}'s {_service(self._case)} all have the address "
            f"{' or '.join(addresses)}, each in its own network. A connection to that address ends at the host itself."
        )

    def plan(self) -> None:
        """Print the assigned addresses."""
        tenants = [tenant.realm for tenant in self._case.intent.tenants.values()]
        service = self._case.plan.services[_service(self._case)]
        self._heading("The plan")
        self._prose("An address is unique only within its network, its realm. Colour and letter mark the realm:")
        say(self._console, self._marks.legend((*tenants, LAKE, PROVIDER)), lead="  ")
        self._console.print()
        self._table(
            ("node", "address", "lake address", "presented address"),
            [
                *(
                    (
                        cell(host.name.local),
                        self._marks.cell(host.address),
                        self._marks.cell(Address(LAKE, exchange.seen_as)),
                        (),
                    )
                    for host, exchange in zip(self._case.hosts, self._case.fetches, strict=True)
                ),
                (
                    cell(service.name),
                    self._marks.cell(service.address),
                    self._marks.cell(service.lake),
                    _joined([self._marks.cell(call.called) for call in self._case.calls]),
                ),
            ],
        )

    def fetches(self, fetched: Sequence[Fetched]) -> None:
        """Print what was fetched, and the source that the service saw."""
        exchanges = self._case.fetches
        names = " and ".join(_name(self._case.host(exchange)) for exchange in exchanges)
        self._heading(f"{names} open {url(str(exchanges[0].destination))} in a lab on this machine")
        self._prose(
            f"Both connect from {exchanges[0].source} port {exchanges[0].source_port}, at the same moment. The "
            f"{_service(self._case)} answers with the source that it sees:"
        )
        rows = []
        for exchange, answer in zip(exchanges, fetched, strict=True):
            host = self._case.host(exchange)
            reason = answer.difference(exchange)
            rows.append(
                (
                    cell(host.name.local),
                    self._marks.cell(host.address) + cell(f" port {exchange.source_port}"),
                    self._seen(answer),
                    cell("as planned", _GOOD) if reason is None else cell(f"DIFFERS: {reason}", _BAD),
                )
            )
        self._table(("host", "source", f"source at {_service(self._case)}", "result"), rows)

    def path(self) -> None:
        """Print the path of the packets, as a picture."""
        self._heading("The path")
        drawn = picture(self._case.fabric, self._case.calls, self._marks)
        if self._console.is_terminal and max(map(len, drawn.plain.splitlines())) > self._console.width:
            self._legs()
        else:
            self._console.print(ascii_picture(drawn) if self._console.options.ascii_only else drawn)
        self._console.print()
        self._prose("The replies take the same path back, and each NAT reverses its translation.")

    def _legs(self) -> None:
        """Print the addresses that the picture shows, a line for each realm that a packet crosses."""
        for call in self._case.calls:
            legs, _ = path(self._case.fabric, call)
            self._fold(Text(call.host.name, "bold"))
            for leg in {each.realm: each for each in legs}.values():
                ends = Text(" → ").join([self._marks.text(leg.source), self._marks.text(leg.destination)])
                self._fold(ends, f"  {leg.realm!s:12}")

    def refusals(self, results: Mapping[str, Result]) -> None:
        """Print what was blocked, and by which rule."""
        arrived = results[self._case.allowed.name]
        self._heading("What is blocked")
        if arrived.ok:
            self._prose(
                "Packets are injected in the same lab. One that is allowed arrives, so these are blocked and not lost:"
            )
        else:
            self._prose("Packets are injected in the same lab. One that is allowed is lost:")
            self._fold(Text(f"{arrived.name}: observed {arrived.observed}", _BAD), Text("  DIFFERS  ", _BAD))
        for refusal in self._case.refusals:
            result = results[refusal.check.name]
            verdict = Text("  blocked  ", _GOOD) if result.ok else Text("  DIFFERS  ", _BAD)
            reason = f"{refusal.device}: {refusal.why}" if result.ok else f"observed {result.observed}"
            self._fold(Text(refusal.what), verdict)
            self._fold(Text(reason, "" if result.ok else _BAD), " " * verdict.cell_len)
        self._console.print()

    def conclusion(self, program: str, file: str, differences: Sequence[str]) -> None:
        """Print why it works and further commands or, where it does not, the differences."""
        if differences:
            self._heading("Differences from the plan")
            for difference in differences:
                say(self._console, Text(difference, _BAD), lead="  ")
            return
        host = self._case.hosts[0]
        self._heading("Why it works")
        self._prose(
            "Each NAT translates between its own network and the lake, whose addresses no other network uses. So "
            "no NAT has the same address on two sides, and "
            f"{host.address.ip} is never ambiguous. Translated once, directly into the provider's network, "
            f"a packet to {self._case.service.address.ip} would match an address on both sides."
        )
        self._heading("Next commands")
        for command, purpose in self._commands(file):
            comment = Text(f"  # {purpose}" if purpose else "", "dim")
            say(self._console, Text(f"{program} {command}") + comment, lead="  ", indent=6)

    def _commands(self, file: str) -> Iterator[tuple[str, str]]:
        """Yield further commands, as arguments of this program, and their purpose."""
        exchange = self._case.fetches[0]
        called = url(str(exchange.destination))
        fetcher = next((command for program, command in _FETCHERS if shutil.which(program)), None)
        yield f"lab up {file}", "the same lab, until lab down"
        yield f"lab exec {exchange.node} -- ping -c 3 {exchange.destination}", ""
        if fetcher is not None:
            yield f"lab exec {exchange.node} -- {fetcher} {called}", ""
        yield f"lab exec {exchange.node.owner}/nat -- nft list ruleset", "the rules of a NAT"
        yield "lab down", "leaves nothing behind"
        yield f"lab run {file}", "checks every flow"
        yield f"walk {file} --from {exchange.node} --to {exchange.service}", ""
        yield (
            f"walk {file} --from {exchange.node} --to {exchange.service} --design single-nat",
            "one translation only: two glitches",
        )

    def _seen(self, answer: Fetched) -> Cell:
        if answer.seen is None:
            return cell("nothing", _BAD)
        port = cell(f" port {answer.seen.source_port}")
        seen = IPv4Address(answer.seen.source)
        # The realm of any other address is unknown.
        known = seen in self._case.plan.lake.network
        return (self._marks.cell(Address(LAKE, seen)) if known else cell(str(seen), _BAD)) + port

    def _heading(self, text: str) -> None:
        self._fold(Text(text, "bold"))
        self._console.print()

    def _prose(self, text: str) -> None:
        self._fold(Text(text))
        self._console.print()

    def _fold(self, text: Text, lead: Text | str = "") -> None:
        """Print text as prose, which is folded in a pipe, too."""
        say(self._console, text, lead=lead, fold=True, widest=_WIDEST)

    def _table(self, headings: Sequence[str], rows: Sequence[Row]) -> None:
        table(self._console, headings, rows)
        self._console.print()


def _name(host: EndSystem) -> str:
    return host.name.local.capitalize()


def _service(case: Case) -> str:
    return case.service.name.local


def _joined(cells: Sequence[Cell]) -> Cell:
    joined: Cell = ()
    for position, each in enumerate(cells):
        joined += (cell(", ") if position else ()) + each
    return joined
