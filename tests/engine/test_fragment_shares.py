"""Who shares a box's memory for fragments, for whom fragments toward an address count, and how much memory there is."""

from __future__ import annotations

from collections.abc import Callable

import engine_cases
import pytest

from farshore.engine.nftables.fragments import RATE, SECONDS, memory, shares
from farshore.fabric.model import Device, Direction, Fabric
from farshore.realm import RealmKind

SHARED = [
    (engine_cases.article, "provider/nat"),
    (engine_cases.modes, "provider/nat"),
    (engine_cases.reached, "provider/nat"),
    (engine_cases.last_hop, "provider/last-hop"),
]
# What a packet of so many bytes takes in the kernel: its data and what describes them, in a power of two.
TAKES = {1500: 2304 + 272, 9000: 16640 + 272}


def box(made: Callable[[], Fabric], name: str) -> Device:
    node = made().nodes[name]  # type: ignore[index]
    assert isinstance(node, Device)
    return node


@pytest.mark.parametrize(("made", "name"), SHARED)
def test_each_tenant_has_a_share(made: Callable[[], Fabric], name: str) -> None:
    device = box(made, name)
    found = shares(device)
    assert found is not None
    assert {*found.interfaces, found.inner} == {interface.name for interface in device.interfaces}
    assert set(found.owners.values()) == set(found.interfaces)


@pytest.mark.parametrize(("made", "name"), SHARED)
def test_what_goes_toward_a_tenant_is_counted_for_it(made: Callable[[], Fabric], name: str) -> None:
    device = box(made, name)
    found = shares(device)
    assert found is not None
    realms = {interface.name: interface.realm for interface in device.interfaces}
    behind = {
        prefix.network: guard.interface
        for guard in device.guards
        if guard.direction is Direction.IN and realms[guard.interface].kind is RealmKind.LAKE
        for prefix in guard.sources
    }
    assert behind.items() <= found.owners.items()
    for translation in device.source_nat:
        if translation.inside.realm.kind is RealmKind.TENANT:
            owner = f"to-{translation.inside.realm}"
        elif translation.inside.realm.kind is RealmKind.LAKE:
            owner = behind[translation.inside.network]
        else:
            continue
        outside = getattr(translation, "outside", None)
        first = outside.network.network_address if outside is not None else translation.first.ip  # type: ignore[union-attr]
        assert [o for network, o in found.owners.items() if first in network] == [owner]


@pytest.mark.parametrize("mtu", TAKES)
@pytest.mark.parametrize(("made", "name"), SHARED)
def test_all_of_them_together_never_fill_the_memory(made: Callable[[], Fabric], name: str, mtu: int) -> None:
    device = box(made, name)
    # A second's worth at once, then a second's in each until the first are given up; the provider's side has a share.
    most = len(device.interfaces) * (RATE + RATE * SECONDS) * TAKES[mtu]
    assert most <= memory(device, mtu)


@pytest.mark.parametrize("name", ["customer-a/nat", "provider/edge", "provider/router"])
def test_what_is_no_tenants_or_one_tenants_is_not_shared(name: str) -> None:
    device = box(engine_cases.article, name)
    assert shares(device) is None
    assert memory(device, 1500) == 4 << 20
