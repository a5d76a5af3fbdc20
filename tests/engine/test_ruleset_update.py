"""One rule set in place of another: as little is touched as can be."""

from __future__ import annotations

import pytest

from farshore.engine.nftables.ruleset_update import update

WANTED = """\
table inet farshore_filter {
	map guards_in {
		type ifname : verdict
		elements = { "a" : jump in-a, "b" : jump in-b }
	}

	map blocks {
		type ipv4_addr : interval ipv4_addr . inet_service
		elements = { 10.0.0.1 : 100.64.0.1 . 1024-2047 }
	}

	chain in-a {
		ip saddr { 10.0.0.1, 10.0.0.2 } accept
		drop
	}

	chain in-b {
		drop
	}

	chain forwarding {
		type filter hook forward priority 0; policy drop;
		ct state established accept
	}
}
"""
# As nft lists it: elements in any order and on lines of their own, priorities by name.
LISTED = (
    WANTED.replace('"a" : jump in-a, "b" : jump in-b', '"b" : jump in-b,\n\t\t\t     "a" : jump in-a')
    .replace("10.0.0.1, 10.0.0.2", "10.0.0.2, 10.0.0.1")
    .replace("priority 0;", "priority filter;")
)


def commands(listed: str, wanted: str = WANTED) -> list[str]:
    """Return what goes before the rule set itself."""
    return [line for line in update(listed, wanted).splitlines() if line.startswith(("flush", "delete"))]


def test_nothing_is_touched_where_nothing_changes() -> None:
    text = update(LISTED, WANTED)
    assert commands(LISTED) == []
    assert "saddr" not in text
    # Where chains hook in is said again, and what they do by default.
    assert "\tchain forwarding {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n" in text


@pytest.mark.parametrize(
    ("listed", "command", "rule"),
    [
        (
            LISTED.replace("\t\tct state established accept\n", ""),
            "flush chain inet farshore_filter forwarding",
            "ct state",
        ),
        (
            LISTED.replace("1024-2047", "1024-1535"),
            "delete element inet farshore_filter blocks { 10.0.0.1 : 100.64.0.1 . 1024-1535 }",
            "1024-2047",
        ),
        (LISTED.replace("10.0.0.2, ", ""), "flush chain inet farshore_filter in-a", "ip saddr"),
        (
            LISTED.replace("jump in-a }", 'jump in-a,\n\t\t\t     "c" : jump in-b }'),
            'delete element inet farshore_filter guards_in { "c" : jump in-b }',
            "",
        ),
        (
            LISTED.replace("\tchain in-b", "\tchain mine {\n\t}\n\n\tchain in-b"),
            "delete chain inet farshore_filter mine",
            "",
        ),
        (
            LISTED.replace("\tmap blocks", "\tset mine {\n\t\ttype ipv4_addr\n\t}\n\n\tmap blocks"),
            "delete set inet farshore_filter mine",
            "",
        ),
    ],
)
def test_what_differs_is_put_right(listed: str, command: str, rule: str) -> None:
    assert listed != LISTED
    assert command in commands(listed)
    assert rule in update(listed, WANTED)


def test_jumps_go_before_what_they_jump_to() -> None:
    wanted = WANTED.replace(', "b" : jump in-b', "").replace("\tchain in-b {\n\t\tdrop\n\t}\n\n", "")
    found = commands(LISTED, wanted)
    jump = found.index('delete element inet farshore_filter guards_in { "b" : jump in-b }')
    assert jump < found.index("delete chain inet farshore_filter in-b")


def test_tables_of_others_are_left_alone() -> None:
    assert update("table inet other {\n\tchain x {\n\t}\n}\n" + LISTED, WANTED) == update(LISTED, WANTED)
