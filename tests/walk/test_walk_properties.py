"""For every intent a subscribed host reaches its service over the lake and gets its reply, on any make of box."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from farshore.design.catalogue import build
from farshore.design.ends import tenant_hosts
from farshore.design.segment import translatable
from farshore.fabric.model import Fabric
from farshore.intent.model import Intent
from farshore.plan.allocate import allocate
from farshore.plan.model import Plan
from farshore.realm import LAKE, PROVIDER, Address, RealmKind
from farshore.semantics.profile import PROFILES, Profile
from farshore.semantics.trace import Hop
from farshore.walk.tell.journey import Probe, walk
from farshore.walk.tell.summary import document
from strategies import intents

PORTS = st.integers(1, 65535)


def planned(intent: Intent) -> tuple[Plan, Fabric]:
    plan = allocate(intent).plan
    assert plan is not None
    return plan, build(intent, plan, "lake")


def probes(intent: Intent, plan: Plan, source_port: int) -> Iterator[Probe]:
    """Yield every flow that the intent allows."""
    for tenant in intent.tenants.values():
        # Where only named hosts may cross and none is named, the one that stands for all may not.
        may = translatable(plan.tenants[tenant.name])
        for end in (end for end in tenant_hosts(tenant, intent) if any(end.address in prefix for prefix in may)):
            for service, presented in plan.tenants[tenant.name].presents.items():
                for port in intent.provider.services[service].ports:
                    yield Probe(end.name, service, presented, port, source_port)


def arrived_in(fabric: Fabric, hop: Hop) -> RealmKind:
    return next(i.realm.kind for i in fabric.nodes[hop.node].interfaces if i.name == hop.ingress)


@settings(max_examples=25, deadline=None)
@given(intents(most_tenants=3), st.sampled_from(list(PROFILES.values())), PORTS)
def test_every_subscribed_walk_over_the_lake(intent: Intent, profile: Profile, source_port: int) -> None:
    plan, fabric = planned(intent)
    for probe in probes(intent, plan, source_port):
        walked = walk(fabric, profile, probe)
        assert walked.delivered, document(walked)
        assert len(walked.steps) == 10
        first, last = walked.steps[0].before, walked.steps[-1].after
        # The reply comes to that host, from the address and the port that it called.
        assert last.header() == first.header().reversed()
        assert (last.source, last.destination) == (probe.destination, first.source)
        for hop in (hop for each in walked.traces for hop in each.hops):
            ends = {hop.packet.source.realm.kind, hop.packet.destination.realm.kind}
            if arrived_in(fabric, hop) is RealmKind.TENANT:
                assert ends == {RealmKind.TENANT}  # nothing of the lake or the provider on a tenant's WAN
            else:
                assert RealmKind.TENANT not in ends  # and nothing of a tenant's beyond its NAT device


@settings(max_examples=25, deadline=None)
@given(intents(most_tenants=3))
def test_lake_and_provider_addresses_are_where_they_belong(intent: Intent) -> None:
    plan, fabric = planned(intent)
    for probe in probes(intent, plan, 40000):
        for hop in walk(fabric, None, probe).traces[0].hops:
            realm = arrived_in(fabric, hop)
            if realm is LAKE.kind:
                assert hop.packet.source.ip in plan.lake.network
                assert hop.packet.destination.ip in plan.lake.network
            elif realm is PROVIDER.kind:
                assert hop.packet.destination == intent.provider.services[probe.service].address


@settings(max_examples=25, deadline=None)
@given(intents(most_tenants=3))
def test_a_hosts_walk_has_its_own_source_in_the_lake(intent: Intent) -> None:
    """Two hosts with one address and port never look alike in the lake."""
    plan, fabric = planned(intent)
    seen: dict[tuple[Address, int], Address] = {}
    for probe in probes(intent, plan, 40000):
        first, inside = (walk(fabric, None, probe).steps[number] for number in (0, 2))
        key = (inside.after.source, inside.after.source_port)
        assert seen.setdefault(key, first.before.source) == first.before.source
