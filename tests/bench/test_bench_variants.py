from __future__ import annotations

import pytest

from bench.variants import SERVICE_NODE, Kind, Variant, variants
from farshore.engine.nftables.desired import compile_fabric


@pytest.fixture(scope="module")
def by_kind() -> dict[Kind, Variant]:
    return {variant.kind: variant for variant in variants(3)}


def test_what_the_lake_is_held_against_has_the_same_nodes_and_links(by_kind: dict[Kind, Variant]) -> None:
    alike = (by_kind[kind].fabric for kind in (Kind.LAKE, Kind.ROUTED, Kind.IPTABLES))
    assert len({(tuple(fabric.nodes), fabric.links) for fabric in alike}) == 1
    assert set(by_kind) == set(Kind)


def test_every_design_has_the_same_hosts_and_services(by_kind: dict[Kind, Variant]) -> None:
    designs = (by_kind[kind].fabric for kind in (Kind.LAKE, Kind.LAST_HOP, Kind.APPLIANCE))
    assert len({fabric.end_systems for fabric in designs}) == 1
    assert len({by_kind[kind].targets for kind in (Kind.LAKE, Kind.LAST_HOP, Kind.APPLIANCE)}) == 1


def test_only_the_lake_has_rules_of_its_own(by_kind: dict[Kind, Variant]) -> None:
    ruled = {kind: list(compile_fabric(variant.fabric).configurations["nftables"]) for kind, variant in by_kind.items()}
    assert ruled[Kind.ROUTED] == ruled[Kind.IPTABLES] == []
    assert set(ruled[Kind.LAKE]) == set(by_kind[Kind.IPTABLES].rules)


def test_routed_hosts_have_addresses_of_their_own(by_kind: dict[Kind, Variant]) -> None:
    addresses = {kind: {n.address.ip for n in variant.fabric.end_systems} for kind, variant in by_kind.items()}
    ends = len(by_kind[Kind.ROUTED].fabric.end_systems)
    assert len(addresses[Kind.ROUTED]) == ends
    assert len(addresses[Kind.LAKE]) == ends - 3  # three hosts and one service are all 10.1.1.1


def test_nobody_answers_for_the_services_but_the_bench(by_kind: dict[Kind, Variant]) -> None:
    assert not any(node.listens for variant in by_kind.values() for node in variant.fabric.end_systems)
    assert all(SERVICE_NODE in variant.fabric.nodes for variant in by_kind.values())


def test_typed_rules_translate_check_and_permit(by_kind: dict[Kind, Variant]) -> None:
    typed = by_kind[Kind.IPTABLES].rules
    near, far = typed["tenant-00002/nat"].splitlines(), typed["provider/nat"].splitlines()
    assert ":FORWARD DROP [0:0]" in near
    assert ":FORWARD DROP [0:0]" in far
    assert sum("-j DNAT" in line for line in near) == sum("-j DNAT" in line for line in far) == 8
    assert [line for line in near if "-j NETMAP" in line] == [
        "-A POSTROUTING -o lake -s 10.1.1.0/24 -j NETMAP --to 100.65.1.0/24"
    ]
    assert "-A FORWARD -i wan -s 10.1.1.0/24 -j services" in near
    assert sum(line.endswith("-j services") for line in far) == 3
    assert "-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu" in near
