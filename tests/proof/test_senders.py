"""Senders against the translations themselves, one address after the other."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from farshore.proof.sets.intervals import Intervals, of_prefix, union
from farshore.proof.sets.layers import Layers
from farshore.proof.sets.senders import (
    SHARED_BY_ALL,
    Senders,
    addresses,
    every_source,
    now_at,
    one_source,
    origins,
    sent_from,
    translated,
)
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Prefix, Realm, tenant_realm
from farshore.translation import POOL_PORTS, BasicNat, PortBlock, PortBlockNapt, SourceTranslation
from strategies import addresses as some_addresses

TENANT = tenant_realm("customer-a")
START = int(IPv4Address("10.0.0.0"))
BITS = 5
SIZE = 1 << BITS


@dataclass(frozen=True, slots=True)
class One:
    """What a single source has become: its address, and the ports it may have, None for its own."""

    now: Address
    ports: tuple[int, int] | None


def small_prefixes(realm: Realm, length: int | None = None) -> st.SearchStrategy[Prefix]:
    lengths = st.integers(32 - BITS, 32) if length is None else st.just(length)
    return lengths.flatmap(
        lambda size: st.integers(0, (1 << (size - 32 + BITS)) - 1).map(
            lambda n: Prefix(realm, IPv4Network((START + (n << (32 - size)), size)))
        )
    )


@st.composite
def rules(draw: st.DrawFn, inside: Realm, outside: Realm) -> SourceTranslation:
    """Draw a translation of few addresses into few addresses."""
    prefix = draw(small_prefixes(inside))
    if draw(st.booleans()):
        return BasicNat(prefix, draw(small_prefixes(outside, prefix.network.prefixlen)))
    size = prefix.network.num_addresses
    pool = draw(st.integers(1, size))
    shared = -(-size // pool)
    first = Address(outside, IPv4Address(START + draw(st.integers(0, SIZE - 1))))
    return PortBlockNapt(prefix, first, pool, shared, POOL_PORTS // shared)


# One behind the other, as a packet meets them on its way from a tenant.
chains = st.tuples(
    st.lists(rules(TENANT, LAKE), max_size=3),
    st.lists(rules(LAKE, PROVIDER), max_size=3),
    st.lists(rules(PROVIDER, INTERNET), max_size=3),
)
Chain = tuple[list[SourceTranslation], ...]
ALL = (Senders(START, START + SIZE - 1, START, TENANT),)
bounds = st.tuples(st.integers(START - 2, START + 2 * SIZE), st.integers(START - 2, START + 2 * SIZE)).map(
    lambda ends: (min(ends), max(ends))
)


def image(chain: Chain) -> tuple[Senders, ...]:
    """Return all senders after a chain of translations."""
    senders = ALL
    for realm, some in zip((TENANT, LAKE, PROVIDER), chain, strict=True):
        # Rules are for what comes from their own realm; each device knows which that is.
        here = tuple(s for s in senders if s.realm == realm)
        rest = tuple(s for s in senders if s.realm != realm)
        senders = rest + translated(here, Layers((of_prefix(nat.inside), nat) for nat in some), None)
    return senders


def one_image(chain: Chain, ip: int) -> One:
    """Return what becomes of one source, by the translations alone."""
    found = One(Address(TENANT, IPv4Address(ip)), None)
    for some in chain:
        nat = next((nat for nat in some if found.now in nat.inside), None)
        if isinstance(nat, BasicNat):
            found = One(nat.outward(found.now), found.ports)
        elif nat is not None:
            block = nat.block(found.now)
            found = One(block.address, (block.first_port, block.last_port))
    return found


def singly(senders: tuple[Senders, ...]) -> dict[int, One]:
    """Return what has become of each source; every source must be there once."""
    found: dict[int, One] = {}
    for each in senders:
        for ip in range(each.first, each.last + 1):
            piece = each.which_were(ip, ip)
            assert piece is not None
            assert (piece.first, piece.last) == (ip, ip)
            assert ip not in found
            first, last = piece.now()
            assert first == last
            ((low, high, ports),) = piece.ports()
            assert (low, high) == (first, last)
            found[ip] = One(Address(piece.realm, IPv4Address(first)), None if piece.block is None else ports)
    return found


@given(chains)
def test_each_source_becomes_what_the_translations_make_of_it(chain: Chain) -> None:
    assert singly(image(chain)) == {ip: one_image(chain, ip) for ip in range(START, START + SIZE)}


@given(chains, bounds)
def test_a_preimage_has_exactly_the_sources_that_are_there_now(chain: Chain, between: tuple[int, int]) -> None:
    for each in image(chain):
        there = each.which_are(*between)
        ones = singly((each,))
        wanted = {ip: one for ip, one in ones.items() if between[0] <= int(one.now.ip) <= between[1]}
        assert (singly((there,)) if there is not None else {}) == wanted


@given(chains, bounds, bounds)
def test_a_part_of_a_part_has_become_what_it_had_become(
    chain: Chain, once: tuple[int, int], again: tuple[int, int]
) -> None:
    for each in image(chain):
        ones = singly((each,))
        part = each.which_were(*once)
        wanted = {ip: one for ip, one in ones.items() if once[0] <= ip <= once[1]}
        assert (singly((part,)) if part is not None else {}) == wanted
        smaller = None if part is None else part.which_are(*again)
        wanted = {ip: one for ip, one in wanted.items() if again[0] <= int(one.now.ip) <= again[1]}
        assert (singly((smaller,)) if smaller is not None else {}) == wanted


@given(chains)
def test_the_preimage_of_the_image_is_what_was_sent(chain: Chain) -> None:
    senders = image(chain)
    assert origins(senders) == ((START, START + SIZE - 1),)
    for each in senders:
        assert each.which_are(*each.now()) == each
        assert each.which_were(each.first, each.last) == each
    there = now_at(senders, addresses(senders))
    assert singly(there) == singly(senders)


@given(chains, st.lists(bounds, max_size=3).map(union))
def test_those_now_and_those_once(chain: Chain, wanted: Intervals) -> None:
    senders = image(chain)
    ones = singly(senders)
    held = {ip for first, last in wanted for ip in range(first, last + 1)}
    assert singly(now_at(senders, wanted)) == {ip: one for ip, one in ones.items() if int(one.now.ip) in held}
    assert singly(sent_from(senders, wanted)) == {ip: one for ip, one in ones.items() if ip in held}


@given(chains)
def test_the_plane_of_addresses_and_ports_is_what_all_of_them_have(chain: Chain) -> None:
    for each in image(chain):
        plane = {(ip, block) for ip, block in _blocks(each)}
        own = {(int(one.now.ip), one.ports or (0, 65535)) for one in singly((each,)).values()}
        assert plane == own


def _blocks(senders: Senders) -> list[tuple[int, tuple[int, int]]]:
    """Return what ``ports`` says, cut into the blocks that it is made of."""
    size = 65536 if senders.block is None else senders.block
    return [
        (ip, (port, port + size - 1))
        for first, last, (low, high) in senders.ports()
        for ip in range(first, last + 1)
        for port in range(low, high + 1, size)
    ]


@given(rules(TENANT, LAKE), st.sampled_from([LAKE, PROVIDER]))
def test_only_a_rule_that_leads_where_they_leave_counts(nat: SourceTranslation, leaves: Realm) -> None:
    table = Layers([(of_prefix(nat.inside), nat)])
    assert singly(translated(ALL, table, leaves)) == singly(translated(ALL, table, None) if leaves == LAKE else ALL)


@given(some_addresses())
def test_anybody_is_everybody_as_sent(address: Address) -> None:
    (every,) = every_source(address.realm)
    ip = int(address.ip)
    assert (every.which_were(ip, ip),) == one_source(address)
    assert (every.which_are(ip, ip),) == one_source(address)
    assert every.now() == (0, (1 << 32) - 1)


def test_who_shares_one_host_of_a_napt_shares_its_block_however_they_are_cut() -> None:
    """Four hosts share an address, and that address is one host of a NAPT behind: all four have its one block."""
    first = PortBlockNapt(Prefix(TENANT, IPv4Network((START, 30))), Address(LAKE, IPv4Address(START)), 1, 4, 100)
    behind = PortBlockNapt(Prefix(LAKE, IPv4Network((START, 31))), Address(PROVIDER, IPv4Address(START)), 1, 2, 500)
    (hosts,) = Senders(START, START + 3, START, TENANT).renamed(first)
    (shared,) = hosts.renamed(behind)
    assert shared.stride == SHARED_BY_ALL
    block = behind.block(Address(LAKE, IPv4Address(START)))
    for ip in range(START, START + 4):
        piece = shared.which_were(ip, ip)
        assert piece is not None
        ((_, _, ports),) = piece.ports()
        assert PortBlock(Address(PROVIDER, IPv4Address(START)), *ports) == block
