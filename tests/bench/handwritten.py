"""The rules that an engineer would type for a device, in the form that iptables-restore reads."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from farshore.fabric.model import Device, Direction, Permit
from farshore.port import Protocol
from farshore.realm import Prefix
from farshore.translation import BasicNat

_SINGLE = 32


def rules(device: Device) -> str:
    """Return the rules for a NAT device of the lake design: translations, source checks, services, MSS clamp."""
    return "\n".join([*_nat(device), *_mangle(), *_filter(device)]) + "\n"


def _nat(device: Device) -> Iterator[str]:
    yield "*nat"
    for pair in device.destination_nat:
        inside, outside = pair.inside.network.network_address, pair.outside.network.network_address
        yield f"-A PREROUTING {_from(device, pair.inside)} -d {inside} -j DNAT --to-destination {outside}"
    for translation in device.source_nat:
        assert isinstance(translation, BasicNat)
        leaving = next(i.name for i in device.interfaces if i.realm == translation.outside.realm)
        yield f"-A POSTROUTING -o {leaving} -s {translation.inside.network} {_source(translation)}"
    yield "COMMIT"


def _from(device: Device, inside: Prefix) -> str:
    """Return the match for arrival from a realm; where that is many interfaces, all but the others."""
    arriving = [i.name for i in device.interfaces if i.realm == inside.realm]
    if len(arriving) == 1:
        return f"-i {arriving[0]}"
    return " ".join(f"! -i {i.name}" for i in device.interfaces if i.realm != inside.realm)


def _source(translation: BasicNat) -> str:
    if translation.inside.network.prefixlen == _SINGLE:
        return f"-j SNAT --to-source {translation.outside.network.network_address}"
    return f"-j NETMAP --to {translation.outside.network}"


def _mangle() -> Iterator[str]:
    yield "*mangle"
    yield "-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
    yield "COMMIT"


def _filter(device: Device) -> Iterator[str]:
    """Yield the filter: what is known, then who may come from where, then which services there are."""
    assert device.policy is not None
    yield "*filter"
    yield ":FORWARD DROP [0:0]"
    yield ":services - [0:0]"
    yield "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    callers = {permit.ingress for permit in device.policy.permits}
    realms = {interface.name: interface.realm for interface in device.interfaces}
    for guard in device.guards:
        if guard.direction is Direction.IN and realms[guard.interface] in callers:
            for source in guard.sources:
                yield f"-A FORWARD -i {guard.interface} -s {_network(source.network)} -j services"
    for permit in device.policy.permits:
        yield f"-A services -d {permit.translated.network} {_port(permit)} -m conntrack --ctstate NEW -j ACCEPT"
    yield "COMMIT"


def _network(network: IPv4Network) -> str:
    return str(network.network_address) if network.prefixlen == _SINGLE else str(network)


def _port(permit: Permit) -> str:
    if permit.port.protocol is Protocol.ICMP:
        return "-p icmp --icmp-type echo-request"
    return f"-p {permit.port.protocol} --dport {permit.port.number}"
