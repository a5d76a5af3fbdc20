"""Several designs in one fabric: each carries its own, and none is in the way of another."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address

import pytest

from farshore.design.catalogue import DESIGNS, build
from farshore.design.names import DESIGN_NAMES
from farshore.fabric.model import Device, Fabric
from farshore.fabric.names import LinkEnd
from farshore.intent.load import load_text
from farshore.intent.model import DesignName, Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan

TENANT = "{networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news]"


def planned(designs: tuple[str, ...], news: str = "") -> tuple[Intent, Plan]:
    text = f"""\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {{address: 10.1.1.1, ports: [tcp/443], internet: 203.0.113.10}}
    news: {{address: 10.1.1.2, ports: [tcp/80]{news}}}
tenants:
"""
    text += "".join(f"  t{number}: {TENANT}, design: {design}}}\n" for number, design in enumerate(designs))
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return intent, plan


def router(fabric: Fabric, name: str = "provider/router") -> Device:
    node = fabric.nodes[name]
    assert isinstance(node, Device)
    return node


@pytest.mark.parametrize("designs", [*itertools.product(DesignName, repeat=2), tuple(DesignName)])
@pytest.mark.parametrize("news", ["", ", design: appliance"])
def test_every_tenant_has_one_way_to_each_presented_address(designs: tuple[str, ...], news: str) -> None:
    intent, plan = planned(designs, news)
    fabric = build(intent, plan)
    used = {*designs, *(["appliance"] if news else [])}
    assert fabric.design == "+".join(design for design in DesignName if design in used)
    for tenant in plan.tenants.values():
        own = router(fabric, f"{tenant.name}/ce")
        for service, presented in tenant.presents.items():
            routes = [r for r in own.routes if presented.ip in r.destination.network]
            best = max(routes, key=lambda route: route.destination.network.prefixlen)
            assert best.interface is not None
            box = fabric.far_ends[LinkEnd(own.name, best.interface)].node
            by_proxy = intent.design_of(tenant.name, service) is DesignName.APPLIANCE
            assert (box == "provider/proxy") is by_proxy


@pytest.mark.parametrize("design", [each for each in DesignName if each is not DesignName.APPLIANCE])
def test_what_has_no_way_of_its_own_never_leads_to_the_proxy(design: DesignName) -> None:
    """News come by the proxy, and 10.2.2.9 is nobody's: that is for the box that can refuse it aloud."""
    fabric = build(*planned((design, "appliance"), ", design: appliance"))

    def box(tenant: str, presented: str) -> str:
        own = router(fabric, f"{tenant}/ce")
        holding = [route for route in own.routes if IPv4Address(presented) in route.destination.network]
        interface = max(holding, key=lambda route: route.destination.network.prefixlen).interface
        assert interface is not None
        return fabric.far_ends[LinkEnd(own.name, interface)].node

    assert box("t0", "10.2.2.2") == "provider/proxy"
    assert box("t0", "10.2.2.9") == box("t0", "10.2.2.1") != "provider/proxy"
    # Where a tenant has no other box, the proxy it is.
    assert {box("t1", presented) for presented in ("10.2.2.1", "10.2.2.2", "10.2.2.9")} == {"provider/proxy"}


def test_no_two_designs_share_a_source_at_the_providers_router() -> None:
    intent, plan = planned(tuple(DesignName), ", design: appliance")
    ways: dict[str, set[str | None]] = {}
    for route in router(build(intent, plan)).routes:
        ways.setdefault(str(route.destination.network), set()).add(route.interface)
    assert all(len(interfaces) == 1 for interfaces in ways.values())


def test_one_design_for_all_is_the_same_whether_asked_for_or_told() -> None:
    for design in DesignName:
        intent, plan = planned((design, design))
        assert build(intent, plan) == build(intent, plan, design)


def test_the_catalogue_knows_every_design_that_can_be_asked_for() -> None:
    assert set(DesignName) <= set(DESIGNS)
    assert tuple(DESIGNS) == DESIGN_NAMES
