"""``farshore walk``: options, exit status, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from farshore.cli.main import cli
from farshore.errors import UsageError

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"
SEVERAL = ARTICLE.with_name("several-networks.yaml")


def run(file: Path, origin: str, target: str, *options: str, **environment: str) -> Result:
    """Run the command; errors come out as they do from it, for main() to print."""
    plain = {"COLUMNS": "80", "NO_COLOR": "1", "FORCE_COLOR": None, "TERM": "dumb"}
    arguments = ["walk", str(file), "--from", origin, "--to", target, *options]
    return CliRunner().invoke(cli, arguments, env={**plain, **environment}, catch_exceptions=False)


def test_delivered() -> None:
    done = run(ARTICLE, "customer-a/alice", "portal")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == "✓ delivered: 10 steps without a glitch"


def test_glitched() -> None:
    done = run(ARTICLE, "customer-a/alice", "portal", "--design", "single-nat")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "✗ not delivered: glitches at steps 3 and 6"


def test_refused() -> None:
    done = run(ARTICLE, "customer-b/bill", "portal:tcp/22")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "✗ dropped at step 3, by customer-b/nat"


def calling(tmp_path: Path) -> Path:
    """Return the article's intent, in which the portal may call Alice's tenant."""
    file = tmp_path / "calling.yaml"
    reaches = "  reaches: [{tenant: customer-a, ports: [tcp/22]}]\n  services:\n"
    file.write_text(ARTICLE.read_text(encoding="utf-8").replace("  services:\n", reaches, 1), encoding="utf-8")
    return file


def test_a_call_from_the_provider(tmp_path: Path) -> None:
    done = run(calling(tmp_path), "provider/portal", "customer-a/alice")
    assert done.exit_code == 0
    assert "10.2.2.1:40000 customer-a → 10.1.1.1:22 customer-a" in done.output
    assert done.output.splitlines()[-1] == "✓ delivered: 11 steps without a glitch"


@pytest.mark.parametrize(
    ("target", "by"), [("customer-a/alice:tcp/23", "provider/nat"), ("customer-b/bill", "provider/nat")]
)
def test_a_call_that_is_not_permitted(target: str, by: str, tmp_path: Path) -> None:
    done = run(calling(tmp_path), "provider/portal", target)
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].endswith(f", by {by}")


def test_json() -> None:
    done = run(ARTICLE, "customer-a/alice", "portal", "--design", "single-nat", "--profile", "cisco-ios", "--json")
    found = json.loads(done.output)
    assert done.exit_code == 1
    assert {key: found[key] for key in ("design", "profile", "from", "to", "port", "verdict", "glitches")} == {
        "design": "single-nat",
        "profile": "cisco-ios",
        "from": "customer-a/alice",
        "to": "portal",
        "port": "tcp/443",
        "verdict": "glitched",
        "glitches": [6],
    }
    sixth = found["steps"][5]
    assert (sixth["n"], sixth["at"], sixth["direction"], sixth["ok"]) == (6, "customer-a/ce", "reply", False)
    assert sixth["before"] == {
        "src": {"ip": "10.1.1.1", "realm": "provider"},
        "dst": {"ip": "100.65.0.1", "realm": "provider"},
        "proto": "tcp",
        "sport": 443,
        "dport": 40000,
    }
    assert found["order"]["grade"] == "B"


def test_svg(tmp_path: Path) -> None:
    picture = tmp_path / "walk.svg"
    done = run(ARTICLE, "customer-a/alice", "portal", "--svg", str(picture))
    assert done.exit_code == 0
    assert picture.read_text(encoding="utf-8").startswith("<svg ")


def test_svg_of_a_call_to_a_tenants_host(tmp_path: Path) -> None:
    done = run(calling(tmp_path), "provider/portal", "customer-a/alice", "--svg", "-")
    assert done.exit_code == 0
    assert ">alice</text>" in done.stdout


def test_svg_on_standard_output() -> None:
    done = run(ARTICLE, "customer-a/alice", "portal", "--svg", "-")
    assert done.exit_code == 0
    assert done.stdout.startswith("<svg ")
    assert done.stdout.endswith("</svg>\n")
    with pytest.raises(UsageError, match="--svg - and --json both print to standard output"):
        run(ARTICLE, "customer-a/alice", "portal", "--svg", "-", "--json")


def test_svg_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*: No such file or directory"):
        run(ARTICLE, "customer-a/alice", "portal", "--svg", str(tmp_path / "missing" / "walk.svg"))


def test_a_tenant_that_names_no_host_has_one() -> None:
    assert run(SEVERAL, "branch/host", "tickets").exit_code == 0


def test_from_the_internet() -> None:
    assert run(ARTICLE, "internet/host", "portal:80").exit_code == 0


@pytest.mark.parametrize(
    ("origin", "target", "options", "says"),
    [
        ("customer-a/alise", "portal", (), "no host 'alise' in customer-a; did you mean alice?"),
        ("customer-a", "portal", (), "no host '' in customer-a; known: alice"),
        ("customer-c/alice", "portal", (), "no tenant 'customer-c'; did you mean customer-b or customer-a?"),
        ("customer-a/ce", "portal", (), "no host 'ce' in customer-a; known: alice"),
        ("internet/hots", "portal", (), "no host 'hots' in internet; did you mean host?"),
        (
            "provider/portal",
            "portal",
            (),
            "--to portal: not a host of a tenant; write one such as customer-a/alice:tcp/22",
        ),
        ("customer-a/alice", "protal", (), "no service 'protal'; did you mean portal?"),
        ("customer-a/alice", "portal", ("--profile", "lnux"), "no profile 'lnux'; did you mean linux?"),
        ("customer-a/alice", "portal", ("--design", "laek"), "no design 'laek'; did you mean lake?"),
        ("customer-a/alice", "portal:", (), "'' is not a port; write a number from 1 to 65535"),
        ("customer-a/alice", "portal:0", (), "'0' is not a port"),
        ("customer-a/alice", "portal:65536", (), "'65536' is not a port"),
        ("customer-a/alice", "portal:\u0661", (), "is not a port"),
        ("customer-a/alice", "portal:https", (), "portal offers tcp/443, tcp/80, icmp"),
        ("customer-a/alice", "portal:sctp/443", (), "'sctp/443' is not a port"),
        ("customer-a/alice", "portal:icmp/8", (), "'icmp/8' is not a port"),
        ("customer-a/alice", "portal:/443", (), "'/443' is not a port"),
    ],
)
def test_bad_input(origin: str, target: str, options: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(ARTICLE, origin, target, *options)
    assert says in str(caught.value)
    assert caught.value.exit_status == 2


def test_without_the_internet_there_is_no_host_on_it() -> None:
    with pytest.raises(UsageError, match="no service is published to the Internet"):
        run(SEVERAL, "internet/host", "portal")


def test_realms_have_their_colours() -> None:
    coloured = run(
        ARTICLE, "customer-a/alice", "portal", COLUMNS="120", NO_COLOR="", FORCE_COLOR="1", TERM="xterm", COLORTERM=""
    ).output
    assert "\x1b[34m10.1.1.1:40000\x1b[0m" in coloured  # Alice: indigo
    assert "\x1b[36m100.65.0.1:40000\x1b[0m" in coloured  # the lake
    assert "\x1b[35m10.1.1.1:443\x1b[0m" in coloured  # the portal: plum


def test_help_teaches_with_examples() -> None:
    done = CliRunner().invoke(cli, ["walk", "--help"])
    assert (
        "  farshore walk examples/article.yaml --from customer-a/alice --to portal \\\n      --design single-nat\n"
        in done.output
    )
