"""Warnings of ports with protocols that need more than their port: docs/protocols.md has what passes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic, Position
from farshore.intent.model import Provider
from farshore.port import Port, Protocol

_FIRST_DATA_PORT = 1024  # below are those that IANA assigns to system services (RFC 6335)
_NONE = "no setting permits it"


@dataclass(frozen=True, slots=True)
class Demanding:
    """A protocol of which the port alone is not enough.

    ``lost`` is what does not pass, ``fix`` what to do instead. It works with ``data_ports`` further ports from 1024
    up, or with the port ``suffices``, in the same list; without either, never.
    """

    name: str
    lost: str
    fix: str
    data_ports: int | None = None
    suffices: Port | None = None

    def satisfied_by(self, ports: tuple[Port, ...], own: Port) -> bool:
        """Tell whether a list of ports has what the protocol needs besides its own port."""
        kinds = {Protocol.TCP, own.protocol}
        further = {p for p in ports if p.protocol in kinds and p.number >= _FIRST_DATA_PORT and p not in DEMANDING}
        enough = self.data_ports is not None and len(further) >= self.data_ports
        return enough or self.suffices in ports


_PORTMAPPER = Demanding(
    "portmapper",
    "it names further ports, and those that are not listed are dropped",
    "use NFSv4, which needs tcp/2049 alone, or list the fixed ports of nfsd and mountd",
    data_ports=2,
)
_SIP = Demanding("SIP", "addresses in its messages are not translated, and media ports are dropped", _NONE)

DEMANDING: Mapping[Port, Demanding] = MappingProxyType(
    {
        Port(Protocol.TCP, 21): Demanding(
            "FTP",
            "connections for data are dropped, in active mode always",
            "list the server's passive ports, and let clients use extended passive mode (RFC 2428)",
            data_ports=1,
        ),
        Port(Protocol.UDP, 69): Demanding(
            "TFTP",
            "the server answers from a new port and is dropped",
            "have it answer from port 69 (dnsmasq: tftp-single-port), or use HTTP or SFTP",
        ),
        Port(Protocol.TCP, 111): _PORTMAPPER,
        Port(Protocol.UDP, 111): _PORTMAPPER,
        Port(Protocol.UDP, 500): Demanding(
            "IKE",
            "ESP is dropped",
            "list udp/4500 for ESP in UDP (RFC 3948)",
            suffices=Port(Protocol.UDP, 4500),
        ),
        Port(Protocol.TCP, 1723): Demanding("PPTP", "GRE is dropped", f"{_NONE}: VPNs over TCP or UDP work"),
        Port(Protocol.TCP, 5060): _SIP,
        Port(Protocol.UDP, 5060): _SIP,
    }
)


def demanding_protocols(file: str, provider: Provider) -> Iterator[Diagnostic]:
    """Yield a warning for each port, of a service or of tenants' hosts that are reached, that alone is not enough."""
    for service in provider.services.values():
        position = service.position
        yield from _lacking(file, f"service {service.name}", service.ports, service.port_positions, position)
    for reach in provider.reaches:
        subject = f"provider: reaches {reach.tenant}"
        yield from _lacking(file, subject, reach.ports, reach.port_positions, reach.position)


def _lacking(
    file: str, subject: str, ports: tuple[Port, ...], positions: tuple[Position, ...], otherwise: Position
) -> Iterator[Diagnostic]:
    for number, port in enumerate(ports):
        demanding = DEMANDING.get(port)
        # A port that is listed twice is an error of its own.
        if demanding is None or port in ports[:number] or demanding.satisfied_by(ports, port):
            continue
        position = positions[number] if number < len(positions) else otherwise
        problem = f"{subject}: {demanding.name} needs more than {port}: {demanding.lost}"
        yield Diagnostic(file, position, DiagnosticCode.PORT_ALONE_NOT_ENOUGH, problem, demanding.fix)
