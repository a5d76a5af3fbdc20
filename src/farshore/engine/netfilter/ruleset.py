"""One device as one nftables rule set, in text: pure, and applied elsewhere in one transaction.

Two tables. ``farshore_nat`` translates. ``farshore_filter`` holds the guards and the policy, drops by
default, and passes only what was translated: should the NAT table be lost, nothing crosses (nftables then
unregisters NAT, and packets would pass as they are). Should the filter table be lost, the other shore's
guards still stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses

from farshore.fabric.model import NO_ADDRESS, Device, Direction, Guard, Permit, Policy
from farshore.port import Protocol
from farshore.realm import Prefix, Realm
from farshore.translation import BasicNat, PortBlockNapt

FILTER_TABLE = "inet farshore_filter"
NAT_TABLE = "ip farshore_nat"
RECORD_TABLE = "inet farshore_record"

# The ICMP errors that RFC 5508 section 4 asks a NAT to carry: destination unreachable (with "fragmentation
# needed", on which path MTU discovery stands), time exceeded, parameter problem.
ICMP_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"

CAPPED = "capped"
# An option such as record route holds addresses that no translation reaches (RFC 791; RFC 7126 on dropping them).
NO_OPTIONS = "ip hdrlength > 5 drop"


def ruleset(device: Device) -> str | None:
    """Return the nftables text for a device, None for a plain router, which has no rules.

    The text holds the device's tables as a whole, for whoever loads it to put in place of what is there.
    Raises ValueError where an interface of a filtering device lacks a guard, for then it would drop
    everything there without a reason given.
    """
    if device.policy is None:
        return None
    _require_guards(device)
    tables = _table(FILTER_TABLE, _filter_lines(device, device.policy)), _table(NAT_TABLE, _nat_lines(device))
    return "\n".join(tables) + "\n"


def _require_guards(device: Device) -> None:
    guarded = {(guard.interface, guard.direction) for guard in device.guards}
    wanted = {(interface.name, direction) for interface in device.interfaces for direction in Direction}
    if guarded != wanted or len(device.guards) != len(wanted):
        raise ValueError(f"{device.name}: every interface needs one guard in each direction")


def _table(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"table {name} {{", *(f"\t{line}" if line else "" for line in lines), "}"])


# --- filter: guards on the wire, policy in the middle ---------------------------------------------


def _filter_lines(device: Device, policy: Policy) -> Iterator[str]:
    for guard in device.guards:
        yield from _guard_chain(guard)
    for direction in Direction:
        yield from _set(f"guards_{direction}", "ifname : verdict", _dispatch(device, direction), "map")
    yield from _permit_sets(policy)
    # Before conntrack (-200): what a guard refuses leaves no trace of state. After defragmentation (-400).
    yield from _chain(
        "arriving", "filter hook prerouting priority -300; policy drop", [NO_OPTIONS, "iifname vmap @guards_in"]
    )
    if policy.max_sessions is not None:
        yield from _chain(CAPPED, None, [f"ct count over {policy.max_sessions} drop", "accept"])
    yield from _chain("forwarding", "filter hook forward priority 0; policy drop", _policy_rules(device, policy))
    # After source NAT (100): sees each packet as it will be on the wire, ICMP errors of our own included.
    yield from _chain("departing", "filter hook postrouting priority 150; policy drop", ["oifname vmap @guards_out"])
    yield from _chain("to_device", "filter hook input priority 0; policy drop", [])
    yield from _chain("from_device", "filter hook output priority 0; policy drop", [f"{ICMP_ERRORS} accept"])


def _guard_chain(guard: Guard) -> Iterator[str]:
    rules = []
    if guard.destinations and guard.direction is Direction.IN:
        rules.append(f"{ICMP_ERRORS} ip daddr {_prefixes(guard.destinations)} accept")
    if guard.destinations and guard.direction is Direction.OUT:
        # Where no translation gave an error of our own a source, as toward a provider that keeps the lake's.
        rules.append(f"ip saddr {NO_ADDRESS} {ICMP_ERRORS} ip daddr {_prefixes(guard.destinations)} accept")
    if guard.sources and guard.destinations:
        sources, destinations = _prefixes(guard.sources), _prefixes(guard.destinations)
        rules.append(f"ip saddr {sources} ip daddr {destinations} accept")
    return _chain(_guard_name(guard.interface, guard.direction), None, [*rules, "drop"])


def _guard_name(interface: str, direction: Direction) -> str:
    return f"{direction}-{interface}"


def _dispatch(device: Device, direction: Direction) -> Iterator[str]:
    for interface in device.interfaces:
        yield f'"{interface.name}" : jump {_guard_name(interface.name, direction)}'


def _policy_rules(device: Device, policy: Policy) -> Iterator[str]:
    # RFC 4821 cannot help hosts whose path drops ICMP errors, so no segment is offered that cannot pass.
    yield "tcp flags syn / syn,rst tcp option maxseg size set rt mtu"
    translated = " ".join(["ct state established", *_translated_states(device)])
    for (ingress, egress), permits in _by_realms(policy).items():
        name = _pair_name(ingress, egress)
        # Every packet is held against the permits, not only a flow's first: what is revoked stops at once,
        # though its conntrack entry lives on. Here replies still come from the translated destination.
        if _port_elements(permits):
            yield f"{translated} ct direction original ip daddr . meta l4proto . th dport @ports_{name} accept"
            yield f"{translated} ct direction reply ip saddr . meta l4proto . th sport @ports_{name} accept"
        if _echo_elements(permits):
            yield f"{translated} ct direction original icmp type echo-request ip daddr @echo_{name} accept"
            yield f"{translated} ct direction reply icmp type echo-reply ip saddr @echo_{name} accept"
    yield " ".join(["ct state related", *_translated_states(device), ICMP_ERRORS, "accept"])
    # Only what is permitted counts, so that nobody uses up a tenant's sessions with what is refused.
    admitted = "accept" if policy.max_sessions is None else f"goto {CAPPED}"
    # On its first packet a flow has its destination translated already and its source not yet.
    first = "ct state new ct status dnat" if device.destination_nat else "ct state new"
    for (ingress, egress), permits in _by_realms(policy).items():
        name = _pair_name(ingress, egress)
        crossing = f"iifname {_interfaces(device, ingress)} oifname {_interfaces(device, egress)}"
        if _port_elements(permits):
            yield f"{first} {crossing} ip daddr . meta l4proto . th dport @ports_{name} {admitted}"
        if _echo_elements(permits):
            yield f"{first} {crossing} icmp type echo-request ip daddr @echo_{name} {admitted}"


def _translated_states(device: Device) -> Iterator[str]:
    """Yield the matches that hold only for flows which every stage of the device has translated."""
    if device.destination_nat:
        yield "ct status dnat"
    if device.source_nat:
        yield "ct status snat"


def _permit_sets(policy: Policy) -> Iterator[str]:
    for (ingress, egress), permits in _by_realms(policy).items():
        name = _pair_name(ingress, egress)
        if ports := _port_elements(permits):
            yield from _set(f"ports_{name}", "ipv4_addr . inet_proto . inet_service", ports)
        if echoes := _echo_elements(permits):
            yield from _set(f"echo_{name}", "ipv4_addr", echoes)


# Netfilter filters after destination NAT, so the sets hold the translated destinations, each once.
def _port_elements(permits: list[Permit]) -> list[str]:
    ports = (p for p in permits if p.port.protocol is not Protocol.ICMP)
    return list(dict.fromkeys(f"{p.translated.ip} . {p.port.protocol} . {p.port.number}" for p in ports))


def _echo_elements(permits: list[Permit]) -> list[str]:
    return list(dict.fromkeys(str(p.translated.ip) for p in permits if p.port.protocol is Protocol.ICMP))


def _by_realms(policy: Policy) -> dict[tuple[Realm, Realm], list[Permit]]:
    grouped: dict[tuple[Realm, Realm], list[Permit]] = {}
    for permit in policy.permits:
        grouped.setdefault((permit.ingress, permit.egress), []).append(permit)
    return grouped


def _pair_name(ingress: Realm, egress: Realm) -> str:
    return f"{ingress}_to_{egress}"


def _interfaces(device: Device, realm: Realm) -> str:
    names = [f'"{interface.name}"' for interface in device.interfaces if interface.realm == realm]
    return names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"


# --- NAT -------------------------------------------------------------------------------------------


def _nat_lines(device: Device) -> Iterator[str]:
    block_maps = [t for t in device.source_nat if isinstance(t, PortBlockNapt)]
    for number, napt in enumerate(block_maps):
        yield from _port_block_map(f"blocks{number}", napt)
    yield from _chain(
        "translate_destination",
        "nat hook prerouting priority -100; policy accept",
        _destination_rules(device),
    )
    yield from _chain(
        "translate_source",
        "nat hook postrouting priority 100; policy accept",
        [*_basic_source_rules(device), *_port_block_rules(device, block_maps)],
    )


def _destination_rules(device: Device) -> Iterator[str]:
    for ingress in dict.fromkeys(t.inside.realm for t in device.destination_nat):
        pairs = [t for t in device.destination_nat if t.inside.realm == ingress]
        yield f"iifname {_interfaces(device, ingress)} dnat {_address_map(pairs, 'daddr')}"


def _basic_source_rules(device: Device) -> Iterator[str]:
    basic = [t for t in device.source_nat if isinstance(t, BasicNat)]
    for egress in dict.fromkeys(t.outside.realm for t in basic):
        leaving = f"oifname {_interfaces(device, egress)}"
        here = [t for t in basic if t.outside.realm == egress]
        single = [t for t in here if t.inside.network.prefixlen == IPv4Network(0).max_prefixlen]
        wide = [t for t in here if t not in single]
        if wide:
            yield f"{leaving} snat {_prefix_map(wide)}"
        if single:
            yield f"{leaving} snat {_address_map(single, 'saddr')}"


def _port_block_rules(device: Device, napts: list[PortBlockNapt]) -> Iterator[str]:
    for number, napt in enumerate(napts):
        leaving = f"oifname {_interfaces(device, napt.first.realm)} ip saddr {napt.inside.network}"
        # The ICMP query identifier is to echo what the port is to TCP (RFC 5508 section 3.1).
        yield f"{leaving} meta l4proto {{ tcp, udp }} snat ip to ip saddr map @blocks{number}"
        yield f"{leaving} meta l4proto icmp snat ip to ip saddr map @blocks{number}"


def _port_block_map(name: str, napt: PortBlockNapt) -> Iterator[str]:
    def elements() -> Iterator[str]:
        for inside, block in napt.blocks():
            yield f"{inside.ip} : {block.address.ip} . {block.first_port}-{block.last_port}"

    return _set(name, "ipv4_addr : interval ipv4_addr . inet_service", elements(), "map")


def _address_map(pairs: list[BasicNat], field: str) -> str:
    elements = ", ".join(f"{t.inside.network.network_address} : {t.outside.network.network_address}" for t in pairs)
    return f"ip to ip {field} map {{ {elements} }}"


def _prefix_map(translations: list[BasicNat]) -> str:
    elements = ", ".join(f"{t.inside.network} : {t.outside.network}" for t in translations)
    return f"ip prefix to ip saddr map {{ {elements} }}"


# --- nftables' grammar -------------------------------------------------------------------------------


def _chain(name: str, hook: str | None, rules: Iterable[str]) -> Iterator[str]:
    yield f"chain {name} {{"
    if hook is not None:
        yield f"\ttype {hook};"
    for rule in rules:
        yield f"\t{rule}"
    yield "}"
    yield ""


def _set(name: str, key: str, elements: Iterable[str], keyword: str = "set") -> Iterator[str]:
    yield f"{keyword} {name} {{"
    yield f"\ttype {key}"
    yield f"\telements = {{ {', '.join(elements)} }}"
    yield "}"
    yield ""


def _prefixes(prefixes: tuple[Prefix, ...]) -> str:
    # Neighbouring prefixes become one: an interval set refuses overlaps, and shorter is quicker.
    names = [_shortest(network) for network in collapse_addresses(prefix.network for prefix in prefixes)]
    return names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"


def _shortest(network: IPv4Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
