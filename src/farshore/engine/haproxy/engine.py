"""The engine of proxies: an HAProxy for each node that holds a proxy's configuration."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from farshore.engine.haproxy import master
from farshore.engine.haproxy.configuration import (
    ENGINE_NAME,
    lacking_keys,
    listening,
    with_keys,
    without_listening,
    written,
)
from farshore.engine.haproxy.master import Home, Master
from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine.engine import NOTHING, Configurations, Engine, Reading
from farshore.machine.namespace import Namespaces, namespace_name, node_name

_PATIENCE = 60.0  # seconds until what starts serves, or has ended
_POLL = 0.01
_NUMBER = re.compile(r"^# namespace (\S+) (\d+)$", re.MULTILINE)
_PARTLY = "partly"  # ends the description of a configuration that only leads to another
_NOBODY = "nobody"
_ALL_USERS = 2**32 - 1
# A connection stays with the worker that has it, however often the master reloads.
_RELOADS_SURVIVED = 1_000_000


class Haproxy(Engine):
    """Runs proxies. A node has one at most, and its connections outlast every load of another configuration."""

    def __init__(self, folder: Path, keys: Mapping[str, bytes]) -> None:
        """Keep what each HAProxy needs in a folder that only this user may read.

        ``keys`` are those of signed headers, by the names of the services. They stand in no text but HAProxy's own.
        """
        self._folder = folder
        self._keys = keys
        self._started: dict[NodeName, subprocess.Popen[bytes]] = {}

    @property
    def name(self) -> str:
        """Return the name by which a desired state holds configurations of proxies."""
        return ENGINE_NAME

    @property
    def noun(self) -> str:
        """Return what its configurations are called."""
        return "proxy configuration"

    @property
    def needs_links(self) -> bool:
        """Return that HAProxy binds to the addresses of links."""
        return True

    def digest(self, configuration: str) -> str:
        """Return what tells a configuration, its keys included, from every other."""
        return hashlib.sha256(with_keys(configuration, self._keys).encode()).hexdigest()

    def units(self, nodes: Iterable[NodeName]) -> Iterator[frozenset[NodeName]]:
        """Yield each node by itself."""
        return (frozenset({node}) for node in nodes)

    def held(self) -> frozenset[NodeName]:
        """Return the nodes that have an HAProxy, or something that one has left."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset(node_name(path.name) for path in self._folder.iterdir())
        return frozenset()

    def check(self, namespaces: Namespaces, configurations: Configurations) -> None:
        """Have HAProxy check configurations where they are to be loaded: namespaces in which they listen are there."""
        for node, configuration in configurations.items():
            home = self._home(node, make=True)
            self._check(home, namespaces, node, self._whole(namespaces, node, configuration)[0])

    def read(
        self,
        namespaces: Namespaces,
        nodes: Collection[NodeName],
        *,
        full: bool = False,  # noqa: ARG002 - HAProxy is asked each time
    ) -> Mapping[NodeName, Reading]:
        """Return what each node's HAProxy serves: of one that does not live, nothing."""
        held = self.held()
        return {node: self._read(namespaces, node) if node in held else NOTHING for node in nodes}

    def load(
        self,
        namespaces: Namespaces,
        configurations: Configurations,
        *,
        in_use: bool,  # noqa: ARG002 - seen from what lives
    ) -> None:
        """Have HAProxy serve configurations, each checked first. Where it does not, it goes on with what it had."""
        for node, configuration in configurations.items():
            home = self._home(node, make=True)
            text, description = self._whole(namespaces, node, configuration)
            self._check(home, namespaces, node, text)
            before = home.read()
            home.write(text)
            try:
                self._serve(home, namespaces, node, text, description)
                master.write_private(home.served, text)
            except (MachineError, OSError) as error:
                home.write(before) if before is not None else home.configuration.unlink()
                raise MachineError(self._without_keys(str(error))) from None

    def unload(self, namespaces: Namespaces, nodes: Collection[NodeName], surplus: Collection[str] = ()) -> None:  # noqa: ARG002 - there is one HAProxy, and nothing beside it
        """End each node's HAProxy with all its connections, and remove its folder."""
        for node in nodes:
            home = self._home(node)
            self._end(home, node)
            shutil.rmtree(home.folder, ignore_errors=False)

    # --- what runs ---

    def _read(self, namespaces: Namespaces, node: NodeName) -> Reading:
        home = self._home(node)
        if (process := self._started.get(node)) is not None:
            process.poll()
        if not home.is_alive():
            return NOTHING
        with master.found(home) as running:
            serving: tuple[str, ...] = ()
            if running is not None:
                with contextlib.suppress(OSError):  # it hangs
                    serving = running.state().serving
        if not serving:
            return Reading("")
        digest, _, where = serving[0].partition(" ")
        return Reading(digest, where == _where(namespaces, node, home.read() or ""))

    def _serve(self, home: Home, namespaces: Namespaces, node: NodeName, text: str, description: str) -> None:
        """Have HAProxy serve what is in place: by a reload, or a start where none lives that could."""
        _settle(home)
        with master.found(home) as running:
            if running is not None:
                try:
                    serving = running.state().serving
                except OSError:
                    serving = ()  # it hangs
                if description in serving:
                    return
                if serving and _reload(running, namespaces, text, description, serving[0]):
                    return
        self._end(home, node)
        self._started[node] = master.start(home, namespaces, namespace_name(node), description)

    def _end(self, home: Home, node: NodeName) -> None:
        """End what lives, also what only begins to listen."""
        deadline = time.monotonic() + _PATIENCE
        while home.is_alive():
            with master.found(home) as running:
                if running is not None:
                    running.end()
                elif time.monotonic() > deadline:
                    raise MachineError(f"a process that holds {home.lock} does not listen: end it")
                else:
                    time.sleep(_POLL)
        if (process := self._started.pop(node, None)) is not None:
            process.wait()

    # --- what it is given ---

    def _home(self, node: NodeName, *, make: bool = False) -> Home:
        folder = self._folder / namespace_name(node)
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in (self._folder, folder):
                status = path.lstat()
                if status.st_uid != os.geteuid() or not stat.S_ISDIR(status.st_mode):
                    raise MachineError(f"{path} belongs to another user: remove it")
                path.chmod(0o700)
        return Home(folder)

    def _whole(self, namespaces: Namespaces, node: NodeName, configuration: str) -> tuple[str, str]:
        """Return what HAProxy reads, and the description of it that the worker tells."""
        text = with_keys(configuration, self._keys)
        if lacking := lacking_keys(text):
            raise MachineError(f"no key is given for the signed header of {', '.join(lacking)}")
        description = f"{self.digest(configuration)} {_where(namespaces, node, text)}"
        numbers = [f"# namespace {name} {namespaces.number(name)}" for name in listening(text)]
        head = ["global", f"    description {description}", f"    mworker-max-reloads {_RELOADS_SURVIVED}", *_users()]
        return "".join(f"{line}\n" for line in (*numbers, *head, "", text)), description

    def _check(self, home: Home, namespaces: Namespaces, node: NodeName, text: str) -> None:
        tried = home.folder / "checked.cfg"
        try:
            master.write_private(tried, text)
            alerts = master.checked(tried, namespaces, namespace_name(node))
        finally:
            tried.unlink(missing_ok=True)
        if alerts:
            raise MachineError(f"HAProxy rejects its configuration: {self._without_keys(alerts)}")
        _try_addresses(namespaces, text)

    def _without_keys(self, message: str) -> str:
        for service, key in self._keys.items():
            message = message.replace(written(key), f"<key of {service}>")
        return message


def _reload(running: Master, namespaces: Namespaces, text: str, description: str, serving: str) -> bool:
    """Have a master serve what is in place by a reload; tell whether it can, which costs no connection.

    A worker takes over the sockets on which the one before it listens, by the names of their namespaces, also those of
    a namespace that has been deleted, unreachable now. So it listens there no more before it listens in a new one by
    the same name. A master whose own namespace has been deleted cannot leave it.
    """
    numbers = _numbers(running.home, serving)
    if numbers is None or _own(serving) != _own(description):
        return False
    moved = {name for name, number in numbers.items() if number != str(namespaces.number(name))}
    if moved & listening(text).keys():
        meanwhile = f"{description} {_PARTLY}"
        less = without_listening(text, moved).replace(description, meanwhile, 1)
        if not listening(less):
            return False
        running.home.write(less)
        running.reload(meanwhile)
        master.write_private(running.home.served, less)
        running.home.write(text)
    running.reload(description)
    return True


def _numbers(home: Home, serving: str) -> Mapping[str, str] | None:
    """Return the numbers of the namespaces in which a worker listens, by their names, None where they are not known.

    Its configuration is in place, or was before one that has not come to be served.
    """
    for path in (home.configuration, home.served):
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text(encoding="utf-8")
            if f"    description {serving}\n" in text:
                return dict(_NUMBER.findall(text))
    return None


def _settle(home: Home) -> None:
    """Wait until what lives serves something, has ended, or hangs.

    Who was cut off from starting it, or from a reload, may have left it on its way, when it does not listen.
    """
    deadline = time.monotonic() + _PATIENCE
    while home.is_alive() and time.monotonic() < deadline:
        with master.found(home) as running, contextlib.suppress(OSError):
            if running is not None and running.state().serving:
                return
        time.sleep(_POLL)


def _try_addresses(namespaces: Namespaces, text: str) -> None:
    """Raise MachineError where an address or port is not to be had.

    HAProxy would find out at a reload: it then refuses connections for two seconds and, of some versions, ends.
    """
    for name, ends in listening(text).items():
        with namespaces.entered(name):
            for ip, port in ends:
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
                    # As HAProxy does: the one that runs has the same addresses.
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    try:
                        tried.bind((ip, port))
                    except OSError as error:
                        raise MachineError(f"{ip}:{port} in namespace {name}: {error.strerror}") from error


def _where(namespaces: Namespaces, node: NodeName, text: str) -> str:
    """Return what tells the namespaces in which a configuration is at work from later ones by the same names.

    First the number of the node's own, then a digest of those in which it listens. HAProxy keeps them all alive, so
    no later one has the number of one of them.
    """
    others = "".join(f"{name} {namespaces.number(name)}\n" for name in listening(text))
    return f"{namespaces.number(namespace_name(node))} {hashlib.sha256(others.encode()).hexdigest()}"


def _own(description: str) -> str:
    return description.split(" ")[1]


def _users() -> Iterator[str]:
    """Yield as who a worker goes on once it listens: a lab without root has no other user."""
    first, outside, count = map(int, Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3])
    everybody = (first, outside, count) == (0, 0, _ALL_USERS)
    if os.geteuid() == 0 and everybody:
        yield f"    user {pwd.getpwnam(_NOBODY).pw_name}"
        for name in ("nogroup", _NOBODY):
            if _is_group(name):
                yield f"    group {name}"
                return


def _is_group(name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in Path("/etc/group").read_text(encoding="utf-8").splitlines())
