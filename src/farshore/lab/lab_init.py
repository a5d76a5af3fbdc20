"""The first process of a lab: it builds the fabric, answers as its services, and stays.

Until the command that started it detaches it, it is tied to that command: when the command ends, however it ends,
this process ends too, and the kernel ends the lab with it.
"""

from __future__ import annotations

import base64
import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from farshore.caller_identity import CallerIdentity, SignedHeader
from farshore.engine.haproxy.configuration import key_variable
from farshore.errors import MachineError
from farshore.fabric import names
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.machine.inside import Channel
from farshore.machine.namespace import namespace_name
from farshore.reporter import Reporter

# Below the lab's own /run, which only its own processes see.
_PROXY_FOLDER = Path("/run/farshore")
_SHORTEST_KEY = 16  # bytes: half of what HMAC-SHA256 makes good use of

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be built.

    Attributes:
        name: the lab's name.
        fabric: the fabric that is built.
        keys: of the services that receive the caller's identity in a signed header, by the names of their nodes.
        own_servers: the nodes of services that something else answers as.
    """

    name: str
    fabric: Fabric
    keys: Mapping[NodeName, bytes] = field(default_factory=dict)
    own_servers: frozenset[str] = frozenset()


class Begin(Enum):
    """What the command sends once the lab is on record, so that "down" finds whatever is built."""

    BEGIN = "begin"


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the fabric is built."""

    done: int
    total: int
    item: str


def lab_init(command: Channel[Progress | None, Begin], job: Job) -> None:
    """Be the first process of a lab: send progress and, when the lab is up, None.

    Raises MachineError or OSError where the lab cannot be built.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    command.receive()
    try:
        _build(command, job)
    except Exception:
        _logger.exception("lab %s cannot be built", job.name)
        raise
    # The first process inherits the lab's orphans. Where it ignores their end, the kernel reaps them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _logger.info("lab %s is up", job.name)
    command.send(None)
    threading.Event().wait()


def _build(command: Channel[Progress | None, Begin], job: Job) -> None:
    # The command, which starts this process, need not load what only this process runs.
    from farshore.engine.haproxy.process import Appliance
    from farshore.engine.nftables.desired import compile_fabric
    from farshore.engine.nftables.engine import Nftables
    from farshore.machine.apply import apply
    from farshore.machine.world import PRIVATE
    from farshore.traffic import servers

    _logger.info("building lab %s: %d nodes, design %s", job.name, len(job.fabric.nodes), job.fabric.design)
    apply(compile_fabric(job.fabric), (Nftables(),), PRIVATE, _Passing(command))
    answering = tuple(node for node in job.fabric.end_systems if node.name not in job.own_servers)
    servers.serve(answering, caller_identities(job.fabric), job.keys)
    for proxy in job.fabric.proxies:
        appliance = Appliance(_PROXY_FOLDER / namespace_name(proxy.name))
        appliance.apply(proxy, proxy_environment(job.keys))


class _Passing(Reporter):
    """Passes the engine's progress on to the command that waits for the lab."""

    def __init__(self, command: Channel[Progress | None, Begin]) -> None:
        self._command = command

    def advanced(self, done: int, total: int, item: str = "") -> None:
        self._command.send(Progress(done, total, item))


# --- the services' keys ----------------------------------------------------------------------------


def caller_identities(fabric: Fabric) -> Mapping[NodeName, CallerIdentity]:
    """Return how services receive the caller's identity, by the names of their nodes."""
    fronts = (front for proxy in fabric.proxies for front in proxy.fronts)
    return {
        names.service(front.service): front.caller_identity for front in fronts if front.caller_identity is not None
    }


def read_keys(fabric: Fabric, intent: Path) -> Mapping[NodeName, bytes]:
    """Read the keys that a fabric needs; their files are named relative to the intent's.

    Raises MachineError where one cannot be read, or is too short to be a secret.
    """
    found = {}
    for node, identity in caller_identities(fabric).items():
        if isinstance(identity, SignedHeader):
            path = intent.parent / identity.key_file
            fix = f"make one: (umask 077; head -c 32 /dev/urandom > {path})"
            try:
                key = path.read_bytes()
            except OSError as error:
                raise MachineError(f"the key of {node}, {path}, cannot be read ({error.strerror}); {fix}") from error
            if len(key) < _SHORTEST_KEY:
                raise MachineError(
                    f"the key of {node}, {path}, has {len(key)} bytes of at least {_SHORTEST_KEY}; {fix}"
                )
            found[node] = key
    return found


def proxy_environment(keys: Mapping[NodeName, bytes]) -> Mapping[str, str]:
    """Return the environment variables in which a proxy finds the keys."""
    return {key_variable(node.local): base64.b64encode(key).decode() for node, key in keys.items()}
