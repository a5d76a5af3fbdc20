"""The proof's crossing against a decision diagram of the same box: the same packets leave it, as the same ones."""

from __future__ import annotations

from diagram import Diagram, Node, leaving, on_the_wire, through
from hypothesis import given, settings
from hypothesis import strategies as st

from farshore.fabric.model import Device
from farshore.proof.sets.intervals import EVERY_PORT, of_prefix
from farshore.proof.sets.senders import Senders
from farshore.proof.sets.targets import Targets
from farshore.proof.spread.crossing import Crossed, Passage, Stream, cross
from farshore.proof.spread.tables import DeviceTables
from farshore.realm import LAKE, PROVIDER, Prefix, Realm
from farshore.semantics.profile import PROFILES, Profile
from strategies import NARROW, TENANT_A, boxes

profiles = st.sampled_from(list(PROFILES.values()))
FIRST, LAST = of_prefix(Prefix(LAKE, NARROW))


def everything(realm: Realm) -> Stream:
    """Return every packet between addresses of the narrow network."""
    return Stream((Senders(FIRST, LAST, FIRST, realm),), (Targets(FIRST, LAST, FIRST, *EVERY_PORT, realm),))


def relation(diagram: Diagram, stream: Stream) -> Node:
    """Return a set of the proof's as a relation: what was sent, and what it has become."""
    senders = targets = diagram.false
    for s in stream.senders:
        sent = diagram.between(diagram.source, diagram.offset(s.first), diagram.offset(s.last))
        now = diagram.equal(diagram.source_out, diagram.plus(diagram.source, s.at - s.first))
        senders |= sent & now
        assert s.stride == 1
    for t in stream.targets:
        sent = diagram.between(diagram.destination, diagram.offset(t.first), diagram.offset(t.last))
        now = diagram.equal(diagram.destination_out, diagram.plus(diagram.destination, t.at - t.first))
        targets |= sent & now & diagram.between(diagram.port_index, t.low, t.high)
    return senders & targets


def once(diagram: Diagram, stream: Stream) -> Node:
    """Return which packets are in a set, by what they were when they were sent."""
    return diagram.bdd.exist(
        [f"{end}_out{n}" for end in ("s", "d") for n in range(diagram.width)], relation(diagram, stream)
    )


def proven(diagram: Diagram, passages: tuple[Passage, ...]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for passage in passages:
        found[passage.egress] = found.get(passage.egress, diagram.false) | relation(diagram, passage.left)
    return found


def crossed_by(box: Device, profile: Profile, ingress: int) -> Crossed:
    end = box.interfaces[ingress]
    return cross(DeviceTables.of(box, profile), end.name, everything(end.realm))


@settings(max_examples=150)
@given(boxes(napt=False), profiles, st.data())
def test_the_same_packets_leave_as_the_same(box: Device, profile: Profile, data: st.DataObject) -> None:
    ingress = data.draw(st.sampled_from([0, 0, *range(len(box.interfaces))]))
    diagram, end = Diagram(NARROW), box.interfaces[ingress]
    out = through(diagram, box, profile, end.name, [on_the_wire(diagram, end.realm, EVERY_PORT[1])])
    assert proven(diagram, crossed_by(box, profile, ingress).passages) == leaving(diagram, out)


@settings(max_examples=100)
@given(boxes((TENANT_A, LAKE), napt=False), boxes((LAKE, PROVIDER), napt=False), profiles, profiles)
def test_the_same_packets_cross_two_boxes(near: Device, far: Device, first: Profile, second: Profile) -> None:
    """What a second box is given has been translated; what it was when it was sent is kept through both."""
    diagram = Diagram(NARROW)
    once = [p for p in crossed_by(near, first, 0).passages if p.egress == "if1"]
    behind = DeviceTables.of(far, second)
    twice = tuple(passage for p in once for passage in cross(behind, "if0", p.left).passages)
    out = through(diagram, near, first, "if0", [on_the_wire(diagram, TENANT_A, EVERY_PORT[1])])
    out = through(diagram, far, second, "if0", [each for each in out if each.egress == "if1"])
    assert proven(diagram, twice) == leaving(diagram, out)


@given(boxes(napt=False), profiles)
def test_a_clear_look_up_and_a_doubtful_one_are_never_of_one_packet(box: Device, profile: Profile) -> None:
    diagram = Diagram(NARROW)
    passages = crossed_by(box, profile, 0).passages
    clear = [once(diagram, p.left) for p in passages if not p.doubtful]
    others = [once(diagram, p.left) for p in passages if p.doubtful]
    for number, node in enumerate(clear):
        assert all(node & other == diagram.false for other in (*clear[number + 1 :], *others))
