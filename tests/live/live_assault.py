"""Packets that must not arrive, from wherever there is a wire, and what arrived of them."""

from __future__ import annotations

import contextlib
import itertools
import socket
from ipaddress import IPv4Address, IPv4Network

import live_tools
from live_intents import interface_toward

from farshore.engine.nftables.desired import compile_fabric
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, encode

HERE, PORTAL = "10.1.1.1", "10.2.2.1"
# Not what a tenant is called by, nor what it is shown, may ever arrive at a service.
UNTRANSLATED = (IPv4Network("10.1.1.0/24"), IPv4Network("10.2.2.0/28"))
PLACES = (
    ("customer-a/alice", "customer-a/ce"),
    ("customer-a/ce", "customer-a/nat"),
    ("customer-a/nat", "provider/nat"),
)
TARGETS = (PORTAL, "100.64.0.1", "10.3.3.1")


class Assault:
    """Throws packets of a real tenant address from wherever there is a wire already, and listens at the portal."""

    def __init__(self, fabric: Fabric) -> None:
        desired = compile_fabric(fabric)
        self.entries = [
            (node, interface, next(i.far_mac for i in desired.nodes[node].interfaces if i.name == interface))
            for node, other in PLACES
            for interface in [interface_toward(fabric, node, other)]
        ]
        self.injected = 0
        self.receiver: live_tools.Wire | None = None
        self.arrived: list[bytes] = []

    def inject(self) -> None:
        """Throw from every place, at every target, as far as there are places."""
        if self.receiver is None:
            with contextlib.suppress(OSError, MachineError):
                self.receiver = live_tools.Wire("provider/portal", "provider")
        for node, interface, mac in self.entries:
            with contextlib.suppress(OSError, MachineError):
                wire = live_tools.open_socket(node, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
                with wire:
                    for target, port in itertools.product(TARGETS, (443, 9)):
                        packet = WirePacket(Protocol.TCP, _ip(HERE), _ip(target), 40404, port)
                        far = (interface, 0x0800, 0, 0, bytes.fromhex(mac.replace(":", "")))
                        wire.sendto(encode(packet, b""), far)
                        self.injected += 1

    def untranslated(self) -> list[str]:
        """Return what arrived at the portal and should not have, once everything that was injected has its end."""
        live_tools.settle()
        if self.receiver is not None:
            self.arrived += self.receiver.heard()
        found = []
        for packet in self.arrived:
            source, destination = itertools.islice(live_tools.addresses(packet), 2)
            if any(address in network for address in (source, destination) for network in UNTRANSLATED):
                found.append(f"{source} > {destination}")
        return found


def _ip(text: str) -> IPv4Address:
    return IPv4Address(text)
