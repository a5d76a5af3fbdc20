"""Good intent files: every form of every key, and the position of every value."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from farshore.errors import Position, Severity
from farshore.intent.load import Loaded, collisions, load, load_text
from farshore.intent.model import Host, Intent, Mode, Network, Provider, Service, Subscription, Tenant
from farshore.port import Port, Protocol
from farshore.realm import INTERNET, LAKE, PROVIDER, Address, Prefix, tenant_realm

ARTICLE = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]            # in use inside the provider
  lake: 100.64.0.0/10                # default; checked against everything else
  source: keep                       # keep the lake source, or a list of provider prefixes to translate it into
services_go_here
tenants:
  customer-a:
    networks: [10.1.1.0/24]          # in use behind its WAN
    presents: 10.2.2.0/28            # given by its admins for provider services
    sources: prefix                  # how its hosts appear in the lake, see below
    services: [portal]               # or {portal: 10.2.2.1} to pin the presented address
    hosts: {alice: 10.1.1.1}         # named hosts: for walks and labs
    limits: {sessions: 50000}
""".replace(
    "services_go_here",
    """  services:
    portal: {address: 10.1.1.1, ports: [tcp/443, tcp/80, icmp], dns: portal.acme.example, internet: 203.0.113.10}""",
)
A = tenant_realm("customer-a")


def good(text: str) -> Intent:
    loaded = load_text(text, "intent.yaml")
    assert [str(each) for each in loaded.diagnostics if each.severity is Severity.ERROR] == []
    assert loaded.intent is not None
    return loaded.intent


def changed(*changes: tuple[str, str]) -> Intent:
    text = ARTICLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return good(text)


def tenant(*changes: tuple[str, str]) -> Tenant:
    return changed(*changes).tenants["customer-a"]


def ipv4(text: str) -> IPv4Address:
    return IPv4Address(text)


def network(text: str) -> IPv4Network:
    return IPv4Network(text)


def test_the_article() -> None:
    portal = Service(
        "portal",
        Address(PROVIDER, ipv4("10.1.1.1")),
        (Port(Protocol.TCP, 443), Port(Protocol.TCP, 80), Port(Protocol.ICMP)),
        "portal.acme.example",
        Address(INTERNET, ipv4("203.0.113.10")),
    )
    provider = Provider(
        "acme",
        (Prefix(PROVIDER, network("10.1.1.0/24")),),
        Prefix(LAKE, network("100.64.0.0/10")),
        (),
        {"portal": portal},
    )
    customer_a = Tenant(
        "customer-a",
        A,
        (Network(Prefix(A, network("10.1.1.0/24")), Mode.PREFIX),),
        Prefix(A, network("10.2.2.0/28")),
        (Subscription("portal"),),
        (Host("alice", Address(A, ipv4("10.1.1.1"))),),
        50000,
    )
    assert good(ARTICLE) == Intent("intent.yaml", provider, {"customer-a": customer_a})


def test_only_what_is_required() -> None:
    intent = good(
        "version: 1\n"
        "provider: {name: acme, networks: [10.1.1.0/24], services: {portal: {address: 10.1.1.1, ports: [icmp]}}}\n"
        "tenants: {a: {networks: [10.1.1.0/24]}}\n"
    )
    assert intent.provider.lake.network == network("100.64.0.0/10")
    assert intent.provider.source == ()
    assert intent.tenants["a"] == Tenant(
        "a",
        tenant_realm("a"),
        (Network(Prefix(tenant_realm("a"), network("10.1.1.0/24")), Mode.PREFIX),),
        None,
        (),
        (),
    )


@pytest.mark.parametrize(
    ("sources", "mode", "size"), [("prefix", Mode.PREFIX, 0), ("host", Mode.HOST, 0), ("{pool: 2}", Mode.POOL, 2)]
)
def test_one_source_mode(sources: str, mode: Mode, size: int) -> None:
    (only,) = tenant(("sources: prefix", f"sources: {sources}")).networks
    assert (only.mode, only.pool_size) == (mode, size)


def test_a_source_mode_for_each_network() -> None:
    found = tenant(
        ("    networks: [10.1.1.0/24]", "    networks: [10.1.1.0/24, 10.7.0.0/16, 10.8.0.0/24]"),
        ("sources: prefix", "sources: {10.7.0.0/16: {pool: 64}, 10.1.1.0/24: host}"),
    ).networks
    assert [(each.mode, each.pool_size) for each in found] == [(Mode.HOST, 0), (Mode.POOL, 64), (Mode.PREFIX, 0)]
    assert [each.mode_position for each in found] == [Position(13, 53), Position(13, 28), found[2].position]


@pytest.mark.parametrize("pin", ["10.2.2.9", "'10.2.2.9'"])
def test_pinned_addresses(pin: str) -> None:
    (only,) = tenant(("[portal] ", f"{{portal: {pin}}}")).subscriptions
    assert only == Subscription("portal", Address(A, ipv4("10.2.2.9")))


@pytest.mark.parametrize("nothing", ["", "null", "~", "Null"])
def test_services_as_a_mapping_without_pins(nothing: str) -> None:
    assert tenant(("[portal] ", f"{{portal: {nothing}}}")).subscriptions == (Subscription("portal"),)


def test_a_source_of_the_provider() -> None:
    provider = changed(("source: keep", "source: [10.9.0.0/16, 10.10.0.0/24]")).provider
    assert [str(each) for each in provider.source] == ["10.9.0.0/16 (provider)", "10.10.0.0/24 (provider)"]
    assert provider.source_positions == (Position(6, 12), Position(6, 25))
    assert provider.source_position == Position(6, 11)


@pytest.mark.parametrize("name", ["on", "no", "y", "123", "1e3", "0x10", "2024-01-01", "0o17", "010", "true", "a" * 63])
def test_names_are_strings_whatever_yaml_takes_them_for(name: str) -> None:
    intent = changed(("portal: {", f"{name}: {{"), ("[portal]", f"[{name}]"), ("alice", name), ("customer-a", name))
    assert list(intent.tenants) == [name]
    assert list(intent.provider.services) == [name]
    assert intent.tenants[name].subscriptions[0].service == name
    assert intent.tenants[name].hosts[0].name == name


def test_other_realms_may_use_the_same_addresses() -> None:
    text = ARTICLE + ARTICLE[ARTICLE.index("  customer-a:") :].replace("customer-a", "customer-b")
    intent = good(
        text.replace("presents: 10.2.2.0/28", "presents: 10.1.2.0/28").replace("[10.1.1.0/24] ", "[10.1.1.0/24]")
    )
    assert intent.tenants["customer-a"].presents is not None
    # The presented range may be one that the provider uses, service addresses and all.
    overlapping = changed(
        ("    networks: [10.1.1.0/24] ", "    networks: [10.3.0.0/24] "),
        ("10.2.2.0/28", "10.1.1.0/28"),
        ("alice: 10.1.1.1", "alice: 10.3.0.1"),
    )
    assert overlapping.tenants["customer-a"].presents == Prefix(A, network("10.1.1.0/28"))


def test_positions() -> None:
    intent = good(ARTICLE)
    provider, alice = intent.provider, intent.tenants["customer-a"]
    portal = provider.services["portal"]
    assert (provider.position, provider.lake_position, provider.source_position) == (
        Position(2, 1),
        Position(5, 9),
        Position(6, 11),
    )
    assert provider.network_positions == (Position(4, 14),)
    assert (portal.position, portal.address_position, portal.internet_position) == (
        Position(8, 5),
        Position(8, 23),
        Position(8, 101),
    )
    assert portal.port_positions == (Position(8, 41), Position(8, 50), Position(8, 58))
    assert (alice.position, alice.presents_position) == (Position(10, 3), Position(12, 15))
    assert (alice.networks[0].position, alice.networks[0].mode_position) == (Position(11, 16), Position(13, 14))
    assert (alice.hosts[0].position, alice.hosts[0].address_position) == (Position(15, 13), Position(15, 20))
    assert alice.subscriptions[0].position == Position(14, 16)


def test_columns_count_characters() -> None:
    loaded = load_text(ARTICLE.replace("name: acme", "name: 'ä→𝄞' "), "intent.yaml")
    assert [each.position for each in loaded.diagnostics if each.severity is Severity.ERROR] == [Position(3, 9)]
    loaded = load_text(ARTICLE.replace("alice:", "𝄞𝄞: 10.1.1.2, alice:"), "intent.yaml")
    assert [each.position for each in loaded.diagnostics if each.severity is Severity.ERROR] == [Position(15, 13)]


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_and_byte_order_mark(mark: str, line_end: str, tmp_path: Path) -> None:
    path = tmp_path / "intent.yaml"
    path.write_bytes((mark + ARTICLE.replace("\n", line_end)).encode())
    loaded = load(path)
    assert loaded.intent is not None
    assert loaded.intent.tenants["customer-a"].presents_position == Position(12, 15)


# Without the domain names, of which a file is warned once.
NAMELESS = re.sub(r", dns: [a-z.-]+", "", ARTICLE)


def warnings(loaded: Loaded) -> list[str]:
    return [str(each) for each in loaded.diagnostics if each.severity is Severity.WARNING]


def test_it_warns_once_of_known_users_of_shared_space() -> None:
    expected = (
        "warning W0301: lake 100.64.0.0/10 is in shared address space (RFC 6598), used by carrier-grade NAT, Tailscale"
        " and some clouds; where no one else uses it, write lake-acknowledged: true in provider, or set another lake"
    )
    written, default = load_text(NAMELESS, "i"), load_text(NAMELESS.replace("  lake: 100.64.0.0/10", "  #"), "i")
    assert warnings(written) == [f"i:5:9: {expected}"]
    assert warnings(default) == [f"i:2:1: {expected}"]
    assert written.intent is not None
    assert default.intent is not None


def test_it_does_not_warn_of_a_quiet_lake() -> None:
    assert load_text(NAMELESS.replace("100.64.0.0/10", "198.18.0.0/15"), "i").diagnostics == ()


@pytest.mark.parametrize("lake", ["100.64.0.0/10", "172.16.0.0/12", "8.0.0.0/8"])
def test_it_does_not_warn_of_a_lake_that_is_acknowledged(lake: str) -> None:
    text = NAMELESS.replace("lake: 100.64.0.0/10", f"lake: {lake}\n  lake-acknowledged: true")
    assert load_text(text, "i").diagnostics == ()


@pytest.mark.parametrize(
    ("lake", "code"), [("100.0.0.0/9", "W0303"), ("10.0.0.0/7", "W0303"), ("172.16.0.0/12", "W0302")]
)
def test_it_warns_once_of_a_lake_in_two_sorts_of_space(lake: str, code: str) -> None:
    text = NAMELESS.replace("100.64.0.0/10", lake).replace("10.1.1.", "192.168.1.").replace("10.2.2.", "192.168.2.")
    assert [str(each.code) for each in load_text(text, "i").diagnostics] == [code]


def test_it_warns_of_a_source_in_public_space_unless_it_is_one_of_the_networks() -> None:
    text = NAMELESS.replace("100.64.0.0/10", "198.18.0.0/15").replace("source: keep", "source: [8.8.0.0/16]")
    (warning,) = load_text(text, "i").diagnostics
    assert (str(warning.code), warning.position) == ("W0304", Position(6, 12))
    assert "provider's source 8.8.0.0/16 is in public address space" in warning.problem
    own = text.replace("networks: [10.1.1.0/24]", "networks: [10.1.1.0/24, 8.8.0.0/16]", 1)
    assert load_text(own, "i").diagnostics == ()


def test_it_says_once_that_names_are_not_served() -> None:
    quiet = ARTICLE.replace("100.64.0.0/10", "198.18.0.0/15")
    (warning,) = load_text(quiet, "i").diagnostics
    assert str(warning.code) == "W0305"
    assert "portal.acme.example is not served" in warning.problem


def test_collisions_of_an_intent_are_those_of_its_file() -> None:
    loaded = load_text(ARTICLE, "i")
    assert loaded.intent is not None
    assert collisions(loaded.intent) == loaded.diagnostics


def test_an_unreadable_lake_collides_with_nothing() -> None:
    text = NAMELESS.replace("lake: 100.64.0.0/10", "lake: 198.18.0.0").replace(
        "[10.1.1.0/24] ", "[10.1.1.0/24, 100.64.0.0/24]"
    )
    loaded = load_text(text, "i")
    assert [each.position for each in loaded.diagnostics] == [Position(5, 9)]


@pytest.mark.parametrize(
    "example", sorted((Path(__file__).parents[2] / "examples").glob("**/*.yaml")), ids=lambda path: path.stem
)
def test_the_examples(example: Path) -> None:
    assert load(example).intent is not None
