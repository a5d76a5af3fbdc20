"""What passes each design and what does not: the rows of docs/protocols.md, each with the packets that show it."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import live_tools
from live_appliance import applied
from live_fragments import Sender

from farshore.design.catalogue import build
from farshore.fabric.model import EndSystem, Fabric
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate
from farshore.port import Protocol
from farshore.traffic.packet import TCP_ACK, TCP_SYN, WirePacket, checksum, decode, encode, fragments

COLUMNS = ("lake", "last-hop", "appliance", "Internet edge")
TEXT = """\
version: 1
design: DESIGN
provider:
  name: acme
  networks: [10.3.3.0/24]
  services:
    portal: {address: 10.3.3.1, ports: [PORTS], internet: 203.0.113.10}
tenants:
  customer-a: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {alice: 10.1.1.1}}
"""
_TCP_PORTS = "tcp/443, tcp/21, tcp/111, tcp/1723, tcp/2049, tcp/5060, tcp/50000"
_UDP_PORTS = "udp/69, udp/111, udp/500, udp/4500, udp/5000, udp/5060, icmp"
_SERVICE, _REAL, _PRESENTED, _PUBLISHED = "provider/portal", "10.3.3.1", "10.2.2.1", "203.0.113.10"
_UNLISTED, _LISTED = 50001, 50000
_AT_ONCE = 64  # a wire's ring holds what so many packets leave there
_FOLDER = Path("/run/farshore/protocols")
_DEVICES = {"lake": 4, "last-hop": 3, "appliance": 3, "Internet edge": 2}  # between host and service
_ports = itertools.count(41000)
_marks = itertools.count(1)


def fabric_of(column: str) -> Fabric:
    """Return the fabric of a column: the Internet's edge is beside the lake, as beside any design."""
    design = "lake" if column == "Internet edge" else column
    ports = _TCP_PORTS if design == "appliance" else f"{_TCP_PORTS}, {_UDP_PORTS}"
    loaded = load_text(TEXT.replace("DESIGN", design).replace("PORTS", ports), "intent.yaml")
    assert loaded.intent is not None, loaded.diagnostics
    plan = allocate(loaded.intent).plan
    assert plan is not None
    return build(loaded.intent, plan)


# --- both ends of a passage -----------------------------------------------------------------------------


class Ends:
    """A host and the service, with a live connection between them; packets as they are go either way.

    ``seen`` is the host's address and port of that connection as the service has it.
    """

    def __init__(self, column: str) -> None:
        self.column, fabric = column, fabric_of(column)
        live_tools.build(fabric)
        live_tools.serve_echo(fabric)
        if column == "appliance":
            applied(fabric, _FOLDER, {})
        outside = column == "Internet edge"
        self.host = "internet/host" if outside else "customer-a/alice"
        node = fabric.nodes[self.host]  # type: ignore[index]
        assert isinstance(node, EndSystem)
        self.here, self.target = str(node.address.ip), _PUBLISHED if outside else _PRESENTED
        self.port = next(_ports)
        self.connection = live_tools.tcp(self.host, self.here, self.port, self.target, 443)
        self.seen: tuple[str, int] = tuple(json.loads(live_tools.read_line(self.connection)))
        self._near, self._far = Sender(fabric, self.host, node.interface.name), Sender(fabric, _SERVICE, "provider")
        self._wires = {
            "host": live_tools.Wire(self.host, node.interface.name),
            "service": live_tools.Wire(_SERVICE, "provider"),
        }

    def sent(self, packets: Iterable[bytes], *, back: bool = False) -> list[bytes]:
        """Send packets to the service, or from it, and return what the other end's wire then has."""
        sender, end = (self._far, "host") if back else (self._near, "service")
        found: list[bytes] = []
        for some in _batches(packets):
            for packet in some:
                sender.send(packet)
            live_tools.settle()
            found += self._wires[end].heard()
            for wire in self._wires.values():
                list(wire.heard())  # what the other end has, and what nobody waits for
        return found

    def arrives(self, make: Callable[[bytes], bytes], *, back: bool = False) -> bytes | None:
        """Send what is made with a mark in it, and return how it arrives, None where it does not."""
        mark = b"<mark %06d>" % next(_marks)
        return next((content for content in self.sent([make(mark)], back=back) if mark in content), None)

    def marked(self, made: Mapping[int, Callable[[bytes], bytes]], *, back: bool = False) -> set[int]:
        """Send many at once and return the keys of those that arrive."""
        marks = {key: b"<mark %06d>" % next(_marks) for key in made}
        found = self.sent([made[key](mark) for key, mark in marks.items()], back=back)
        return {key for key, mark in marks.items() if any(mark in content for content in found)}

    def udp(self, port: int, payload: bytes = b"") -> bytes | None:
        """Send a datagram to a port of the service, and return how it arrives."""
        return self.arrives(lambda mark: self.packet(Protocol.UDP, port, payload + mark))

    def packet(self, protocol: Protocol, port: int, payload: bytes) -> bytes:
        """Return a packet from the host, of a port that nothing else uses, to a port of the service."""
        ends = IPv4Address(self.here), IPv4Address(self.target)
        return encode(WirePacket(protocol, *ends, next(_ports), port), payload)

    def from_service(self, protocol: Protocol, port: int, to: tuple[str, int], flags: int = TCP_SYN) -> bool:
        """Tell whether a packet arrives that the service sends by itself."""
        ends = IPv4Address(_REAL), IPv4Address(to[0])
        packet = WirePacket(protocol, *ends, port, to[1], flags)
        return self.arrives(lambda mark: encode(packet, mark), back=True) is not None

    def talks(self, port: int, said: bytes = b"?") -> bool:
        """Tell whether a connection to a port opens and the service echoes what is said."""
        with contextlib.suppress(OSError), live_tools.tcp(self.host, self.here, next(_ports), self.target, port) as own:
            own.sendall(said)
            live_tools.read_line(own)
            return live_tools.read_exactly(own, len(said)) == said
        return False

    def opens(self, options: bytes, ttl: int = 64) -> bool:
        """Tell whether the first packet of a connection to tcp/443, with IP options, is answered by SYN and ACK."""
        source = next(_ports)
        self._near.send(self.first(options, ttl, source))
        live_tools.settle()
        answers = [decode(content) for content in self._wires["host"].heard()]
        both = TCP_SYN | TCP_ACK
        return any(a and a.destination_port == source and a.tcp_flags & both == both for a in answers)

    def first(self, options: bytes = b"", ttl: int = 64, source: int | None = None, port: int = 443) -> bytes:
        """Return the first packet of a connection."""
        ends = IPv4Address(self.here), IPv4Address(self.target)
        whole = encode(WirePacket(Protocol.TCP, *ends, source or next(_ports), port), b"")
        return ip(6, *ends, whole[20:], options=options, ttl=ttl)

    def hops(self, make: Callable[[int], bytes]) -> int:
        """Return how many devices answer that a packet's time to live is over."""
        number = 0
        for ttl in range(1, _DEVICES[self.column] + 1):
            self._near.send(make(ttl))
            live_tools.settle()
            heard = [decode(content) for content in self._wires["host"].heard()]
            number += any(m and m.protocol is Protocol.ICMP and m.icmp_type == live_tools.TIME_EXCEEDED for m in heard)
        return number

    def errors(self, kinds: Iterable[tuple[int, int]]) -> set[int]:
        """Return the ICMP types that arrive when the service sends them about the live connection."""
        quoted = WirePacket(
            Protocol.TCP, IPv4Address(self.seen[0]), IPv4Address(_REAL), self.seen[1], 443, tcp_flags=TCP_ACK
        )
        ends = IPv4Address(_REAL), IPv4Address(self.seen[0])
        made = {
            kind << 8 | code: lambda mark, kind=kind, code=code: ip(
                1, *ends, icmp(kind, code, struct.pack("!HH", 0, 1400) + encode(quoted, mark))
            )
            for kind, code in kinds
        }
        return self.marked(made, back=True)  # type: ignore[arg-type]

    def queries(self, kinds: Iterable[int]) -> set[int]:
        """Return the ICMP types that arrive when the host sends them by itself."""
        ends = IPv4Address(self.here), IPv4Address(self.target)
        made = {
            kind: lambda mark, kind=kind: ip(1, *ends, icmp(kind, 0, struct.pack("!HH", next(_ports), 1) + mark * 4))
            for kind in kinds
        }
        return self.marked(made)  # type: ignore[arg-type]

    def protocols(self, numbers: Iterable[int]) -> set[int]:
        """Return the IP protocol numbers of which a packet arrives at the service or, about as likely, at the host."""
        ways = {
            False: (IPv4Address(self.here), IPv4Address(self.target)),
            True: (IPv4Address(_REAL), IPv4Address(self.seen[0])),
        }
        found: set[int] = set()
        for back, ends in ways.items():
            made = {n: lambda mark, n=n, ends=ends: ip(n, *ends, _BODIES.get(n, _body)(ends, mark)) for n in numbers}
            found |= self.marked(made, back=back)  # type: ignore[arg-type]
        return found


def _batches(packets: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    iterator = iter(packets)
    while some := tuple(itertools.islice(iterator, _AT_ONCE)):
        yield some


# --- packets --------------------------------------------------------------------------------------------


def ip(
    protocol: int, source: IPv4Address, destination: IPv4Address, body: bytes, *, options: bytes = b"", ttl: int = 64
) -> bytes:
    """Return an IPv4 packet of any protocol, with options of a multiple of 4 bytes (RFC 791)."""
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBB", 0x40 | words, 0, words * 4 + len(body), 0, 0, ttl, protocol)
    ends = source.packed + destination.packed + options
    return head + struct.pack("!H", checksum(head + b"\0\0" + ends)) + ends + body


def icmp(kind: int, code: int, rest: bytes) -> bytes:
    """Return an ICMP message (RFC 792)."""
    check = checksum(struct.pack("!BBH", kind, code, 0) + rest)
    return struct.pack("!BBH", kind, code, check) + rest


Both = tuple[IPv4Address, IPv4Address]


def _body(_ends: Both, mark: bytes) -> bytes:
    return mark * 4


def _esp(_ends: Both, mark: bytes) -> bytes:
    return struct.pack("!II", 0x1000, 1) + mark * 4  # RFC 4303: parameters index, sequence


def _ah(_ends: Both, mark: bytes) -> bytes:
    return struct.pack("!BBHII", 6, 4, 0, 0x1000, 1) + bytes(12) + mark  # RFC 4302


def _gre(_ends: Both, mark: bytes) -> bytes:
    return struct.pack("!HHHHI", 0x3001, 0x880B, len(mark), 1, 1) + mark  # RFC 2637: PPTP's


def _sctp(_ends: Both, mark: bytes) -> bytes:
    init = struct.pack("!BBHIIHHI", 1, 0, 20 + 16, 1, 65535, 1, 1, 1) + mark.ljust(16, b".")  # RFC 9260
    head = struct.pack("!HHI", 40000, 443, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + init)) + init


def _udp_lite(ends: Both, mark: bytes) -> bytes:
    length = 8 + len(mark)
    pseudo = ends[0].packed + ends[1].packed + struct.pack("!BBH", 0, 136, length)
    head = struct.pack("!HHH", 40000, 5000, 0)  # RFC 3828: all of it is covered
    return head + struct.pack("!H", checksum(pseudo + head + b"\0\0" + mark)) + mark


_BODIES: Mapping[int, Callable[[Both, bytes], bytes]] = {47: _gre, 50: _esp, 51: _ah, 132: _sctp, 136: _udp_lite}


def crc32c(data: bytes) -> int:
    """Return the checksum of SCTP (RFC 9260 appendix A)."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


_OPTIONS = {
    "record route": bytes((7, 7, 4, 0, 0, 0, 0, 0)),
    "timestamp": bytes((68, 8, 5, 0, 0, 0, 0, 0)),
    "loose source route": bytes((131, 7, 4, 10, 3, 3, 1, 0)),
    "strict source route": bytes((137, 7, 4, 10, 3, 3, 1, 0)),
    "router alert": bytes((148, 4, 0, 0)),
    "no operation": bytes((1, 1, 1, 0)),
}


# --- the rows -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: ``passes`` holds what is so in each column, ``shown`` finds it out with real packets."""

    protocol: str
    what: str
    passes: str
    why: str
    shown: Callable[[Ends], bool]

    def expected(self, column: str) -> bool:
        """Return what the table says of a column."""
        return self.passes.split()[COLUMNS.index(column)] == "yes"


def _tftp(ends: Ends) -> bool:
    arrived = ends.udp(69, b"\0\1boot\0octet\0")
    asked = decode(arrived) if arrived else None
    return asked is not None and ends.from_service(Protocol.UDP, 50123, (str(asked.source), asked.source_port))


def _answer(ends: Ends) -> bool:
    arrived = ends.udp(69, b"\0\1boot\0octet\0")
    asked = decode(arrived) if arrived else None
    return asked is not None and ends.from_service(Protocol.UDP, 69, (str(asked.source), asked.source_port))


def _getport() -> bytes:
    # RFC 1833: a call of program 100000, version 2, procedure 3, about mountd's version 3 over TCP.
    return struct.pack("!10I4I", 7, 0, 2, 100000, 2, 3, 0, 0, 0, 0, 100005, 3, 6, 0)


def _translated(ends: Ends, said: str, port: int) -> bool:
    """Tell whether the service receives other bytes than were said: its echo shows what it got."""
    return not ends.talks(port, said.format(ends.here, ends.here.replace(".", ",")).encode())


def _fragmented(ends: Ends) -> bool:
    mark = b"<mark %06d>" % next(_marks)
    parts = fragments(ends.packet(Protocol.UDP, 5000, mark + bytes(3000)), next(_ports), (1480, 2960))
    return any(mark in content for content in ends.sent(parts))


def _to(destination: str, port: int) -> Callable[[Ends], bool]:
    def shown(ends: Ends) -> bool:
        packet = WirePacket(Protocol.UDP, IPv4Address(ends.here), IPv4Address(destination), next(_ports), port)
        return ends.arrives(lambda mark: encode(packet, mark)) is not None

    return shown


def _of_protocol(*numbers: int) -> Callable[[Ends], bool]:
    return lambda ends: bool(ends.protocols(numbers))


def _error(kind: int, codes: int = 1) -> Callable[[Ends], bool]:
    """Tell whether an error of every code arrives. Raises AssertionError where only some do."""

    def shown(ends: Ends) -> bool:
        found = ends.errors((kind, code) for code in range(codes))
        assert len(found) in (0, codes), found
        return bool(found)

    return shown


ERRORS, ECHO = (3, 11, 12), 8
_OTHER_TYPES = [kind for kind in range(256) if kind not in (0, 4, 5, ECHO, *ERRORS)]
_KNOWN = {1, 6, 17, *_BODIES}


def _other_types(ends: Ends) -> bool:
    return bool(ends.queries(_OTHER_TYPES) | ends.errors((kind, 0) for kind in _OTHER_TYPES))


def _traced(make: Callable[[Ends, int], bytes]) -> Callable[[Ends], bool]:
    return lambda ends: ends.hops(functools.partial(make, ends)) == _DEVICES[ends.column]


def _echo_request(ends: Ends, ttl: int) -> bytes:
    message = icmp(ECHO, 0, struct.pack("!HH", next(_ports), 1))
    return ip(1, IPv4Address(ends.here), IPv4Address(ends.target), message, ttl=ttl)


def _probe(ends: Ends, ttl: int) -> bytes:
    whole = ends.packet(Protocol.UDP, 33434, b"?" * 32)
    return ip(17, IPv4Address(ends.here), IPv4Address(ends.target), whole[20:], ttl=ttl)


_NO, _YES, _PACKETS = "no no no no", "yes yes yes yes", "yes yes no yes"
_INVITE = "INVITE sip:portal@acme.example SIP/2.0\r\nContact: <sip:alice@{0}>\r\n\r\nc=IN IP4 {0}\r\nm=audio 16384\r\n"
_TCP_ONLY, _TO_LISTED = "the appliance carries TCP only", "only listed ports pass"
_NEW = "only hosts open flows, unless `reaches` lets the provider's (lake)"
_BYTES = "farshore translates headers, never messages"
_FEW = "TCP, UDP and ICMP alone are translated"

ROWS = (
    Row("TCP", "a listed port", _YES, "", lambda ends: ends.talks(443)),
    Row("TCP", "another port", _NO, _TO_LISTED, lambda ends: ends.talks(_UNLISTED)),
    Row("UDP", "a listed port", _PACKETS, _TCP_ONLY, lambda ends: ends.udp(5000) is not None),
    Row("UDP", "another port", _NO, _TO_LISTED, lambda ends: ends.udp(_UNLISTED) is not None),
    Row("UDP", "a datagram in fragments", _PACKETS, "put together and checked as a whole", _fragmented),
    Row(
        "any",
        "a connection that the service opens",
        _NO,
        _NEW,
        lambda ends: ends.from_service(Protocol.TCP, 9, ends.seen),
    ),
    Row("TFTP", "the request, udp/69", _PACKETS, _TCP_ONLY, lambda ends: ends.udp(69) is not None),
    Row("TFTP", "the answer, from a new port", _NO, "no flow has that port (RFC 1350 wants it)", _tftp),
    Row(
        "TFTP",
        "an answer from port 69",
        _PACKETS,
        "for servers that are set so, such as dnsmasq (tftp-single-port)",
        _answer,
    ),
    Row("portmapper", "a query, udp/111", _PACKETS, _TCP_ONLY, lambda ends: ends.udp(111, _getport()) is not None),
    Row("portmapper", "a query, tcp/111", _YES, "", lambda ends: ends.talks(111, _getport())),
    Row("NFSv3", "the port that it names, not listed", _NO, _TO_LISTED, lambda ends: ends.talks(_UNLISTED)),
    Row(
        "NFSv3",
        "the port that it names, listed",
        _YES,
        "fix the ports of nfsd and mountd",
        lambda ends: ends.talks(_LISTED),
    ),
    Row(
        "NFSv3", "lockd and statd calling back", _NO, _NEW, lambda ends: ends.from_service(Protocol.UDP, 111, ends.seen)
    ),
    Row("NFSv4", "tcp/2049", _YES, "", lambda ends: ends.talks(2049)),
    Row("FTP", "control, tcp/21", _YES, "", lambda ends: ends.talks(21, b"USER alice\r\n")),
    Row("FTP", "active data, from port 20", _NO, _NEW, lambda ends: ends.from_service(Protocol.TCP, 20, ends.seen)),
    Row("FTP", "passive data, port not listed", _NO, _TO_LISTED, lambda ends: ends.talks(_UNLISTED)),
    Row("FTP", "extended passive data (RFC 2428), port listed", _YES, "", lambda ends: ends.talks(_LISTED)),
    Row(
        "FTP",
        "addresses in PORT and 227 translated",
        _NO,
        _BYTES,
        lambda ends: _translated(ends, "PORT {1},160,0\r\n", 21),
    ),
    Row(
        "SIP",
        "messages, udp/5060",
        _PACKETS,
        _TCP_ONLY,
        lambda ends: ends.udp(5060, _INVITE.format(ends.here).encode()) is not None,
    ),
    Row("SIP", "messages, tcp/5060", _YES, "", lambda ends: ends.talks(5060, _INVITE.format(ends.here).encode())),
    Row("SIP", "addresses in messages translated", _NO, _BYTES, lambda ends: _translated(ends, _INVITE, 5060)),
    Row(
        "RTP",
        "media from the service",
        _NO,
        _NEW,
        lambda ends: ends.from_service(Protocol.UDP, 16384, (ends.seen[0], 16384)),
    ),
    Row("IPsec", "IKE, udp/500", _PACKETS, _TCP_ONLY, lambda ends: ends.udp(500) is not None),
    Row("IPsec", "ESP", _NO, _FEW, _of_protocol(50)),
    Row("IPsec", "AH", _NO, "it protects the addresses, which NAT changes", _of_protocol(51)),
    Row("IPsec", "ESP in UDP (RFC 3948), udp/4500", _PACKETS, _TCP_ONLY, lambda ends: ends.udp(4500) is not None),
    Row("PPTP", "control, tcp/1723", _YES, "", lambda ends: ends.talks(1723)),
    Row("PPTP", "GRE", _NO, _FEW, _of_protocol(47)),
    Row("SCTP", "a first packet", _NO, _FEW, _of_protocol(132)),
    Row("UDP-Lite", "a datagram", _NO, _FEW, _of_protocol(136)),
    Row(
        "any other IP protocol",
        "each of its numbers from 0 to 255",
        _NO,
        _FEW,
        _of_protocol(*(set(range(256)) - _KNOWN)),
    ),
    *(
        Row(
            "IP options",
            name,
            _NO,
            "they hold addresses that no translation reaches",
            lambda ends, o=option: ends.opens(o),
        )
        for name, option in _OPTIONS.items()
    ),
    Row("multicast", "239.1.1.1", _NO, "no group is translated or routed", _to("239.1.1.1", 5000)),
    Row("multicast", "mDNS, 224.0.0.251 udp/5353", _NO, "it is for one link (RFC 6762)", _to("224.0.0.251", 5353)),
    Row("broadcast", "255.255.255.255", _NO, "it is for one link (RFC 919)", _to("255.255.255.255", 67)),
    Row(
        "traceroute",
        "TCP to a listed port",
        _PACKETS,
        "beyond the appliance there is another connection",
        _traced(lambda ends, ttl: ends.first(ttl=ttl)),
    ),
    Row("traceroute", "echo", _PACKETS, _TCP_ONLY, _traced(_echo_request)),
    Row("traceroute", "UDP, from port 33434", _NO, f"{_TO_LISTED}; devices before the filter answer", _traced(_probe)),
    Row(
        "ICMP",
        "0, echo reply, that answers",
        _PACKETS,
        _TCP_ONLY,
        lambda ends: live_tools.Pinger(ends.host, ends.here).ping(ends.target, 7) is not None,
    ),
    Row("ICMP", "0, echo reply, by itself", _NO, "it answers nothing", lambda ends: bool(ends.queries([0]))),
    Row(
        "ICMP",
        "3, unreachable, every code (path MTU discovery is code 4)",
        _PACKETS,
        "the appliance itself is the end that the error is for",
        _error(3, 16),
    ),
    Row("ICMP", "4, source quench", _NO, "deprecated (RFC 6633)", _error(4)),
    Row("ICMP", "5, redirect", _NO, "it is for one link", _error(5, 4)),
    Row("ICMP", "8, echo request", _PACKETS, _TCP_ONLY, lambda ends: bool(ends.queries([ECHO]))),
    Row("ICMP", "11, time exceeded", _PACKETS, "as of type 3", _error(11, 2)),
    Row("ICMP", "12, parameter problem", _PACKETS, "as of type 3", _error(12, 3)),
    Row(
        "ICMP",
        "3, 4, 5, 11, 12 about no flow",
        _NO,
        "they are about nothing",
        lambda ends: bool(ends.queries([4, 5, *ERRORS])),
    ),
    Row(
        "ICMP",
        "each other type from 1 to 255",
        _NO,
        "timestamps, masks, routers: neither queries nor answers",
        _other_types,
    ),
)


def observed(column: str) -> list[bool]:
    """Return what is so of each row in a column. Runs inside a world."""
    ends = Ends(column)
    return [row.shown(ends) for row in ROWS]


def unfiltered(column: str) -> list[bool]:
    """Return the same where every device has lost its filter. Runs inside a world."""
    ends = Ends(column)
    for device in fabric_of(column).devices:
        if device.policy is not None:
            live_tools.nft_in(device.name, "delete table inet farshore_filter")
    return [row.shown(ends) for row in ROWS]


def table() -> str:
    """Return the table of docs/protocols.md."""
    head = f"| protocol | what | {' | '.join(COLUMNS)} | why |\n|{' --- |' * (len(COLUMNS) + 3)}\n"
    return head + "".join(
        f"| {row.protocol} | {row.what} | {' | '.join(row.passes.split())} | {row.why} |\n" for row in ROWS
    )
