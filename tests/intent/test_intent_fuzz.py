"""Whatever a file holds, reading it gives diagnostics or an intent, and never raises."""

from __future__ import annotations

import random
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from farshore.errors import Severity
from farshore.intent.load import load_text

GOOD = (Path(__file__).parents[2] / "examples" / "article.yaml").read_text(encoding="utf-8")
EVERY_KEY = """\
version: 1
design: lake
provider:
  name: acme
  networks: [10.1.1.0/24]
  hosts: {monitor: 10.1.1.9, backup: 10.1.1.10}
  reaches:
    - {tenant: customer-a, ports: [tcp/22, icmp]}
    - tenant: customer-b
      ports: [udp/161]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/443], proxy-protocol: v2, design: appliance}
    news: {address: 10.1.1.2, ports: [tcp/80], signed-header: keys/news.key, design: appliance}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal]
    limits: {sessions: 5, rate: 100}
    design: lake
  customer-b: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [portal, news]}
"""
PIECES = [
    *("version", "provider", "name", "networks", "lake", "source", "services", "address", "ports", "dns", "internet"),
    *("tenants", "presents", "sources", "hosts", "limits", "sessions", "pool", "prefix", "host", "keep", "customer-a"),
    *("design", "appliance", "last-hop", "reaches", "tenant", "rate", "proxy-protocol", "v2", "signed-header"),
    *("10.1.1.0/24", "10.1.1.1", "100.64.0.0/10", "0.0.0.0/0", "::1", "tcp/443", "icmp", "1", "010", "1:30", "null"),
    *(
        "~",
        "",
        "yes",
        "'",
        '"',
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "#",
        "&a",
        "*a",
        "!!x",
    ),
    *(
        "---",
        "...",
        "%YAML 1.2",
        "? ",
        "|",
        ">",
        "<<",
        "\t",
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ud800",
        "\U0001d11e",
    ),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(PIECES)
STRUCTURES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=25
)
KEYS = st.sampled_from(PIECES[:31])
SHAPED = st.recursive(
    st.sampled_from(PIECES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


def survives(text: str) -> None:
    loaded = load_text(text, "fuzz.yaml")
    refused = any(each.severity is Severity.ERROR for each in loaded.diagnostics)
    assert refused == (loaded.intent is None)
    assert list(loaded.diagnostics) == sorted(loaded.diagnostics, key=lambda each: each.position)
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for each in loaded.diagnostics:
        assert "\n" not in str(each)
        assert str(each).isprintable()
        assert 1 <= each.position.line <= len(lines)
        assert 1 <= each.position.column <= len(lines[each.position.line - 1]) + 1


def test_the_good_files_are_good() -> None:
    assert all(load_text(text, "good.yaml").intent is not None for text in (GOOD, EVERY_KEY))


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200))
def test_text(text: str) -> None:
    survives(text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_pieces(pieces: list[str]) -> None:
    survives("".join(pieces))


@settings(deadline=None)
@given(STRUCTURES)
def test_structures(structure: object) -> None:
    survives(yaml.safe_dump(structure, allow_unicode=True))


@settings(deadline=None)
@given(SHAPED, SHAPED)
def test_shaped_structures(provider: object, tenants: object) -> None:
    survives(yaml.safe_dump({"version": 1, "provider": provider, "tenants": {"a": tenants, "b": provider}}))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutations_of_a_good_file(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([GOOD, EVERY_KEY]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        text = text[:start] + data.draw(st.sampled_from([*PIECES, ""])) + text[start + length :]
    survives(text)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_lines_of_a_good_file_shuffled(chance: random.Random) -> None:
    lines = chance.choice([GOOD, EVERY_KEY]).splitlines()
    for _ in range(3):
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    survives("\n".join(lines))
