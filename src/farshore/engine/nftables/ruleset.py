"""One node as one nftables rule set, in text, for one transaction. Pure.

Two tables. ``farshore_nat`` translates. ``farshore_filter`` holds the guards and the policy, drops by
default, and passes only what was translated: should the NAT table be lost, nothing crosses (nftables then
unregisters NAT, and packets would pass as they are). Should the filter table be lost, the other shore's
guards still stand. The routing instances of a proxy have a filter table alone, and forward nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from farshore.engine.nftables import last_hop
from farshore.engine.nftables.fragments import fragment_lines, shares
from farshore.engine.nftables.grammar import chain, collapsed, each_alone, named, prefixes, shortest, table
from farshore.engine.nftables.nat_table import ByRealm, RealmPair, nat_lines, outside_networks, pair_name
from farshore.fabric.model import NO_ADDRESS, Device, Direction, Front, Guard, Limit, Permit, Policy
from farshore.port import Protocol
from farshore.realm import Prefix, Realm, RealmKind

FILTER_TABLE = "inet farshore_filter"
NAT_TABLE = "ip farshore_nat"
RECORD_TABLE = "inet farshore_record"

# The ICMP errors that RFC 5508 section 4 asks a NAT to carry: destination unreachable (with "fragmentation
# needed", on which path MTU discovery stands), time exceeded, parameter problem.
ICMP_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"

# An option such as record route holds addresses that no translation reaches (RFC 791; RFC 7126 on dropping them).
NO_OPTIONS = "ip hdrlength > 5 drop"

_DESTINATION_TRANSLATED = "ct status dnat"


def device_ruleset(device: Device) -> str | None:
    """Return the nftables text for a device, None for a plain router, which has no rules.

    The text holds the device's tables as a whole, for whoever loads it to put in place of what is there.
    Raises ValueError where an interface of a filtering device lacks a guard, for then it would drop
    everything there without a reason given.
    """
    if device.policy is None:
        return None
    _require_guards(device)
    by_realm = ByRealm.of(device)
    filtering = table(FILTER_TABLE, _filter_lines(device, device.policy, by_realm))
    tables = filtering, table(NAT_TABLE, nat_lines(device, by_realm))
    return "\n".join(tables) + "\n"


def _require_guards(device: Device) -> None:
    guarded = {(guard.interface, guard.direction) for guard in device.guards}
    wanted = {(interface.name, direction) for interface in device.interfaces for direction in Direction}
    if guarded != wanted or len(device.guards) != len(wanted):
        raise ValueError(f"{device.name}: every interface needs one guard in each direction")


# --- guards: what may be on the wire -------------------------------------------------------------------


def _filter_lines(device: Device, policy: Policy, by_realm: ByRealm) -> Iterator[str]:
    realms = {interface.name: interface.realm for interface in device.interfaces}
    for guard in device.guards:
        yield from _guard_chain(guard, shared=realms[guard.interface].kind is RealmKind.PROVIDER)
    for direction in Direction:
        yield from named(f"guards_{direction}", "ifname : verdict", _dispatch(device, direction), "map")
    yield from _permit_sets(policy)
    yield from _arriving(["iifname vmap @guards_in"])
    if device.last_hop:
        yield from _last_hop_chains(device)
    if found := shares(device):
        yield from fragment_lines(found)
    for limit in policy.limits:
        yield from _cap_chain(limit)
    yield from _pair_chains(device, policy, by_realm)
    yield from named("pairs", "ifname . ifname : verdict", _pair_elements(policy, by_realm), "map")
    # RFC 4821 cannot help hosts whose path drops ICMP errors, so no segment is offered that cannot pass.
    clamped = "tcp flags syn / syn,rst tcp option maxseg size set rt mtu"
    rules = [clamped, "iifname . oifname vmap @pairs"]
    yield from chain("forwarding", "filter hook forward priority 0; policy drop", rules)
    # After source NAT (100): sees each packet as it will be on the wire, ICMP errors of our own included.
    yield from chain("departing", "filter hook postrouting priority 150; policy drop", ["oifname vmap @guards_out"])
    yield from chain("to_device", "filter hook input priority 0; policy drop", [])
    yield from chain("from_device", "filter hook output priority 0; policy drop", [f"{ICMP_ERRORS} accept"])


def _last_hop_chains(device: Device) -> Iterator[str]:
    # Named, both: every packet misses what stands in a rule's braces for an instant when one element changes, and
    # outside of its zone it opens another flow.
    yield from named("zone_numbers", "iifname : ct zone", last_hop.zone_elements(device), "map", declared="typeof")
    yield from named("marks", "ifname : mark", last_hop.mark_elements(device), "map")
    # Before defragmentation too, which puts together only what is of one zone; what no zone is known for is dropped.
    yield from chain("zones", "filter hook prerouting priority -440; policy drop", last_hop.zone_rules())
    yield from chain("marking", "filter hook prerouting priority -150; policy accept", last_hop.mark_rules())


def _guard_chain(guard: Guard, *, shared: bool) -> Iterator[str]:
    """Yield a guard as a chain. One that all tenants share has sets of its own.

    Every packet misses what stands in a rule's braces for an instant when one element changes.
    """
    name = _guard_name(guard.interface, guard.direction)
    sources, destinations = prefixes(guard.sources), prefixes(guard.destinations)
    if shared and guard.sources and guard.destinations:
        for field, given in (("sources", guard.sources), ("destinations", guard.destinations)):
            yield from named(f"{field}_{name}", "ipv4_addr", each_alone(given), flags="interval")
        sources, destinations = f"@sources_{name}", f"@destinations_{name}"
    rules = []
    if guard.destinations and guard.direction is Direction.IN:
        rules.append(f"{ICMP_ERRORS} ip daddr {destinations} accept")
    if guard.destinations and guard.direction is Direction.OUT:
        # Where no translation gave an error of our own a source, as toward a provider that keeps the lake's.
        rules.append(f"ip saddr {NO_ADDRESS} {ICMP_ERRORS} ip daddr {destinations} accept")
    if guard.sources and guard.destinations:
        rules.append(f"ip saddr {sources} ip daddr {destinations} accept")
    yield from chain(name, None, [*rules, "drop"])


def _guard_name(interface: str, direction: Direction) -> str:
    return f"{direction}-{interface}"


def _dispatch(device: Device, direction: Direction) -> Iterator[str]:
    for interface in device.interfaces:
        yield f'"{interface.name}" : jump {_guard_name(interface.name, direction)}'


# --- policy: a chain for each way from one realm into another ------------------------------------------


def _pairs(policy: Policy, by_realm: ByRealm) -> Iterator[tuple[Realm, Realm]]:
    """Yield the ways across: those of new flows, and back."""
    ways = (
        way for permit in policy.permits for way in ((permit.ingress, permit.egress), (permit.egress, permit.ingress))
    )
    return (way for way in dict.fromkeys(ways) if by_realm.interfaces.keys() >= set(way))


def _pair_elements(policy: Policy, by_realm: ByRealm) -> Iterator[str]:
    for ingress, egress in _pairs(policy, by_realm):
        for entered, left in by_realm.pairs(ingress, egress):
            yield f'"{entered}" . "{left}" : goto {pair_name(ingress, egress)}'


def _pair_chains(device: Device, policy: Policy, by_realm: ByRealm) -> Iterator[str]:
    permits = _by_realms(policy)
    limited = {limit.ingress for limit in policy.limits}
    for ingress, egress in _pairs(policy, by_realm):
        way = ingress, egress
        # What was translated, for this way and back.
        states = {each: _translated_states(device, each, by_realm) for each in (way, way[::-1])}
        rules = [
            *_known_rules(way, permits, states),
            *_new_rules(way, permits, states[way], capped=ingress in limited),
        ]
        yield from chain(pair_name(ingress, egress), None, rules)


def _known_rules(
    way: RealmPair, permits: Mapping[RealmPair, list[Permit]], states: Mapping[RealmPair, tuple[str, ...]]
) -> Iterator[str]:
    """Yield the rules for packets of flows that were let through, and for the errors about them.

    Every packet is held against the permits, not only a flow's first: what is revoked stops at once, though
    its conntrack entry lives on. Replies still come from the translated destination here.
    """
    back = way[::-1]
    if way in permits:
        known = " ".join(["ct state established", *states[way], "ct direction original"])
        for match in _destination_matches(permits[way], pair_name(*way), "daddr", "dport", "echo-request"):
            yield f"{known} {match} accept"
    if back in permits:
        known = " ".join(["ct state established", *states[back], "ct direction reply"])
        for match in _destination_matches(permits[back], pair_name(*back), "saddr", "sport", "echo-reply"):
            yield f"{known} {match} accept"
    for translated in dict.fromkeys(" ".join(states[each]) for each in (way, back) if each in permits):
        yield " ".join(part for part in ("ct state related", translated, ICMP_ERRORS, "accept") if part)


def _new_rules(
    way: RealmPair, permits: Mapping[RealmPair, list[Permit]], states: tuple[str, ...], *, capped: bool
) -> Iterator[str]:
    # On its first packet a flow has its destination translated already and its source not yet.
    first = f"ct state new {_DESTINATION_TRANSLATED}" if _DESTINATION_TRANSLATED in states else "ct state new"
    # Only what is permitted counts, so that what is refused uses up no tenant's sessions.
    admitted = f"goto {_cap_name(way[0])}" if capped else "accept"
    for match in _destination_matches(permits.get(way, []), pair_name(*way), "daddr", "dport", "echo-request"):
        yield f"{first} {match} {admitted}"


def _destination_matches(permits: list[Permit], name: str, address: str, port: str, echo: str) -> Iterator[str]:
    """Yield the matches for all that is permitted one way, where the permitted end stands in these fields."""
    for prefix, elements in (("ports", _ports(permits, wide=False)), ("networks", _ports(permits, wide=True))):
        if elements:
            yield f"ip {address} . meta l4proto . th {port} @{prefix}_{name}"
    for prefix, elements in (("echo", _echoes(permits, wide=False)), ("echo_networks", _echoes(permits, wide=True))):
        if elements:
            yield f"icmp type {echo} ip {address} @{prefix}_{name}"


def _translated_states(device: Device, way: RealmPair, by_realm: ByRealm) -> tuple[str, ...]:
    """Return the matches that hold only for flows which every stage that there is for this way has translated."""
    own = by_realm.sources.get(way, ())
    found = [_DESTINATION_TRANSLATED] if way in by_realm.ways_in else []
    found += ["ct status snat"] if own else []
    if device.last_hop and own:
        # A zone's number may be another tenant's later: by this, none ever takes on another's source.
        found.append(f"ct reply ip daddr {collapsed(network for t in own for network in outside_networks(t))}")
    return tuple(found)


def _permit_sets(policy: Policy) -> Iterator[str]:
    for way, permits in _by_realms(policy).items():
        name = pair_name(*way)
        ports = "ipv4_addr . inet_proto . inet_service"
        for key, prefix, elements, flags in (
            (ports, "ports", _ports(permits, wide=False), None),
            (ports, "networks", _ports(permits, wide=True), "interval"),
            ("ipv4_addr", "echo", _echoes(permits, wide=False), None),
            ("ipv4_addr", "echo_networks", _echoes(permits, wide=True), "interval"),
        ):
            if elements:
                yield from named(f"{prefix}_{name}", key, elements, flags=flags)


# Netfilter filters after destination NAT, so the sets hold the translated destinations, each once. Single
# addresses stand in sets of their own, which are hashed; where there are networks the kernel must search.
def _ports(permits: list[Permit], *, wide: bool) -> list[str]:
    found = (p for p in permits if p.port.protocol is not Protocol.ICMP and _is_wide(p) is wide)
    return list(dict.fromkeys(f"{shortest(p.translated.network)} . {p.port.protocol} . {p.port.number}" for p in found))


def _echoes(permits: list[Permit], *, wide: bool) -> list[str]:
    found = (p for p in permits if p.port.protocol is Protocol.ICMP and _is_wide(p) is wide)
    return list(dict.fromkeys(shortest(p.translated.network) for p in found))


def _is_wide(permit: Permit) -> bool:
    return permit.translated.network.prefixlen < permit.translated.network.max_prefixlen


def _by_realms(policy: Policy) -> dict[RealmPair, list[Permit]]:
    grouped: dict[RealmPair, list[Permit]] = {}
    for permit in policy.permits:
        grouped.setdefault((permit.ingress, permit.egress), []).append(permit)
    return grouped


def _cap_chain(limit: Limit) -> Iterator[str]:
    """Yield the chain that new flows of a realm with a limit go through."""
    # Until it is answered each packet of a flow is new to conntrack, and some flows never are: it counts once.
    rules = ["ct status confirmed accept"]
    if limit.rate is not None:
        # As many at once as in a second: what comes together is not refused for coming together.
        rules.append(f"limit rate over {limit.rate}/second burst {limit.rate} packets drop")
    if limit.sessions is not None:
        rules.append(f"ct count over {limit.sessions} drop")
    return chain(_cap_name(limit.ingress), None, [*rules, "accept"])


def _cap_name(realm: Realm) -> str:
    """Return the name of that chain."""
    return f"capped_{realm}"


# --- routing instances: what may come to a proxy, and what may leave it ---------------------------------


def tenant_instance_ruleset(fronts: Sequence[Front], limit: Limit | None) -> str:
    """Return the rule set of a tenant's instance: its own hosts may connect to what is presented there."""
    return table(FILTER_TABLE, _tenant_lines(fronts, limit)) + "\n"


def provider_instance_ruleset(fronts: Sequence[Front]) -> str:
    """Return the rule set of the provider's instance: the proxy may connect to the servers, and they may answer."""
    return table(FILTER_TABLE, _provider_lines(fronts)) + "\n"


def _tenant_lines(fronts: Sequence[Front], limit: Limit | None) -> Iterator[str]:
    presented = _hosts(Prefix.of(front.presented) for front in fronts)
    asking = _hosts(prefix for front in fronts for prefix in front.sources)
    if fronts:
        elements = _once(f"{front.presented.ip} . {front.port.number}" for front in fronts)
        yield from named("fronts", "ipv4_addr . inet_service", elements)
    arriving = [f"{ICMP_ERRORS} ip daddr {presented} accept", f"ip saddr {asking} ip daddr {presented} accept"]
    yield from _arriving(arriving if fronts else [])
    if limit is not None:
        yield from _cap_chain(limit)
    admitted = "accept" if limit is None else f"goto {_cap_name(limit.ingress)}"
    received = [
        # Every packet is held against the fronts, so that what is revoked stops at once.
        "ct state established ct direction original ip daddr . tcp dport @fronts accept",
        f"ct state related {ICMP_ERRORS} accept",
        f"ct state new ip daddr . tcp dport @fronts {admitted}",
    ]
    sent = ["ct state established ct direction reply ip saddr . tcp sport @fronts accept"]
    yield from _own(received if fronts else [], sent if fronts else [])


def _provider_lines(fronts: Sequence[Front]) -> Iterator[str]:
    servers = _hosts(Prefix.of(front.server) for front in fronts)
    own = _hosts(Prefix.of(front.own) for front in fronts)
    if fronts:
        elements = _once(f"{f.own.ip} . {f.server.ip} . {f.port.number}" for f in fronts)
        yield from named("servers", "ipv4_addr . ipv4_addr . inet_service", elements)
    arriving = [f"{ICMP_ERRORS} ip daddr {own} accept", f"ip saddr {servers} ip daddr {own} accept"]
    yield from _arriving(arriving if fronts else [])
    received = [
        "ct state established ct direction reply ip daddr . ip saddr . tcp sport @servers accept",
        f"ct state related {ICMP_ERRORS} accept",
    ]
    sent = ["ct direction original ip saddr . ip daddr . tcp dport @servers accept"]
    yield from _own(received if fronts else [], sent if fronts else [])


def _arriving(rules: list[str]) -> Iterator[str]:
    # Before defragmentation (-400) and conntrack (-200): what is refused leaves no trace of state. Each fragment is
    # held against the guard by itself, so none with a forged source is put together with another's.
    yield from chain("arriving", "filter hook prerouting priority -450; policy drop", [NO_OPTIONS, *rules])


def _own(received: list[str], sent: list[str]) -> Iterator[str]:
    yield from chain("forwarding", "filter hook forward priority 0; policy drop", [])
    yield from chain("to_device", "filter hook input priority 0; policy drop", received)
    yield from chain("from_device", "filter hook output priority 0; policy drop", sent)


def _hosts(given: Iterable[Prefix]) -> str:
    found = tuple(dict.fromkeys(given))
    return prefixes(found) if found else ""


def _once(elements: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(elements))
