"""Names of nodes: strings for JSON, the kernel and people, in two parts for everything that reads them."""

from __future__ import annotations

import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from farshore.fabric import names
from farshore.fabric.names import MAX_INTERFACE_NAME, NodeName

LABELS = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


@given(LABELS, LABELS)
def test_a_name_is_put_together_and_taken_apart(owner: str, local: str) -> None:
    name = NodeName.of(owner, local)
    assert (name.owner, name.local) == (owner, local)
    assert name == f"{owner}/{local}" == NodeName.parse(f"{owner}/{local}")


@given(LABELS, LABELS)
def test_a_name_stands_as_a_string_wherever_strings_stand(owner: str, local: str) -> None:
    name = NodeName.of(owner, local)
    assert hash(name) == hash(str(name))
    assert {name: 1}[f"{owner}/{local}"] == 1
    assert json.loads(json.dumps({name: [name]})) == {f"{owner}/{local}": [f"{owner}/{local}"]}
    assert f"{name}" == str(name) == f"{owner}/{local}"


@given(st.lists(st.tuples(LABELS, LABELS)))
def test_names_are_sorted_as_strings_are(parts: list[tuple[str, str]]) -> None:
    assert sorted(NodeName.of(*each) for each in parts) == sorted(f"{owner}/{local}" for owner, local in parts)


def test_a_name_that_went_to_another_process_still_has_its_parts() -> None:
    name = pickle.loads(pickle.dumps(names.ce("customer-a")))  # noqa: S301 - pickled just here
    assert isinstance(name, NodeName)
    assert (name.owner, name.local) == ("customer-a", "ce")


def test_what_has_no_owner_is_no_name_of_a_node() -> None:
    assert NodeName.parse("portal") is None
    assert NodeName.parse("") is None


@given(st.lists(LABELS, unique=True, max_size=50))
def test_interfaces_have_names_of_their_own_that_the_kernel_takes(tenants: list[str]) -> None:
    found = [make(tenant) for tenant in tenants for make in (names.toward, names.toward_tenant)]
    assert len(set(found)) == len(found)
    assert all(len(name) <= MAX_INTERFACE_NAME for name in found)
