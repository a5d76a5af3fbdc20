"""A rule set in portions says the same as in one piece, and each piece is small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farshore.engine.nftables.ruleset_update import ELEMENTS_AT_ONCE, RULES_AT_ONCE, batches


def rule_set(sizes: list[int]) -> str:
    sets = [
        f"\tmap m{n} {{\n\t\ttype ipv4_addr : ipv4_addr\n\t\telements = {{ {', '.join(elements(n, size))} }}\n\t}}"
        for n, size in enumerate(sizes)
    ]
    return "\n".join(["table ip x", "delete table ip x", "table ip x {", *sets, "\tchain c {", "\t}", "}"]) + "\n"


def elements(number: int, size: int) -> list[str]:
    return [f"10.{number}.{n >> 8}.{n & 255} : 100.64.0.1 . {n:05}-{n:05}" for n in range(size)]


@given(st.lists(st.sampled_from([1, 2, ELEMENTS_AT_ONCE, ELEMENTS_AT_ONCE + 1, 2500]), max_size=3))
def test_every_element_is_in_exactly_one_portion(sizes: list[int]) -> None:
    parts = list(batches(rule_set(sizes)))
    everything = "".join(parts)
    for number, size in enumerate(sizes):
        assert all(everything.count(f" {element}") == 1 for element in elements(number, size)[-3:])
    assert sum(part.count(" : 100.64.0.1") for part in parts) == sum(sizes)


def test_small_sets_go_with_the_rules() -> None:
    text = rule_set([ELEMENTS_AT_ONCE])
    assert list(batches(text)) == [text]


def test_large_sets_follow_in_portions_that_fit() -> None:
    first, *rest = batches(rule_set([2 * ELEMENTS_AT_ONCE + 1]))
    assert "elements" not in first
    assert "chain c {" in first
    assert [part.count(" : ") for part in rest] == [ELEMENTS_AT_ONCE, ELEMENTS_AT_ONCE, 1]
    assert all(part.startswith("add element ip x m0 { ") for part in rest)


def test_many_rules_follow_in_batches_and_hooks_get_theirs_last() -> None:
    inner = "\n".join(f"\tchain c{n} {{\n\t\tip saddr 10.0.0.{n} accept\n\t\tdrop\n\t}}" for n in range(250))
    hooked = "\tchain forwarding {\n\t\ttype filter hook forward priority 0; policy drop;\n\t\tjump c1\n\t}"
    large = f"\tmap m {{\n\t\ttype ipv4_addr : ipv4_addr\n\t\telements = {{ {', '.join(elements(1, 1001))} }}\n\t}}"
    first, *rest = batches(f"table inet x {{\n{large}\n{inner}\n{hooked}\n}}\n")
    assert "type filter hook forward priority 0; policy drop;" in first
    assert "accept" not in first
    assert "jump" not in first
    assert all(part.count("\n") <= max(RULES_AT_ONCE, 1) for part in rest)
    rules = [line for part in rest for line in part.splitlines() if line.startswith("add rule")]
    assert rules[0] == "add rule inet x c0 ip saddr 10.0.0.0 accept"
    assert rules[1] == "add rule inet x c0 drop"
    assert rules[-1] == "add rule inet x forwarding jump c1"
    assert len(rules) == 501
    # By the time that a hook leads anywhere, every set is full.
    assert rest[-1] == "add rule inet x forwarding jump c1\n"
