"""What is good of a faulty file is checked too, and nothing is reported that only its faults cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from farshore.intent.load import MOST_FOUND, load_text
from farshore.intent.read import source
from farshore.intent.read.scalars import FaultError
from farshore.intent.read.validation import MOST_FAULTS
from farshore.lookup import Nearest

GOOD = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake: 198.18.0.0/16
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443]}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal]
    hosts: {alice: 10.1.1.1}
    limits: {sessions: 5}
"""
UNKNOWN_KEY = ("version: 1", "version: 1\ncolour: plum")
CALLS = (
    "  services:\n",
    "  hosts: {monitor: 10.1.1.9}\n  reaches: [{tenant: customer-a, ports: [icmp]}]\n  services:\n",
)
NOT_OF_CALLS = (CALLS, ("[portal]", "[portel]"))


def problems(*changes: tuple[str, str]) -> list[str]:
    """Return the problems of the good file after these changes."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    found = load_text(text, "i").diagnostics
    return [f"{each.position.line}:{each.position.column}: {each.problem}" for each in found]


def test_the_good_file_has_no_problems() -> None:
    assert problems() == []


def test_collisions_are_reported_beside_wrong_values() -> None:
    assert problems(("    networks: [10.1.1.0/24]", "    networks: [x, y, 198.18.1.0/24, 10.1.1.0/24]")) == [
        "10:16: tenant customer-a: networks: 'x' is not an IPv4 prefix",
        "10:19: tenant customer-a: networks: 'y' is not an IPv4 prefix",
        "10:22: tenant customer-a: network 198.18.1.0/24 is inside the lake 198.18.0.0/16 (line 5)",
    ]


@pytest.mark.parametrize(
    "networks", ["", "    networks: []\n", "    networks: [10.1.1.0]\n", "    network: [10.1.1.0/24]\n"]
)
def test_hosts_are_not_outside_networks_that_could_not_be_read(networks: str) -> None:
    assert not any("outside" in each for each in problems(("    networks: [10.1.1.0/24]\n", networks)))


@pytest.mark.parametrize("networks", ["", "  networks: []\n", "  networks: [10.1.1.0]\n", "  network: [10.1.1.0/24]\n"])
def test_services_are_not_outside_networks_that_could_not_be_read(networks: str) -> None:
    assert not any("outside" in each for each in problems(("  networks: [10.1.1.0/24]\n  lake", f"{networks}  lake")))


@pytest.mark.parametrize("hosts", ["{Alice: 10.1.1.1}", "{alice: x}", "[]"])
def test_no_host_is_missed_where_hosts_could_not_be_read(hosts: str) -> None:
    changes = (("    services:", "    sources: host\n    services:"), ("{alice: 10.1.1.1}", hosts))
    assert len(problems(*changes)) == 1


def test_a_service_with_faults_is_a_service() -> None:
    assert problems(("10.1.1.1, ports", "10.1.1, ports")) == [
        "7:23: service portal: address: '10.1.1' is not an IPv4 address"
    ]


def test_an_unreadable_range_is_not_a_missing_one() -> None:
    assert problems(("10.2.2.0/28", "10.2.2.0")) == [
        "11:15: tenant customer-a: presents: 10.2.2.0 has no prefix length"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{monitor: 10.1.1.9}", "{monitor: x, backup: 10.9.9.9}", ["monitor: 'x'", "host backup: address 10.9.9.9"]),
        ("{monitor: 10.1.1.9}", "[10.1.1.9]", ["hosts: expected a mapping, found a list"]),
        ("{monitor: 10.1.1.9}", "", ["hosts has no value"]),
        (
            "[{tenant",
            "[x, {tenant: customer-z, ports: [icmp]}, {tenant",
            ["found a single value", "unknown tenant 'customer-z'"],
        ),
        ("[{tenant", "[{tenant: a, ports: [x]}, {tenant: customer-z, ports: [icmp]}, {tenant", ["'x'", "customer-z"]),
        ("[icmp]", "[icmp, x, icmp]", ["'x' is not a port", "duplicate port icmp"]),
        ("[{tenant: customer-a, ports: [icmp]}]", "customer-a", ["expected a list, found a single value"]),
        ("[{tenant: customer-a, ports: [icmp]}]", "[[]]", ["expected a mapping, found a list"]),
    ],
)
def test_a_fault_of_hosts_or_reaches_hides_no_other(old: str, new: str, expected: list[str]) -> None:
    found = problems(*NOT_OF_CALLS, (old, new))
    assert len(found) == len(expected) + 1, found
    assert all(any(each in line for line in found) for each in expected), found
    assert "unknown service 'portel'" in found[-1]


def test_the_file_with_calls_is_good() -> None:
    assert problems(CALLS) == []


@pytest.mark.parametrize(
    "changes",
    [
        (("customer-a:", "customer-a: x\n  customer-b:"),),
        (("presents: 10.2.2.0/28", "presents: 10.2.2.0"), ("[portal]", "[]")),
        (("sessions: 5}", "sessions: 5}\n    design: lakes"),),
        (("sessions: 5}", "sessions: 5}\n    desing: last-hop"),),
        (("version: 1", "version: 1\ndesign: lakes"),),
        (("version: 1", "version: 1\ndesing: last-hop"),),
        (("sessions: 5}", "sessions: 5}\n    sources: {pool: x}"),),
        (("version: 1", "version: 1\nversion: 1"), ("sessions: 5}", "sessions: 5}\n    design: last-hop")),
        (("[tcp/443]}", "[tcp/443], proxy-protocol: v2, design: applianc}"),),
        (("[tcp/443]}", "[tcp/443], proxy-protocol: v2, desing: appliance}"),),
        (("[tcp/443]}", "[tcp/443], signed-header: k, design: {}}"),),
    ],
)
def test_no_design_is_concluded_from_what_could_not_be_read(changes: tuple[tuple[str, str], ...]) -> None:
    found = problems(CALLS, *changes)
    assert len(found) == 1, found


def test_readable_designs_are_checked() -> None:
    changes = (("[tcp/443]}", "[tcp/443], proxy-protocol: v2}"), ("sessions: 5}", "sessions: x}\n    design: last-hop"))
    found = [each.partition(": ")[2] for each in problems(CALLS, *changes)]
    assert found[:2] == [
        "provider: reaches customer-a: design last-hop does not carry calls to tenants",
        "service portal: design last-hop of tenant customer-a does not pass on the caller's identity",
    ]
    assert len(found) == 3


@pytest.mark.parametrize("others", [(), (UNKNOWN_KEY,)])
def test_nothing_is_concluded_after_a_key_that_stands_twice(others: tuple[tuple[str, str], ...]) -> None:
    networks = ("    presents", "    networks: [10.7.0.0/24]\n    presents")
    hosts = ("{alice: 10.1.1.1}", "{bob: 10.7.0.1}")
    services = ("tenants:", "  services: {wiki: {address: 10.1.1.2, ports: [tcp/443]}}\ntenants:")
    changes = (networks, hosts, services, ("[portal]", "[wiki]"), *others)
    found = [each.partition(": ")[2] for each in problems(*changes)]
    line = 2 if others else 0
    assert found[-2:] == [
        f"duplicate key 'services' (first in line {6 + bool(line)})",
        f"duplicate key 'networks' (first in line {11 + bool(line)})",
    ]
    assert len(found) == 2 + len(others)


@pytest.mark.parametrize("key", ["[key]", "(list)", "(mapping)", "(word)", "(pool)", "(networks)", "[", "("])
def test_keys_that_look_like_marks_of_the_reader(key: str) -> None:
    assert problems(("version: 1", f"'{key}': 1\nversion: 1")) == [f"1:1: unknown key '{key}' in the file"]
    assert problems(("[portal]", f"{{'{key}': 10.2.2.1}}"))[0].startswith("12:16: tenant customer-a: services: name '")
    assert problems(("{sessions: 5}", f"{{sessions: 5, '{key}': {{'{key}': 1}}}}")) == [
        f"14:27: unknown key '{key}' in limits of tenant customer-a"
    ]


def test_quotes_matter_where_the_same_text_was_good_before() -> None:
    other = GOOD[GOOD.index("  customer-a:") :].replace("customer-a", "customer-b").replace("5}", "'5'}")
    assert problems(("    limits: {sessions: 5}\n", f"    limits: {{sessions: 5}}\n{other}")) == [
        "20:24: tenant customer-b: limits sessions: '5' is a string, not a number"
    ]


def test_faults_are_bounded() -> None:
    unknown = "".join(f"    k{number}: 1\n" for number in range(MOST_FAULTS + 500))
    assert len(load_text(GOOD + unknown, "i").diagnostics) == MOST_FAULTS
    strangers = ",".join(f"s{number}" for number in range(MOST_FOUND + 500))
    assert len(load_text(GOOD.replace("[portal]", f"[{strangers}]"), "i").diagnostics) == MOST_FOUND


def test_looking_for_near_names_is_bounded() -> None:
    nearest = Nearest()
    for _ in range(200):
        assert nearest.fix("portel", ("portal",), "there are {known}") == "did you mean 'portal'?"
    assert nearest.fix("portel", ("portal",), "there are {known}") == "there are portal"
    assert Nearest().fix("portal" * 100, ("portal" * 100,), "there are {known}").startswith("there are portal")


def test_after_too_many_faults_only_those_are_reported() -> None:
    assert problems(("    presents: 10.2.2.0/28", "    presents: 10.1.1.0/28"), UNKNOWN_KEY)[-1].endswith("(line 11)")
    lines = "".join(f"colour{number}: plum\n" for number in range(1_001))
    found = problems(("    presents: 10.2.2.0/28", "    presents: 10.1.1.0/28"), ("version: 1", f"{lines}version: 1"))
    assert len(found) == 1_001


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "intent.yaml"
    path.write_text(GOOD)
    monkeypatch.setattr(source, "_refuse_unsuitable", lambda _status: None)
    assert source.read(path) == GOOD
    monkeypatch.setattr(source, "LARGEST_FILE", len(GOOD) - 1)
    with pytest.raises(FaultError, match="too large"):
        source.read(path)
