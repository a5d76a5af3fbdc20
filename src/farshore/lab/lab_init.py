"""The first process of a lab: it builds the fabric, answers as its services, stays, and changes them on request.

Until the command that started it detaches it, it is tied to that command: when the command ends, however it ends,
this process ends too, and the kernel ends the lab with it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farshore.caller_identity import CallerIdentity, SignedHeader
from farshore.errors import MachineError
from farshore.fabric import names
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName
from farshore.machine.cycle import NEVER, Status
from farshore.machine.exhaustion import raise_descriptor_limit
from farshore.machine.inside import Channel
from farshore.private_files import read_secret
from farshore.reporter import Reporter

if TYPE_CHECKING:
    from farshore.machine.changes import Change
    from farshore.machine.engine import Engine
    from farshore.traffic.servers import Offer

# Below the lab's own /run, which only its own processes see.
_FOLDER = Path("/run/farshore")
SOCKET = _FOLDER / "lab" / "socket"
# In bytes: from half of what HMAC-SHA256 makes good use of to what surely is a key, and no other file.
_KEY_SIZES = range(16, 4096 + 1)

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
    keys: Mapping[NodeName, bytes] = field(default_factory=dict, repr=False)
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


class Passing(Reporter):
    """Passes the machine's progress on to the command that waits for it."""

    def __init__(self, command: Channel[Any, Any]) -> None:
        """Pass progress on by a channel."""
        self._command = command

    def advanced(self, done: int, total: int, item: str = "") -> None:
        """Send how much is done."""
        self._command.send(Progress(done, total, item))


class Order(Enum):
    """What a process in the lab can ask of the first one."""

    LOOK = "look"  # what the job is, and what it would do for another
    CLAIM = "claim"  # be the one process that changes the lab, as long as the connection stands
    WITHDRAW = "withdraw"  # make the job another, and end what it has no place for
    PROVIDE = "provide"  # begin what the job asks for
    NOTE = "note"  # keep which nodes could not be changed, until the next such word


@dataclass(frozen=True, slots=True)
class Request:
    """An order. ``job`` is the one that the lab is to have, None for the one that it has; ``status`` is to be kept."""

    order: Order
    job: Job | None = None
    status: Status = NEVER


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first process says.

    Attributes:
        job: the job that it has.
        changes: what it does for a job, of servers.
        changing: whether a process is about to change the lab.
        status: how each node fared when it was last changed.
        failures: why servers could not begin, by their nodes.
        refusal: why an order could not be carried out, empty where it was.
    """

    job: Job
    changes: tuple[Change, ...] = ()
    changing: bool = False
    status: Status = NEVER
    failures: Mapping[NodeName, str] = field(default_factory=dict)
    refusal: str = ""


def lab_init(command: Channel[Progress | None, Begin], job: Job) -> None:
    """Be the first process of a lab: send progress and, when the lab is up, None.

    Raises MachineError or OSError where the lab cannot be built.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    command.receive()
    raise_descriptor_limit()  # for the servers, and for a proxy that inherits it
    try:
        first = _FirstProcess(job)
        first.build(command)
        listener = first.listen()
    except Exception:
        _logger.exception("lab %s cannot be built", job.name)
        raise
    # The first process inherits the lab's orphans. Where it ignores their end, the kernel reaps them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _logger.info("lab %s is up", job.name)
    command.send(None)
    while True:
        connection = listener.accept()
        threading.Thread(target=first.serve, args=(connection,), daemon=True).start()


class _FirstProcess:
    """The lab's servers, and the job that they are held for."""

    def __init__(self, job: Job) -> None:
        # The command, which starts this process, need not load what only this process runs.
        from farshore.lab.services import Services

        self._job = job
        self._status = NEVER
        self._services = Services()
        self._changing = threading.Lock()

    def build(self, command: Channel[Progress | None, Begin]) -> None:
        from farshore.engine.linux import desired_state
        from farshore.lab.services import ServersFirst
        from farshore.machine.apply import apply
        from farshore.machine.world import PRIVATE

        fabric = self._job.fabric
        _logger.info("building lab %s: %d nodes, design %s", self._job.name, len(fabric.nodes), fabric.design)
        apply(desired_state(fabric), engines_of(self._job), PRIVATE, Passing(command), ServersFirst(self._provide))
        self._provide()

    def _provide(self) -> None:
        if failures := self._services.provide(desired_services(self._job)):
            raise MachineError("; ".join(failures.values()))

    def listen(self) -> Listener:
        """Open the socket. Only this user's processes in the lab find it, below the lab's own /run."""
        SOCKET.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Listener(str(SOCKET), "AF_UNIX")

    def serve(self, connection: Connection[Any, Any]) -> None:
        """Answer a process of the lab until it closes its connection, or ends."""
        with contextlib.ExitStack() as claims:
            claims.enter_context(connection)
            with contextlib.suppress(EOFError, OSError):
                while True:
                    connection.send(self._answer(connection.recv(), claims))

    def _answer(self, request: Request, claims: contextlib.ExitStack) -> Answer:
        job = self._job if request.job is None else replace(request.job, own_servers=self._job.own_servers)
        try:
            desired = desired_services(job)
            match request.order:
                case Order.LOOK:
                    return Answer(self._job, self._services.difference(desired), self._changing.locked(), self._status)
                case Order.CLAIM:
                    claims.enter_context(self._changing)
                case Order.WITHDRAW:
                    self._job = job
                    self._services.withdraw(desired)
                case Order.PROVIDE:
                    return Answer(self._job, failures=self._services.provide(desired))
                case Order.NOTE:
                    self._status = request.status
        except (MachineError, OSError) as error:
            _logger.exception("the lab's servers cannot be changed")
            return Answer(self._job, refusal=str(error))
        return Answer(self._job)


def desired_services(job: Job) -> tuple[Offer, ...]:
    """Return what the servers of a job answer on."""
    from farshore.traffic.servers import offers

    answering = tuple(node for node in job.fabric.end_systems if node.name not in job.own_servers)
    return offers(answering, caller_identities(job.fabric), job.keys)


def engines_of(job: Job) -> tuple[Engine, ...]:
    """Return the engines that load a job's fabric, inside the lab."""
    from farshore.engine.linux import engines

    return engines(_FOLDER / "proxies", job.keys)


# --- the services' keys ----------------------------------------------------------------------------


def caller_identities(fabric: Fabric) -> Mapping[NodeName, CallerIdentity]:
    """Return how services receive the caller's identity, by the names of their nodes."""
    fronts = (front for proxy in fabric.proxies for front in proxy.fronts)
    return {
        names.service(front.service): front.caller_identity for front in fronts if front.caller_identity is not None
    }


def read_keys(fabric: Fabric, intent: Path) -> Mapping[NodeName, bytes]:
    """Read the keys that a fabric needs; their files are named relative to the intent's.

    Raises MachineError where one cannot be read, is not of a secret's size, or is open to other users.
    """
    found = {}
    for node, identity in caller_identities(fabric).items():
        if isinstance(identity, SignedHeader):
            found[node] = read_secret(intent.parent / identity.key_file, f"the key of {node}", _KEY_SIZES)
    return found
