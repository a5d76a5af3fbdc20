"""The remedies when the lake or the source is full, and that applying them does make the tenants fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plan_builders import FILE, LAKE_POSITION, SOURCE_POSITION, intent, tenant

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.intent.model import Intent, Mode, Tenant
from farshore.plan.allocate import allocate
from farshore.plan.capacity import Remedy, Room, fewest_remedies, lake_room, source_room
from farshore.plan.sources import Demand, demand
from farshore.realm import LAKE, PROVIDER, Prefix
from strategies import intents

SMALL_LAKES = st.integers(16, 24)
SMALL_SOURCES: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(
    [("10.250.0.0/20",), ("10.250.0.0/26",), ("10.250.0.0/24", "10.249.0.0/22", "10.248.0.0/28")]
)
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


def demands(wanted: Intent) -> list[Demand]:
    return [demand(each, network) for each in wanted.tenants.values() for network in each.networks]


def apply(wanted: Intent, remedies: Sequence[Remedy], *, as_pool: bool = False) -> Intent:
    """Return the intent with these remedies applied; ``as_pool`` takes the pool where that is offered too."""
    tenants: dict[str, Tenant] = dict(wanted.tenants)
    for remedy in remedies:
        mode, pool = remedy.mode, remedy.needed if remedy.mode is Mode.POOL else 0
        if as_pool and remedy.or_pool:
            mode, pool = Mode.POOL, remedy.or_pool
        changed = replace(remedy.demand.network, mode=mode, pool_size=pool)
        owner = tenants[remedy.demand.tenant]
        networks = tuple(changed if each.prefix == changed.prefix else each for each in owner.networks)
        tenants[owner.name] = replace(owner, networks=networks)
    return replace(wanted, tenants=tenants)


def widened(wanted: Intent, length: int) -> Intent:
    lake = Prefix(LAKE, wanted.provider.lake.network.supernet(new_prefix=length))
    return replace(wanted, provider=replace(wanted.provider, lake=lake))


def with_more_source(wanted: Intent, length: int) -> Intent:
    more = Prefix(PROVIDER, IPv4Network((0, length)))
    return replace(wanted, provider=replace(wanted.provider, source=(*wanted.provider.source, more)))


def lake_is_full(wanted: Intent) -> bool:
    return not lake_room(wanted).fits([each.needed for each in demands(wanted)])


def source_is_full(wanted: Intent) -> bool:
    return not source_room(wanted).fits([each.needed for each in demands(wanted)])


def only_diagnostic(wanted: Intent) -> Diagnostic:
    (diagnostic,) = allocate(wanted).diagnostics
    return diagnostic


def test_one_large_tenant_with_hosts_too_large_for_a_pool() -> None:
    wanted = intent(
        tenant("customer-a", {"10.0.0.0/11": "prefix"}),
        tenant("customer-b", {"10.0.0.0/8": "prefix"}, HOSTS),
        tenant("customer-c", {"10.1.1.0/24": "prefix"}, ("10.1.1.1",)),
    )
    assert only_diagnostic(wanted) == Diagnostic(
        FILE,
        LAKE_POSITION,
        DiagnosticCode.LAKE_FULL,
        "lake 100.64.0.0/10 is full: tenants need 18,874,624 addresses, 4,128,768 available, "
        "65,536 addresses reserved for services",
        "change customer-b to sources: host (10.0.0.0/8: 3 hosts, 4 addresses, was 16,777,216)",
    )


def test_the_largest_are_changed_and_a_pool_is_offered_where_it_takes_no_more() -> None:
    wanted = intent(
        tenant("office", {"10.0.0.0/24": "prefix", "10.0.8.0/22": "prefix"}, HOSTS),
        tenant("plant", {"10.0.0.0/22": "prefix"}),
        tenant("shop", {"10.0.0.0/28": "prefix"}),
        lake="100.64.0.0/22",
    )
    assert str(only_diagnostic(wanted)) == (
        "intent.yaml:5:9: error E0502: lake 100.64.0.0/22 is full: tenants need 2,320 addresses, 768 available, "
        "256 addresses reserved for services; change plant to sources: {pool: 2} "
        "(10.0.0.0/22: 2 addresses, was 1,024), office to sources: {10.0.8.0/22: {pool: 2}} "
        "(10.0.8.0/22: 2 addresses, was 1,024), or widen the lake to 100.64.0.0/20"
    )
    hosts_in_it = intent(tenant("office", {"10.0.0.0/24": "prefix"}, HOSTS), lake="100.64.0.0/24")
    assert only_diagnostic(hosts_in_it).fix == (
        "change office to sources: host (10.0.0.0/24: 3 hosts, 4 addresses, was 256), "
        "or change office to sources: {pool: 1} (10.0.0.0/24: 1 address, was 256), "
        "or widen the lake to 100.64.0.0/23"
    )


def test_a_pool_that_takes_more_than_the_hosts_is_not_offered() -> None:
    campus = intent(tenant("campus", {"10.0.0.0/16": "prefix"}, HOSTS), lake="100.64.0.0/20")
    assert only_diagnostic(campus).fix == (
        "change campus to sources: host (10.0.0.0/16: 3 hosts, 4 addresses, was 65,536), "
        "or widen the lake to 100.64.0.0/15"
    )


def test_no_more_than_ten_are_named_and_the_last_of_the_file_first() -> None:
    many = [tenant(f"t-{number:02}", {"10.1.1.0/24": "prefix"}, ("10.1.1.1",)) for number in range(16)]
    fix = only_diagnostic(intent(*many, lake="100.64.0.0/22")).fix
    assert fix.startswith("change t-15 to sources: host (10.1.1.0/24: 1 host, 1 address, was 256)")
    assert "t-06 to" in fix
    assert "t-05" not in fix
    assert fix.endswith(" and 4 more tenants likewise, or widen the lake to 100.64.0.0/19")


def test_where_no_change_of_modes_is_enough_and_no_lake_is_free() -> None:
    wanted = intent(
        tenant("a", {"10.0.0.0/9": "prefix"}), tenant("b", {"10.0.0.0/24": "host"}, HOSTS), lake="100.64.0.0/10"
    )
    only = (
        "split the tenants over two lakes, each with a file of its own, "
        "as no change of the tenants' sources is sufficient"
    )
    assert only_diagnostic(wanted).fix == only


def test_a_lake_that_cannot_be_wide_enough() -> None:
    halves = [tenant(name, {"0.0.0.0/1": "prefix"}) for name in ("a", "b")]
    assert only_diagnostic(intent(*halves)).fix.startswith(
        "split the tenants over two lakes, each with a file of its own, as no change"
    )


def test_the_source_is_full() -> None:
    wanted = intent(
        tenant("a", {"10.1.1.0/24": "prefix"}, ("10.1.1.1",)),
        tenant("b", {"10.1.1.0/24": 5}),
        tenant("c", {"10.1.1.0/25": "prefix"}),
        source=("10.250.0.0/25", "10.251.0.0/26"),
    )
    assert only_diagnostic(wanted) == Diagnostic(
        FILE,
        SOURCE_POSITION,
        DiagnosticCode.SOURCE_FULL,
        "provider's source 10.250.0.0/25, 10.251.0.0/26 is full: tenants need 389 addresses, 192 available",
        "change a to sources: host (10.1.1.0/24: 1 host, 1 address, was 256), "
        "c to sources: {pool: 1} (10.1.1.0/25: 1 address, was 128), or add a /23 to it, such as 10.0.0.0/23",
    )


def test_alignment_counts() -> None:
    """As many addresses are available as are needed, but in no aligned block of that size."""
    room = Room(((0, 256), (1024, 256)), lambda needed: (needed,))
    assert room.fits([128, 256, 128])
    assert not room.fits([512])
    assert not room.fits([128, 64, 256, 128])


# A filter draws again where there is room; an assumption would give the whole draw up, too often for a health check.
@given(wanted=intents(lake_lengths=SMALL_LAKES, sources=st.just(())).filter(lake_is_full), as_pool=st.booleans())
@example(
    wanted=intent(
        tenant("a", {"10.0.0.0/24": "prefix"}, HOSTS),
        tenant("b", {"10.0.0.0/24": 200}),
        tenant("c", {"10.0.0.0/23": "prefix"}),
        lake="100.64.0.0/24",
    ),
    as_pool=True,
)
def test_applying_the_remedies_for_the_lake_makes_the_tenants_fit(wanted: Intent, as_pool: bool) -> None:
    fix = only_diagnostic(wanted).fix
    remedies = fewest_remedies([lake_room(wanted)], demands(wanted))
    assert fix.startswith("change ") == bool(remedies)
    if remedies:
        assert allocate(apply(wanted, remedies, as_pool=as_pool)).plan is not None
        assert allocate(apply(wanted, remedies[:-1])).plan is None
    length = int(re.search(r"the lake to [\d.]+/(\d+)", fix)[1])
    assert allocate(widened(wanted, length)).plan is not None
    assert allocate(widened(wanted, length + 1)).plan is None


@given(wanted=intents(sources=SMALL_SOURCES).filter(source_is_full), as_pool=st.booleans())
@example(
    wanted=intent(
        tenant("a", {"10.0.0.0/24": "prefix"}, HOSTS),
        tenant("b", {"10.0.0.0/24": 200}),
        tenant("c", {"10.0.0.0/23": "prefix"}),
        source=("10.250.0.0/27", "10.251.0.0/29"),
    ),
    as_pool=True,
)
def test_applying_the_remedies_for_the_source_makes_the_tenants_fit(wanted: Intent, as_pool: bool) -> None:
    fix = only_diagnostic(wanted).fix
    remedies = fewest_remedies([source_room(wanted)], demands(wanted))
    assert fix.startswith("change ") == bool(remedies)
    if remedies:
        assert allocate(apply(wanted, remedies, as_pool=as_pool)).plan is not None
    length = int(re.search(r"add a /(\d+) to it", fix)[1])
    assert allocate(with_more_source(wanted, length)).plan is not None
    assert allocate(with_more_source(wanted, length + 1)).plan is None


@pytest.mark.parametrize(
    ("sources", "hosts", "mode", "needed"),
    [
        ("prefix", HOSTS, Mode.HOST, 4),
        ("prefix", (), Mode.POOL, 1),
        (100, (), Mode.POOL, 1),
        (100, HOSTS, Mode.HOST, 4),
    ],
)
def test_which_mode_is_suggested(sources: str | int, hosts: tuple[str, ...], mode: Mode, needed: int) -> None:
    wanted = intent(tenant("a", {"10.0.0.0/24": sources}, hosts), lake="100.64.0.0/25")
    (remedy,) = fewest_remedies([lake_room(wanted)], demands(wanted))
    assert (remedy.mode, remedy.needed) == (mode, needed)
