"""Warnings of ports with protocols that need more than their port, for services and for tenants' hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.intent.check.protocols import DEMANDING
from farshore.intent.load import load_text
from farshore.port import Port, Protocol

SERVICE = """\
version: 1
provider:
  name: acme
  networks: [10.1.1.0/24]
  lake-acknowledged: true
  services:
    files: {address: 10.1.1.1, ports: [PORTS]}
tenants:
  customer-a: {networks: [10.1.1.0/24], presents: 10.2.2.0/28, services: [files], hosts: {alice: 10.1.1.1}}
"""
REACH = SERVICE.replace("PORTS", "tcp/443").replace(
    "  services:\n", "  reaches: [{tenant: customer-a, ports: [PORTS]}]\n  services:\n", 1
)
FORMS = {"service files": SERVICE, "provider: reaches customer-a": REACH}


def warnings(form: str, *ports: str | Port) -> list[Diagnostic]:
    loaded = load_text(form.replace("PORTS", ", ".join(map(str, ports))), "i")
    assert loaded.intent is not None, loaded.diagnostics
    assert all(each.code is DiagnosticCode.PORT_ALONE_NOT_ENOUGH for each in loaded.diagnostics)
    return list(loaded.diagnostics)


def test_a_message() -> None:
    (found,) = warnings(SERVICE, "tcp/443", "udp/69")
    assert str(found) == (
        "i:7:49: warning W0402: service files: TFTP needs more than udp/69: the server answers from a new port and is "
        "dropped; have it answer from port 69 (dnsmasq: tftp-single-port), or use HTTP or SFTP"
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("port", DEMANDING, ids=str)
def test_each_port_is_warned_of_once(form: str, port: Port) -> None:
    (found,) = warnings(form, "tcp/22", port)
    (subject,) = (name for name, text in FORMS.items() if text is form)
    assert found.problem.startswith(f"{subject}: {DEMANDING[port].name} needs more than {port}: ")
    line = form.replace("PORTS", f"tcp/22, {port}").splitlines()[found.position.line - 1]
    assert line[found.position.column - 1 :].startswith(str(port))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(
    ("ports", "left"),
    [
        (("tcp/21", "tcp/50000"), 0),
        (("tcp/21", "udp/50000"), 1),
        (("tcp/21", "tcp/20"), 1),
        (("tcp/21", "tcp/5060"), 2),
        (("tcp/111", "udp/111", "tcp/2049", "tcp/20048"), 0),
        (("tcp/111", "tcp/2049"), 1),
        (("udp/500", "udp/4500"), 0),
        (("udp/500", "tcp/4500"), 1),
        (("udp/69", "udp/50000", "tcp/50000"), 1),
        (("tcp/5060", "udp/5060", "udp/16384", "udp/16385", "udp/16386"), 2),
        (("tcp/2049", "udp/4500", "tcp/990", "icmp"), 0),
    ],
    ids=str,
)
def test_what_else_is_listed_counts(form: str, ports: tuple[str, ...], left: int) -> None:
    assert len(warnings(form, *ports)) == left


@given(
    st.lists(
        st.sampled_from(sorted(DEMANDING))
        | st.builds(Port, st.sampled_from((Protocol.TCP, Protocol.UDP)), st.integers(1, 65535)),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_further_ports_never_add_a_warning_of_another(ports: list[Port]) -> None:
    """Each warning is about a port of the table, and goes by what the list has besides."""
    warned = [each.problem for each in warnings(SERVICE, *ports)]
    assert len(warned) <= sum(port in DEMANDING for port in ports)
    for number, port in enumerate(ports):
        fewer = warnings(SERVICE, *(ports[:number] + ports[number + 1 :] or ["tcp/443"]))
        missing = set(warned) - {each.problem for each in fewer}
        assert all(f"needs more than {port}:" in problem for problem in missing)
