"""The demo as a story in a terminal: colours and letters mark realms, and no line is wider than 80 columns."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address

from rich.console import Console
from rich.text import Text

from farshore.cli.console import Cell, cell, columns
from farshore.cli.demo.case import Case, url
from farshore.cli.demo.picture import ascii_picture, picture
from farshore.conformance.answer import Fetched
from farshore.conformance.check import Result
from farshore.fabric.model import EndSystem
from farshore.realm import LAKE, PROVIDER, Address

_WIDEST = 80
_MARGIN = " " * 11
_GOOD, _BAD = "green", "bold red"
_FETCHERS = (("curl", "curl"), ("wget", "wget -qO -"))  # programs, and how to have them print a page


class Story:
    """Tells a case on a console, a chapter a method."""

    def __init__(self, console: Console, case: Case) -> None:
        """Keep where to tell it, and what."""
        self._console = console
        self._case = case
        self._marks = case.marks
        self._width = min(_WIDEST, console.width)

    def problem(self) -> None:
        """Tell who has which address."""
        everybody = [*self._case.hosts, self._case.service]
        who = [f"{_name(host)}'s PC at {host.address.realm}" for host in self._case.hosts]
        addresses = sorted({str(node.address.ip) for node in everybody})
        self._heading("The problem")
        self._prose(
            f"{', '.join(who)} and {self._case.intent.provider.name}'s {_service(self._case)} all have the address "
            f"{' or '.join(addresses)}, each in a network of its own. Whoever calls that address calls itself."
        )

    def plan(self) -> None:
        """Tell which addresses were given."""
        tenants = [tenant.realm for tenant in self._case.intent.tenants.values()]
        service = self._case.plan.services[_service(self._case)]
        self._heading("The plan")
        self._prose("An address means nothing without its network, its realm. Colour and letter say which:")
        self._console.print(Text("  ") + self._marks.legend((*tenants, LAKE, PROVIDER)))
        self._console.print()
        self._table(
            ("who", "has", "in the lake", "tenants call it"),
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
        """Tell what was fetched, and what the service saw."""
        exchanges = self._case.fetches
        names = " and ".join(_name(self._case.host(exchange)) for exchange in exchanges)
        self._heading(f"{names} open {url(str(exchanges[0].destination))}, for real, in a lab on this machine")
        self._prose(
            f"Both have the address {exchanges[0].source} and both call from port {exchanges[0].source_port}, at "
            f"the same moment. The {_service(self._case)} tells each of them whom it saw:"
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
        self._table(("who", "calls from", f"the {_service(self._case)} saw", "result"), rows)

    def path(self) -> None:
        """Tell the way of the packets, as a picture."""
        self._heading("The way there")
        drawn = picture(self._case.fabric, self._case.calls, self._marks)
        self._console.print(ascii_picture(drawn) if self._console.options.ascii_only else drawn)
        self._console.print()
        self._prose("The answers come back the same way, and each NAT undoes what it did.")

    def refusals(self, results: Mapping[str, Result]) -> None:
        """Tell what was refused, and by what."""
        arrived = results[self._case.honest.name]
        self._heading("What nobody gets away with")
        if arrived.ok:
            self._prose(
                "Made-up packets, put on the wire in the same lab. One that breaks no rule arrives. These do not:"
            )
        else:
            self._prose("Made-up packets, put on the wire in the same lab.")
            self._console.print(Text(f"  DIFFERS  {arrived.name}: {arrived.observed}", _BAD))
        for refusal in self._case.refusals:
            result = results[refusal.check.name]
            verdict = Text("  refused  ", _GOOD) if result.ok else Text("  DIFFERS  ", _BAD)
            self._console.print(verdict + Text(refusal.what, "default"))
            told = f"{refusal.device}: {refusal.why}" if result.ok else f"observed: {result.observed}"
            told = textwrap.fill(told, self._width, initial_indent=_MARGIN, subsequent_indent=_MARGIN)
            self._console.print(Text(told, "" if result.ok else _BAD))
        self._console.print()

    def moral(self, program: str, file: str, differences: Sequence[str]) -> None:
        """Tell why it works and what to try next or, where it did not, what differed."""
        if differences:
            self._heading("This is not what the plan says")
            for difference in differences:
                self._console.print(Text(f"  {difference}", _BAD))
            return
        host = self._case.hosts[0]
        self._heading("Why it works")
        self._prose(
            "Every shore translates between its own network and the lake, whose addresses nobody else uses. So no "
            "NAT ever has the same address on two of its sides, and none has to guess which "
            f"{host.address.ip} is meant. Translated once, straight into the provider's network, "
            f"a packet to {self._case.service.address.ip} would find one on both sides."
        )
        self._heading("What to try next")
        for command, purpose in self._commands(file):
            self._console.print(Text(f"  {program} {command}") + Text(f"  # {purpose}" if purpose else "", "dim"))

    def _commands(self, file: str) -> Iterator[tuple[str, str]]:
        """Yield what can be done next, as arguments of this program, and what for."""
        exchange = self._case.fetches[0]
        called = url(str(exchange.destination))
        fetcher = next((command for program, command in _FETCHERS if shutil.which(program)), None)
        yield f"lab up {file}", "the same lab, to play in"
        yield f"lab exec {exchange.node} -- ping -c 3 {exchange.destination}", ""
        if fetcher is not None:
            yield f"lab exec {exchange.node} -- {fetcher} {called}", ""
        yield f"lab exec {exchange.node.partition('/')[0]}/nat -- nft list ruleset", "its rules"
        yield "lab down", "leaves nothing behind"
        yield f"lab run {file}", "tries everything"
        yield f"walk {file} --from {exchange.node} --to {exchange.service}", ""
        yield f"walk {file} --from {exchange.node} --to {exchange.service} --design single-nat", "why twice"

    def _seen(self, answer: Fetched) -> Cell:
        if answer.seen is None:
            return cell("nothing", _BAD)
        port = cell(f" port {answer.seen.source_port}")
        seen = IPv4Address(answer.seen.source)
        # Of any other address nobody knows whose it is.
        known = seen in self._case.plan.lake.network
        return (self._marks.cell(Address(LAKE, seen)) if known else cell(str(seen), _BAD)) + port

    def _heading(self, text: str) -> None:
        self._console.print(Text(text, "bold"))
        self._console.print()

    def _prose(self, text: str) -> None:
        self._console.print(Text(textwrap.fill(text, self._width)))
        self._console.print()

    def _table(self, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        self._console.print(columns(headings, rows), end="")
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
