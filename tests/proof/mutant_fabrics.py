"""Good fabrics to be broken: small ones, of every design, with every way of being translated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.proof.prove import Proof, prove

ARTICLE = (Path(__file__).parents[2] / "examples" / "article.yaml").read_text(encoding="utf-8")
# Every design in one fabric, every host at the same address, and a host of the provider that calls.
MIXED = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-a, ports: [tcp/22, icmp]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443], internet: 203.0.113.10}
    dns: {address: 10.1.1.53, ports: [udp/53, icmp]}
    news: {address: 10.1.1.2, ports: [tcp/80], proxy-protocol: v2, design: appliance}
tenants:
  customer-a:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns, news], hosts: {alice: 10.1.1.1}}
  customer-b:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, dns], hosts: {bill: 10.1.1.1}, design: last-hop}
  customer-c:
    {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news], hosts: {cy: 10.1.1.1}, design: appliance}
"""
# Pools, networks of which only hosts are listed, several networks, and addresses that the provider gives anew, by
# which it calls one tenant.
POOLS = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  source: [10.250.0.0/16]
  hosts: {monitor: 10.1.1.50}
  reaches: [{tenant: customer-b, ports: [tcp/22]}]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443]}
    files: {address: 10.1.1.2, ports: [tcp/445]}
tenants:
  customer-a:
    networks: [10.1.1.0/24, 10.1.2.0/28]
    sources: {10.1.1.0/24: {pool: 5}, 10.1.2.0/28: prefix}
    presents: 10.2.2.0/28
    services: [portal, files]
    hosts: {alice: 10.1.1.1, ann: 10.1.2.3}
  customer-b:
    networks: [10.1.1.0/24]
    sources: host
    presents: 10.2.2.0/28
    services: [portal]
    hosts: {bill: 10.1.1.1, bob: 10.1.1.200}
"""


@dataclass(frozen=True, slots=True)
class Good:
    """An intent, its plan, and the fabric that is right for them. ``design`` is the one for all, None: its own."""

    intent: Intent
    plan: Plan
    fabric: Fabric
    design: str | None

    def proof_of(self, fabric: Fabric) -> Proof:
        """Prove a fabric that should be as good as this one."""
        return prove(self.intent, self.plan, fabric, design=self.design)


CASES: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "article-lake": (ARTICLE, "lake"),
        "article-last-hop": (ARTICLE, "last-hop"),
        "article-appliance": (ARTICLE, "appliance"),
        "mixed": (MIXED, None),
        "pools-lake": (POOLS, "lake"),
        "pools-last-hop": (POOLS, "last-hop"),
        "pools-appliance": (POOLS, "appliance"),
    }
)


@lru_cache
def good(name: str) -> Good:
    """Return a good fabric by its name."""
    text, design = CASES[name]
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return Good(intent, plan, build(intent, plan, design), design)
