"""A rule set in batches says the same as in one piece, each batch is small, and no hook leads anywhere too early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farshore.engine.nftables.ruleset_update import LARGEST_BATCH, batches

HOOKED = "\tchain forwarding {\n\t\ttype filter hook forward priority 0; policy drop;\n\t\tjump c1\n\t}"


def rule_set(sizes: list[int], chains: int = 1) -> str:
    sets = [
        f"\tmap m{n} {{\n\t\ttype ipv4_addr : ipv4_addr\n\t\telements = {{ {', '.join(elements(n, size))} }}\n\t}}"
        for n, size in enumerate(sizes)
    ]
    inner = [f"\tchain c{n} {{\n\t\tip saddr 10.0.0.{n} accept\n\t\tdrop\n\t}}" for n in range(chains)]
    return "\n".join(["table ip x", "delete table ip x", "table ip x {", *sets, *inner, HOOKED, "}"]) + "\n"


def elements(number: int, size: int) -> list[str]:
    return [f"10.{number}.{n >> 8}.{n & 255} : 100.64.0.1 . {n:05}-{n:05}" for n in range(size)]


@given(st.lists(st.sampled_from([1, 2, 999, 1000, 2500]), max_size=3), st.sampled_from([1, 250, 1000]))
def test_every_element_and_rule_is_in_exactly_one_batch_and_every_batch_is_small(sizes: list[int], chains: int) -> None:
    parts = list(batches(rule_set(sizes, chains)))
    assert all(len(part) <= LARGEST_BATCH + len("add element ip x m0 {  }\n") for part in parts)
    everything = "".join(parts)
    for number, size in enumerate(sizes):
        assert all(everything.count(f" {element}") == 1 for element in elements(number, size)[-3:])
    assert sum(part.count(" : 100.64.0.1") for part in parts) == sum(sizes)
    assert everything.count("add rule ip x c") == 2 * chains
    assert everything.count("\tchain c") == chains


def test_what_was_there_goes_first_and_hooks_are_closed_before_all_else() -> None:
    first, *_ = batches(rule_set([3], 1000))
    assert first.startswith("table ip x\ndelete table ip x\ntable ip x {\n\tchain forwarding {\n\t\ttype filter hook")
    assert "accept" not in first
    assert "jump" not in first


def test_hooks_lead_somewhere_only_when_everything_else_is_there() -> None:
    statements = "".join(batches(rule_set([3, 2000], 250))).splitlines()
    assert statements[-1] == "add rule ip x forwarding jump c1"
    rules = [line for line in statements if line.startswith("add rule")]
    assert rules[:2] == ["add rule ip x c0 ip saddr 10.0.0.0 accept", "add rule ip x c0 drop"]
