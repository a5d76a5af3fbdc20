"""The proof's crossing is the walk's: any packet through any box of any make, by both, with the same outcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from both_ways import TWO_SIDED, Now, edge_packets, every_choice, first_port, has, last_port, now_of, nows, paired
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farshore.fabric.model import Device
from farshore.proof.sets.senders import every_source
from farshore.proof.sets.targets import every_target
from farshore.proof.spread.crossing import Crossed, Stream, cross, cross_proxy
from farshore.proof.spread.tables import DeviceTables, Fronts
from farshore.realm import LAKE, PROVIDER, Realm
from farshore.semantics import device, proxy
from farshore.semantics.choice import DEFAULT_CHOICES, Choices, held_route, kept_port
from farshore.semantics.crossing import Crossing
from farshore.semantics.packet import Packet
from farshore.semantics.profile import PROFILES, Profile
from strategies import TENANT_A, TENANT_B, boxes, narrow_packets, proxies

many = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
AS_HELD = Choices(held_route, kept_port)
profiles = st.sampled_from(list(PROFILES.values()))
Outcome = tuple[str, Now]
Walks = Callable[[Choices], Crossing]


def everything(realm: Realm) -> Stream:
    return Stream(every_source(realm), every_target(realm))


def _sets(crossed: Crossed) -> list[Stream]:
    return [passage.left for passage in crossed.passages]


def proven(crossed: Crossed, packet: Packet) -> set[Outcome]:
    """Return how a packet leaves, by the proof; nothing where it is refused."""
    return {(p.egress, now) for p in crossed.passages for now in nows(p.left, packet)}


def walked(run: Walks, packet: Packet) -> set[Outcome]:
    """Return how a packet leaves, by the walk, whichever route it takes; nothing where it is refused."""
    both = paired(every_choice(run, first_port), every_choice(run, last_port))
    return {
        (first.egress, now_of(packet, first.packet, last.packet)) for first, last in both if first.egress is not None
    }


@many
@given(boxes(), profiles, st.data())
def test_a_packet_through_a_box(box: Device, profile: Profile, data: st.DataObject) -> None:
    ingress = data.draw(st.sampled_from([*box.interfaces[:1] * 3, *box.interfaces]))
    crossed = cross(DeviceTables.of(box, profile), ingress.name, everything(ingress.realm))
    for _ in range(8):
        packet = data.draw(narrow_packets(ingress.realm) | edge_packets(_sets(crossed), ingress.realm))
        run: Walks = partial(_through, box, profile, packet, ingress.name)
        outcomes = proven(crossed, packet)
        assert outcomes == walked(run, packet)
        # And by name the two choices of a walk: the intended route, and that of a real table.
        for found in (run(DEFAULT_CHOICES), run(AS_HELD)):
            assert found.refused or _ends(found) in {(egress, now.source, now.destination) for egress, now in outcomes}


def _ends(found: Crossing) -> tuple[str | None, tuple[Realm, int], tuple[Realm, int]]:
    source, destination = found.packet.source, found.packet.destination
    return found.egress, (source.realm, int(source.ip)), (destination.realm, int(destination.ip))


def _through(box: Device, profile: Profile, packet: Packet, ingress: str, choices: Choices) -> Crossing:
    return device.cross(box, profile, packet, ingress, (), choices=choices)


@many
@given(boxes(), profiles, st.data())
def test_what_passes_arrived_and_a_clear_passage_has_one_answer(
    box: Device, profile: Profile, data: st.DataObject
) -> None:
    ingress = data.draw(st.sampled_from([*box.interfaces[:1] * 3, *box.interfaces]))
    crossed = cross(DeviceTables.of(box, profile), ingress.name, everything(ingress.realm))
    for _ in range(8):
        packet = data.draw(narrow_packets(ingress.realm) | edge_packets(_sets(crossed), ingress.realm))
        run: Walks = partial(_through, box, profile, packet, ingress.name)
        through = [p for p in crossed.passages if has(p.left, packet)]
        assert all(has(p.arrived, packet) for p in through)
        # What one passage takes for sure, no other takes.
        assert all(p.doubtful for p in through) or len(through) == 1
        rivals = {two.found for two in crossed.two_sided if has(two.stream, packet)}
        found = {event.found for event in run(DEFAULT_CHOICES).events}
        # Where nothing may pass, the proof does not look; where it passes, both look and find the same.
        if through:
            assert found.intersection(TWO_SIDED) <= rivals


@many
@given(boxes((TENANT_A, LAKE)), boxes((LAKE, PROVIDER)), profiles, profiles, st.data())
def test_a_packet_through_two_boxes(
    near: Device, far: Device, near_profile: Profile, far_profile: Profile, data: st.DataObject
) -> None:
    """Sets that a first box has translated, NAPT behind NAPT among them, are taken on as single packets are."""
    once = cross(DeviceTables.of(near, near_profile), "if0", everything(TENANT_A))
    behind = DeviceTables.of(far, far_profile)
    twice = [(p, cross(behind, "if0", p.left)) for p in once.passages if p.egress == "if1"]
    sets = [each for _, crossed in twice for each in _sets(crossed)] or _sets(once)
    for _ in range(8):
        packet = data.draw(narrow_packets(TENANT_A) | edge_packets(sets, TENANT_A))
        found = {outcome for p, crossed in twice if has(p.left, packet) for outcome in proven(crossed, packet)}
        run: Walks = partial(_through_both, (near, near_profile), (far, far_profile), packet)
        assert found == walked(run, packet)


def _through_both(
    near: tuple[Device, Profile], far: tuple[Device, Profile], packet: Packet, choices: Choices
) -> Crossing:
    first = _through(*near, packet, "if0", choices)
    if first.egress != "if1":
        return Crossing((), first.packet, None, None)
    return _through(*far, first.packet, "if0", choices)


@many
@given(proxies(), st.sampled_from([("if0", TENANT_A), ("if1", TENANT_B), ("if2", PROVIDER)]), st.data())
def test_a_packet_to_a_proxy(box: proxy.Proxy, ingress: tuple[str, Realm], data: st.DataObject) -> None:
    name, realm = ingress
    crossed = cross_proxy(Fronts.of(box), name, everything(realm))
    for _ in range(8):
        packet = data.draw(narrow_packets(realm) | edge_packets(_sets(crossed), realm))
        run: Walks = partial(_to, box, packet, name)
        assert proven(crossed, packet) == walked(run, packet)
        assert not crossed.two_sided


def _to(box: proxy.Proxy, packet: Packet, ingress: str, choices: Choices) -> Crossing:
    return proxy.cross_proxy(box, packet, ingress, (), choices=choices)
