"""Every refusal of a walk names the key that would permit the flow, or says that none can; following it permits it."""

from __future__ import annotations

from pathlib import Path

import pytest

from documents import FILE, followed
from farshore.errors import UsageError
from farshore.fix import choices_of, first_edits
from farshore.pipeline import permission, probes, stages
from farshore.walk.tell.journey import Walk

INTENT = """version: 1
provider:
  name: acme
  networks: [10.10.0.0/16]
  lake: 198.18.0.0/15
  hosts: {{jump: 10.10.1.20, zabbix: 10.10.1.10}}
  reaches: {reaches}
  services:
    portal: {{address: 10.10.3.30, ports: [tcp/443], internet: 203.0.113.10}}
    dns: {{address: 10.10.2.53, ports: [udp/53]}}
    shop: {{address: 10.10.2.80, ports: [tcp/80], proxy-protocol: v2, design: appliance}}
tenants:
  hazel: {{networks: [10.7.0.0/24], presents: 172.31.0.0/28, services: [portal], hosts: {{pc1: 10.7.0.10}}}}
  pinned: {{networks: [10.7.0.0/24], presents: 172.31.0.0/28, services: {{portal: 172.31.0.5}}, hosts: {{h: 10.7.0.9}}}}
  bare: {{networks: [10.7.0.0/24], presents: 172.31.0.0/28, services: [], hosts: {{h: 10.7.0.9}}, design: last-hop}}
"""
NO_CALLS, SOME = "[]", "[{tenant: hazel, ports: [tcp/22]}]"


def walked(text: str, origin: str, target: str) -> tuple[Walk, str | None]:
    built = stages.build(stages.check_text(text, FILE).planned)
    asked = probes.probe(built.intent, built.plan, built.fabric, origin, target)
    return stages.walk(built, origin, target), permission.permission(built.intent, built.design, asked)


@pytest.mark.parametrize("reaches", [NO_CALLS, SOME])
@pytest.mark.parametrize(
    ("origin", "target", "named"),
    [
        ("provider/jump", "hazel/pc1:tcp/3389", "reaches of the provider"),
        ("provider/jump", "pinned/h:icmp", "reaches of the provider"),
        ("provider/zabbix", "bare/h:udp/161", "give tenant bare design: lake"),
        ("hazel/pc1", "dns", "add dns to services of tenant hazel"),
        ("hazel/pc1", "portal:tcp/22", "add tcp/22 to ports of service portal"),
        ("hazel/pc1", "dns:tcp/53", "add dns to services of tenant hazel, and add tcp/53 to ports of service dns"),
        ("pinned/h", "dns", "add dns: null to services of tenant pinned"),
        ("bare/h", "portal", "add [portal] to services of tenant bare"),
        ("internet/host", "portal:tcp/22", "add tcp/22 to ports of service portal"),
    ],
)
def test_following_the_fix_permits_the_flow(origin: str, target: str, named: str, reaches: str) -> None:
    text = INTENT.format(reaches=reaches)
    refused, fix = walked(text, origin, target)
    assert not refused.delivered
    assert fix is not None
    assert named in fix
    assert str(fix) in (refused.steps[-1].fix or "")
    permitted, nothing = walked(followed(text, first_edits(fix)), origin, target)
    assert permitted.delivered
    assert nothing is None


@pytest.mark.parametrize(
    ("origin", "target", "says"),
    [
        ("provider/portal", "hazel/pc1:tcp/22", "no key permits it to portal while hosts of the provider has others"),
        ("internet/host", "shop", "no key permits it: Internet clients would bypass the proxy"),
        ("internet/host", "dns", "write internet: with a public address at service dns"),
        ("hazel/pc1", "shop:udp/53", "no key permits it while design appliance carries shop"),
    ],
)
def test_where_no_key_or_only_a_person_can(origin: str, target: str, says: str) -> None:
    refused, fix = walked(INTENT.format(reaches=SOME), origin, target)
    assert not refused.delivered
    assert fix is not None
    assert fix.startswith(says)
    assert not choices_of(fix)
    assert (refused.steps[-1].fix or "").endswith(fix)


def test_another_tenant_is_never_reached() -> None:
    with pytest.raises(UsageError, match=r"no key permits it from hazel/pc1"):
        walked(INTENT.format(reaches=SOME), "hazel/pc1", "bare/h:tcp/22")


def test_what_is_permitted_needs_no_key() -> None:
    delivered, nothing = walked(INTENT.format(reaches=SOME), "provider/jump", "hazel/pc1:tcp/22")
    assert delivered.delivered
    assert nothing is None


def test_the_article_s_flows_need_no_key() -> None:
    text = (Path(__file__).parents[2] / "examples" / "article.yaml").read_text(encoding="utf-8")
    assert walked(text, "customer-a/alice", "portal:443")[1] is None
