"""HAProxy in the machine's own namespaces, with no world around: it outlives its starter, and ends by an unload."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import live_tools
import pytest
from live_appliance import haproxies

from farshore.engine.haproxy import master
from farshore.engine.haproxy.engine import Haproxy
from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine.engine import NOTHING, Reading
from farshore.machine.namespace import namespace_name
from farshore.machine.world import MACHINE

pytestmark = pytest.mark.kernel

TEXT = """\
global
    fd-hard-limit 1000

defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m

frontend customer.service
    bind 127.0.0.1:{port} namespace {namespace}
    default_backend service.9

backend service.9
    server service 127.0.0.1:9
"""
# Loads in a process of its own, which ends as a command does.
LOADING = """
import sys
from pathlib import Path
from farshore.engine.haproxy.engine import Haproxy
from farshore.machine.world import MACHINE
folder, node, text = sys.argv[1:]
Haproxy(Path(folder), {}).load(MACHINE, {node: text}, in_use=False)
"""


@pytest.fixture
def node() -> Iterator[NodeName]:
    """Return a node whose namespace is one of the machine's own, by a name that no other has."""
    if os.geteuid() != 0:
        pytest.skip("only root may have named namespaces on the machine itself")
    made = NodeName(f"farshore-test-{secrets.token_hex(4)}/proxy")
    try:
        MACHINE.create(namespace_name(made))
    except OSError as error:
        pytest.skip(f"this machine lets nobody create a named namespace: {error}")
    try:
        ip = ["/usr/sbin/ip", "-n", namespace_name(made), "link", "set", "lo", "up"]
        subprocess.run(ip, check=True)
        yield made
    finally:
        MACHINE.delete(namespace_name(made))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short name: the path of a socket has an end."""
    with tempfile.TemporaryDirectory(prefix="fs-") as made:
        yield Path(made) / "p"


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[Haproxy]:
    """Yield an engine, of which nothing is left."""
    try:
        master.program()
    except MachineError as error:
        pytest.skip(str(error))
    made = Haproxy(folder, {})
    try:
        yield made
    finally:
        made.unload(MACHINE, made.held())


def text(node: NodeName, port: int) -> str:
    return TEXT.format(port=port, namespace=namespace_name(node))


def connected(node: NodeName, port: int) -> socket.socket:
    with MACHINE.entered(namespace_name(node)):
        return socket.create_connection(("127.0.0.1", port), timeout=live_tools.PATIENCE)


def reading(engine: Haproxy, node: NodeName) -> Reading:
    return engine.read(MACHINE, [node])[node]


def test_it_outlives_its_starter_and_ends_by_an_unload(node: NodeName, folder: Path) -> None:
    with loading(folder) as engine:
        assert reading(engine, node) == NOTHING
        subprocess.run([sys.executable, "-c", LOADING, str(folder), node, text(node, 8001)], check=True)
        assert reading(engine, node) == Reading(engine.digest(text(node, 8001)))
        assert len(haproxies(folder)) == 2
        with connected(node, 8001):
            engine.load(MACHINE, {node: text(node, 8002)}, in_use=True)
            assert reading(engine, node) == Reading(engine.digest(text(node, 8002)))
            connected(node, 8002).close()
            with pytest.raises(ConnectionRefusedError):
                connected(node, 8001)
        engine.unload(MACHINE, [node])
        assert reading(engine, node) == NOTHING
        assert haproxies(folder) == []
        assert engine.held() == frozenset()
