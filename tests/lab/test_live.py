"""``walk --live``: what a lab does to the real packet, beside what the walk says of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from lab_inside import inside
from lab_life import ARTICLE, LACKING

from farshore.cli.main import cli
from farshore.cli.walk_live import verdict
from farshore.conformance.live import Live, live
from farshore.errors import MachineError, UsageError
from farshore.fabric.model import Fabric, NodeKind
from farshore.intent.model import Intent
from farshore.lab import lifecycle
from farshore.lab.record import Record
from farshore.lab.registry import only
from farshore.pipeline.probes import probe
from farshore.plan.model import Plan
from farshore.port import Protocol
from farshore.traffic import packet
from farshore.traffic.injection import observing
from farshore.traffic.packet import WirePacket, decode, encode
from farshore.walk.tell.journey import Probe
from from_file import fabric_of
from lab_intents import MIXED

EXAMPLES = sorted(ARTICLE.parent.glob("*.yaml"))
ALICE = ("--from", "customer-a/alice", "--to", "portal:443")

pytestmark = pytest.mark.usefixtures("labs")


@contextmanager
def lab(file: Path, fabric: Fabric, name: str = "live") -> Iterator[Record]:
    """Make a lab for the body. Skips where the machine lacks a right or a tool."""
    try:
        with lifecycle.passing(f"{name}-{os.getpid()}", file, fabric) as record:
            yield record
    except MachineError as error:
        if LACKING in str(error) or "is not installed" in str(error):
            pytest.skip(str(error))
        raise


def pairs(intent: Intent, plan: Plan, fabric: Fabric) -> Iterator[Probe]:
    """Yield every host with every port of every service, whether it is presented or not."""
    for node in fabric.end_systems:
        if node.kind is NodeKind.HOST and not node.name.startswith("provider/"):
            for service in intent.provider.services.values():
                for port in service.ports:
                    yield probe(intent, plan, fabric, node.name, f"{service.name}:{port}")


def all_live(file: Path, design: str) -> tuple[Live, ...]:
    intent, plan, fabric = fabric_of(file, design)
    with lab(file, fabric) as record, observing(record.world, fabric) as observer:
        return live(observer, fabric, None, tuple(pairs(intent, plan, fabric)))


# --- every pair of every example ---------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_lake_does_what_the_walk_says(file: Path) -> None:
    came = all_live(file, "lake")
    assert any(each.walk.delivered for each in came)
    assert [verdict(each) for each in came if not each.agrees] == []
    for each in came:
        assert each.steps[-1].observed is not None or not each.walk.delivered


@pytest.mark.kernel
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_last_hop_does_what_the_walk_says(file: Path) -> None:
    came = all_live(file, "last-hop")
    assert any(each.walk.delivered for each in came)
    assert [verdict(each) for each in came if not each.agrees] == []


@pytest.mark.kernel
def test_both_connections_of_a_proxy_do_what_the_walk_says() -> None:
    """Alice and Bill at the same moment, from the same port; what is not carried goes no further than the walk says."""
    came = all_live(ARTICLE, "appliance")
    carried = [each for each in came if each.walk.delivered]
    assert {each.walk.origin for each in carried} == {"customer-a/alice", "customer-b/bill", "internet/host"}
    assert [verdict(each) for each in came if not each.agrees] == []
    proxied = [each for each in carried if any(step.at == "provider/proxy" for step in each.steps)]
    assert len(proxied) == 4
    for each in proxied:
        legs = [step.observed for step in each.steps if step.at in (each.walk.origin, "provider/proxy")]
        assert all(leg is not None for leg in legs)


@pytest.mark.kernel
def test_several_designs_at_once_do_what_the_walk_says(tmp_path: Path) -> None:
    """Everybody asks for everything, and the provider's hosts call everybody: what they may and what they may not."""
    file = tmp_path / "mixed.yaml"
    file.write_text(MIXED)
    intent, plan, fabric = fabric_of(file, None)
    asked = [*pairs(intent, plan, fabric), *unoffered(intent, plan, fabric), *called(intent, plan, fabric)]
    with lab(file, fabric) as record, observing(record.world, fabric) as observer:
        came = live(observer, fabric, None, asked)
    assert [(each.walk.origin, verdict(each)) for each in came if not each.agrees] == []
    carried = {(each.walk.origin, each.walk.service, str(each.walk.port)) for each in came if each.walk.delivered}
    proxied = {("customer-a/alice", "news", "tcp/80"), ("customer-c/cy", "portal", "tcp/80")}
    calls = {("provider/monitor", "customer-a/alice", port) for port in ("tcp/22", "udp/161", "icmp")}
    assert carried > proxied | calls
    assert {origin for origin, _, _ in carried} & {"provider/portal", "provider/dns", "provider/news"} == set()
    assert {target for _, target, _ in carried if "/" in target} == {"customer-a/alice"}
    at_proxy = [each for each in came if each.steps[-1].at == "provider/proxy"]
    assert {str(each.walk.port) for each in at_proxy} == {"tcp/9"}


def unoffered(intent: Intent, plan: Plan, fabric: Fabric) -> Iterator[Probe]:
    for node in fabric.end_systems:
        if node.kind is NodeKind.HOST and not node.name.startswith("provider/"):
            for service in intent.provider.services:
                yield probe(intent, plan, fabric, node.name, f"{service}:9")


def called(intent: Intent, plan: Plan, fabric: Fabric) -> Iterator[Probe]:
    hosts = [node.name for node in fabric.end_systems if node.name.owner in intent.tenants]
    for node in fabric.end_systems:
        if node.name.startswith("provider/"):
            for host in hosts:
                for port in ("tcp/22", "udp/161", "icmp", "tcp/23"):
                    yield probe(intent, plan, fabric, node.name, f"{host}:{port}")


@pytest.mark.kernel
def test_what_passes_on_the_identity_of_its_callers_does_what_the_walk_says(tmp_path: Path) -> None:
    """What a proxy adds to what is said, a header before it or within it, does not hide it."""
    file = tmp_path / "intent.yaml"
    file.write_text((ARTICLE.parent / "appliance" / "intent.yaml").read_text())
    (tmp_path / "news.key").touch(mode=0o600)
    (tmp_path / "news.key").write_bytes(os.urandom(32))
    came = all_live(file, "appliance")
    assert [verdict(each) for each in came if not each.agrees] == []
    assert len([each for each in came if each.walk.delivered]) == len(came) == 4


@pytest.mark.kernel
def test_a_proxy_that_opens_no_connection_differs() -> None:
    intent, plan, fabric = fabric_of(ARTICLE, "appliance")
    asked = probe(intent, plan, fabric, "customer-a/alice", "portal:443")
    with lab(ARTICLE, fabric) as record, observing(record.world, fabric) as observer:
        inside(record, "provider/router", "ip", "route", "del", "10.1.1.1")
        (came,) = live(observer, fabric, None, (asked,))
    assert (came.agrees, came.steps[-1].observed) == (False, None)
    # The health checks stop with the connections, or the proxy lets none in: nothing is told to the service.
    assert came.differs_at in (1, 3)


@pytest.mark.kernel
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_single_nat_fails_where_the_walk_shows_a_glitch(file: Path) -> None:
    came = all_live(file, "single-nat")
    assert any(each.walk.glitches for each in came)
    for each in came:
        refused = each.walk.glitches == (len(each.walk.steps),)
        if each.walk.delivered or refused:
            assert each.agrees, (each.walk.origin, each.walk.service)
        else:
            assert each.differs_at in each.walk.glitches
            assert each.steps[-1].observed is None


@pytest.mark.kernel
def test_what_is_broken_differs() -> None:
    """A lab whose tenant NAT has lost its rules, or that leads the reply astray, does not pass for a good one."""
    intent, plan, fabric = fabric_of(ARTICLE, "lake")
    asked = probe(intent, plan, fabric, "customer-a/alice", "portal:443")
    with lab(ARTICLE, fabric) as record, observing(record.world, fabric) as observer:
        assert live(observer, fabric, None, (asked,))[0].agrees
        inside(record, "customer-a/ce", "ip", "route", "del", "10.1.1.1")
        (came,) = live(observer, fabric, None, (asked,))
        assert (came.agrees, came.differs_at) == (False, 9)
        assert verdict(came) == "live: the lab differs from the walk from step 9 on"
        inside(record, "customer-a/nat", "nft", "flush", "table", "ip", "farshore_nat")
        # The flow that is open keeps its translation; the next one gets none.
        (came,) = live(observer, fabric, None, (replace(asked, source_port=40001),))
        assert (came.agrees, came.differs_at) == (False, 3)
        assert came.steps[2].observed is None


# --- the command -------------------------------------------------------------------------------------


def run(*words: str) -> Result:
    try:
        return CliRunner().invoke(cli, ["walk", *words], catch_exceptions=False)
    except MachineError as error:
        if LACKING in str(error) or "is not installed" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.kernel
def test_the_article_on_the_command_line() -> None:
    good = run(str(ARTICLE), *ALICE, "--live", "--json")
    assert good.exit_code == 0
    came = json.loads(good.stdout)
    assert [step["n"] for step in came["live"]["steps"]] == list(range(1, 11))
    assert came["live"]["agrees"]
    assert came["live"]["steps"][3] == {
        "n": 4,
        "at": "provider/nat",
        "predicted": (packet_4 := came["live"]["steps"][3]["predicted"]),
        "observed": packet_4,
        "agrees": True,
    }
    assert packet_4 == {
        "src": {"ip": "100.65.0.1"},
        "dst": {"ip": "10.1.1.1"},
        "proto": "tcp",
        "sport": 40000,
        "dport": 443,
    }


@pytest.mark.kernel
def test_single_nat_on_the_command_line() -> None:
    failed = run(str(ARTICLE), *ALICE, "--live", "--design", "single-nat")
    assert failed.exit_code == 1
    assert "the packet fails at step 3, where the walk shows a glitch" in failed.stdout
    lines = [line.split() for line in failed.stdout.splitlines() if line.endswith(("agrees", "DIFFERS"))]
    assert [line[-1] for line in lines] == ["agrees"] * 2 + ["DIFFERS"] * 5
    assert all("nothing" in line for line in lines[2:])


@pytest.mark.kernel
def test_a_lab_that_is_up_is_used_and_left_up(tmp_path: Path) -> None:
    _, _, fabric = fabric_of(ARTICLE, "lake")
    with lab(ARTICLE, fabric, "mine") as record:
        inside(record, "customer-a/ce", "ip", "route", "del", "10.1.1.1")
        assert run(str(ARTICLE), *ALICE, "--live", "--name", record.name).exit_code == 1
        assert run(str(ARTICLE), *ALICE, "--live").exit_code == 1
        assert only(None).name == record.name
        with pytest.raises(UsageError, match=r"has design lake of .*article.yaml, not single-nat of"):
            run(str(ARTICLE), *ALICE, "--live", "--name", record.name, "--design", "single-nat")
        # Another's lab is let alone: this one is not broken.
        copy = tmp_path / "copy.yaml"
        copy.write_bytes(ARTICLE.read_bytes())
        assert run(str(copy), *ALICE, "--live").exit_code == 0


def test_a_name_without_live_is_refused() -> None:
    with pytest.raises(UsageError, match="--name requires --live"):
        run(str(ARTICLE), *ALICE, "--name", "mine")


# --- bytes -------------------------------------------------------------------------------------------

ips = st.integers(0, 2**32 - 1).map(IPv4Address)
numbers = st.integers(0, 65535)
words = st.integers(0, 2**32 - 1)
data = st.one_of(
    st.builds(WirePacket, st.just(Protocol.UDP), ips, ips, numbers, numbers),
    st.builds(WirePacket, st.just(Protocol.TCP), ips, ips, numbers, numbers, st.integers(0, 255), words, words),
    st.builds(
        lambda source, destination, identifier, kind: WirePacket(
            Protocol.ICMP, source, destination, identifier, identifier, icmp_type=kind
        ),
        ips,
        ips,
        numbers,
        st.sampled_from([packet.ECHO_REQUEST, packet.ECHO_REPLY]),
    ),
)
errors = st.builds(
    lambda source, destination, quoted, mtu: WirePacket(
        Protocol.ICMP,
        source,
        destination,
        0,
        0,
        icmp_type=packet.DESTINATION_UNREACHABLE,
        icmp_code=packet.FRAGMENTATION_NEEDED,
        next_mtu=mtu,
        quoted=quoted,
    ),
    ips,
    ips,
    data,
    numbers,
)


@given(data | errors, st.binary(max_size=40))
def test_what_is_written_is_read(made: WirePacket, payload: bytes) -> None:
    content = encode(made, payload)
    assert decode(content) == made
    assert packet.checksum(content[:20]) == 0
    if made.protocol is Protocol.ICMP:
        assert packet.checksum(content[20:]) == 0


@given(st.binary(max_size=80))
def test_anything_can_be_read(content: bytes) -> None:
    decode(content)
