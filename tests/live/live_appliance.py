"""The appliance that live tests start: three tenants with equal addresses, and services that learn who calls."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import live_tools

from farshore.conformance.exchanges import Fetched, parsed
from farshore.design.catalogue import build
from farshore.engine.linux import desired_state, engines
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.intent.load import load_text
from farshore.lab.lab_init import caller_identities
from farshore.machine.apply import apply
from farshore.machine.changes import Change
from farshore.machine.world import PRIVATE
from farshore.plan.allocate import allocate
from farshore.traffic import servers

TEXT = """\
version: 1
design: appliance
provider:
  name: acme
  networks: [10.1.1.0/24]
  services:
    portal: {address: 10.1.1.1, ports: [tcp/80, tcp/443], proxy-protocol: v2}
    news: {address: 10.1.1.2, ports: [tcp/80], signed-header: news.key}
    plain: {address: 10.1.1.3, ports: [tcp/80]}
tenants:
  customer-a:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, news, plain]
    hosts: {alice: 10.1.1.1}
  customer-b:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [portal, news, plain]
    hosts: {bill: 10.1.1.1}
    limits: {sessions: 5}
  customer-c:
    networks: [10.1.1.0/24]
    presents: 10.2.2.0/28
    services: [plain]
    hosts: {carl: 10.1.1.1}
    limits: {rate: 2}
"""
ALICE, BILL, HERE = "customer-a/alice", "customer-b/bill", "10.1.1.1"
PORTAL, NEWS, PLAIN = "10.2.2.1", "10.2.2.2", "10.2.2.3"
KEYS = {NodeName("provider/news"): bytes(range(32))}
# Below the world's own /run. By its name a process is told from those of other worlds, which all are in one /proc.
FOLDER = Path("/run/farshore") / secrets.token_hex(6)


def fabric() -> Fabric:
    intent = load_text(TEXT, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan)


def applied(whole: Fabric, folder: Path = FOLDER, keys: Mapping[NodeName, bytes] = KEYS) -> tuple[Change, ...]:
    """Apply everything with both engines, and return the changes. Runs inside."""
    return apply(desired_state(whole), engines(folder, keys), PRIVATE)


def started(whole: Fabric) -> None:
    """Build everything, with servers that answer before the proxy first looks for them. Runs inside."""
    live_tools.build(whole)
    servers.serve(whole.end_systems, caller_identities(whole), KEYS)
    assert [change.what for change in applied(whole)] == ["load proxy configuration"]


def haproxies(folder: Path) -> list[tuple[int, int]]:
    """Return the processes of HAProxy that have a folder: their numbers here, and in their own namespace."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            # From the namespace of this /proc down to the process's own.
            numbers = (path / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
        except (OSError, IndexError):
            continue  # it has ended
        if words[0].endswith(b"haproxy") and any(word.startswith(f"{folder}/".encode()) for word in words):
            found.append((int(numbers[-2]), int(numbers[-1])))
    return sorted(found)


def ask(node: str, destination: str, said: bytes = b"GET / HTTP/1.0\r\n\r\n", port: int = 80) -> Fetched:
    """Say something from a node and return what comes back."""
    answer = b""
    try:
        with live_tools.tcp(node, HERE, 0, destination, port) as flow:
            flow.sendall(said)
            while part := flow.recv(65535):
                answer += part
    except OSError as error:
        return Fetched(None, str(error))
    return parsed(answer)
