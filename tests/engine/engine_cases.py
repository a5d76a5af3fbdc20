"""Fabrics for the engine's tests: the article's, and one of every mode and option."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from farshore.design.catalogue import build
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.plan.allocate import allocate

EXAMPLES = Path(__file__).parents[2] / "examples"

MODES = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  source: [10.250.0.0/16]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, udp/5000, icmp]}
    dns: {address: 10.1.1.53, ports: [udp/53, tcp/53]}
tenants:
  modes:
    networks: [10.1.1.0/24, 10.1.2.0/28, 10.1.3.0/29]
    presents: 10.2.2.0/28
    sources: {10.1.1.0/24: prefix, 10.1.2.0/28: host, 10.1.3.0/29: {pool: 2}}
    services: [portal, dns]
    hosts: {alice: 10.1.1.1, arnold: 10.1.2.3, guest: 10.1.3.5}
    limits: {sessions: 100}
  other:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    sources: prefix
    services: [portal]
"""


REACHED = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  source: [10.250.0.0/16]
  hosts: {monitor: 10.1.1.50}
  reaches:
    - {tenant: north, ports: [tcp/22, icmp]}
    - {tenant: south, ports: [udp/161]}
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, icmp]}
tenants:
  north: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal], hosts: {anna: 10.1.1.1}}
  south:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    sources: host
    services: [portal]
    hosts: {bea: 10.1.1.1}
    limits: {rate: 20}
  west: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal]}
"""


def fabric(text: str, design: str = "lake", *, less: str | None = None) -> Fabric:
    """Return a design of an intent; without one tenant, if so wished, with everybody else where they were."""
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    intent = replace(intent, tenants={name: t for name, t in intent.tenants.items() if name != less})
    plan = replace(plan, tenants={name: t for name, t in plan.tenants.items() if name != less})
    return build(intent, plan, design)


def article() -> Fabric:
    """Return the article's lake."""
    return fabric((EXAMPLES / "article.yaml").read_text(encoding="utf-8"))


def modes() -> Fabric:
    """Return a lake with every mode of sources, a limit, and provider sources."""
    return fabric(MODES)


def last_hop() -> Fabric:
    """Return the same with one box that answers by the last hop."""
    return fabric(MODES, "last-hop")


def reached() -> Fabric:
    """Return a lake whose tenants the provider's hosts may call."""
    return fabric(REACHED)
