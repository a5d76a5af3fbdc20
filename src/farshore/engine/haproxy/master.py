"""One HAProxy in master-worker mode: started in a namespace, found again by its socket, reloaded, ended.

The master is the first process of a process namespace of its own: when it ends, however it ends, the kernel ends its
workers, those that it has replaced too. Nothing here watches it. What it has loaded is asked of the worker that takes
connections, never of a file: each configuration carries a description of itself, which the worker tells.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from farshore.errors import MachineError
from farshore.machine.namespace import Namespaces, own_processes

_PATIENCE = 60.0  # seconds for a start, a reload, an end
_MASTER_ANSWERS, _WORKER_ANSWERS = 30.0, 10.0  # seconds for one command
_POLL = 0.01
# Of the master's command line. One that hangs can still be connected to, and so be known.
_SOCKET = "mode,600,backlog,4096"
_CREDENTIALS = struct.Struct("3i")  # process, user, group: see unix(7)
_SEARCHED = "/usr/sbin:/sbin:/usr/bin:/bin"
# HAProxy looks its own namespace up below /proc, by its own number: it needs the /proc of its process namespace. What
# is mounted elsewhere, the names of namespaces, it must go on to see.
_OWN_PROC = ("unshare", "--mount", "--propagation", "slave", "--mount-proc")


def program() -> str:
    """Return the path of haproxy. Raises MachineError where it is not installed."""
    path = shutil.which("haproxy", path=_SEARCHED) or shutil.which("haproxy")
    if path is None:
        raise MachineError("haproxy is not installed: run sudo apt-get install --yes haproxy")
    return path


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one HAProxy. Only this user may read it: the configuration holds keys."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """Return the file that HAProxy reads when it starts, and at each reload."""
        return self.folder / "haproxy.cfg"

    @property
    def served(self) -> Path:
        """Return the file that has what HAProxy was last seen to serve."""
        return self.folder / "served.cfg"

    @property
    def socket(self) -> Path:
        """Return the socket of the master's command line."""
        return self.folder / "master.sock"

    @property
    def messages(self) -> Path:
        """Return the pipe that takes HAProxy's messages: what it does not hold is lost, so that it never grows."""
        return self.folder / "messages"

    @property
    def lock(self) -> Path:
        """Return the file that is locked for as long as a process of this HAProxy lives."""
        return self.folder / "lock"

    def write(self, text: str) -> None:
        """Put a configuration in place, whole or not at all."""
        new = self.folder / "haproxy.new"
        write_private(new, text)
        new.replace(self.configuration)

    def read(self) -> str | None:
        """Return the configuration that is in place, None where there is none."""
        try:
            return self.configuration.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def is_alive(self) -> bool:
        """Tell whether a process of this HAProxy lives, whether it answers or not."""
        try:
            with self.lock.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextlib.contextmanager
    def complaints(self) -> Iterator[Callable[[], str]]:
        """Yield what returns HAProxy's alerts since the body began, in one line, also where it has ended."""
        with open(os.open(self.messages, os.O_RDWR | os.O_NONBLOCK), "r+b", 0) as pipe:  # noqa: PTH123 - without waiting

            def said() -> str:
                parts = iter(lambda: pipe.read(select.PIPE_BUF), None)
                return alerts_in(b"".join(parts).decode(errors="replace"))

            said()
            yield said


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - with a mode
        file.write(text)


def alerts_in(messages: str) -> str:
    """Return the alerts among HAProxy's messages or, where it has no word for the cause, all of them, in one line."""
    lines = messages.strip().splitlines()
    alerts = [line.partition(") : ")[2] for line in lines if line.startswith("[ALERT]")]
    return "; ".join(alerts or lines) or "without a message"


def checked(path: Path, namespaces: Namespaces, namespace: str) -> str:
    """Have HAProxy check a configuration, and return its alerts, nothing where it would run it."""
    with namespaces.entered(namespace), own_processes():
        done = subprocess.run(
            [*_OWN_PROC, program(), "-c", "-f", str(path)],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env={"PATH": _SEARCHED},
            check=False,
        )
    return alerts_in(done.stderr or done.stdout) if done.returncode != 0 else ""


def start(home: Home, namespaces: Namespaces, namespace: str, description: str) -> subprocess.Popen[bytes]:
    """Start HAProxy, and return when it serves the configuration of this description.

    Raises MachineError where it does not, with nothing of it left.
    """
    home.messages.unlink(missing_ok=True)
    home.socket.unlink(missing_ok=True)
    os.mkfifo(home.messages, 0o600)
    with home.complaints() as complaints:
        process = _started(home, namespaces, namespace)
        serves = False
        try:
            deadline = time.monotonic() + _PATIENCE
            while not serves:
                if process.poll() is not None:
                    raise MachineError(f"HAProxy does not start: {complaints()}")
                if time.monotonic() > deadline:
                    raise MachineError(f"HAProxy does not serve within {_PATIENCE:.0f} s of its start: {complaints()}")
                time.sleep(_POLL)
                with found(home) as master, contextlib.suppress(OSError):
                    serves = master is not None and description in master.state().serving
        finally:
            if not serves:
                process.kill()
                process.wait()
    return process


def _started(home: Home, namespaces: Namespaces, namespace: str) -> subprocess.Popen[bytes]:
    lock_file = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    with open(lock_file, "r+b") as lock, open(os.open(home.messages, os.O_RDWR | os.O_NONBLOCK), "r+b", 0) as messages:  # noqa: PTH123 - without waiting
        # The lock goes on to the processes of HAProxy, and is free when the last has ended.
        _take(lock, home.lock)
        with namespaces.entered(namespace), own_processes():
            return subprocess.Popen(
                [*_OWN_PROC, program(), "-W", "-S", f"{home.socket},{_SOCKET}", "-f", str(home.configuration)],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                env={"PATH": _SEARCHED},
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )


def _take(lock: IO[bytes], path: Path) -> None:
    """Lock a file, which others hold for no longer than it takes to look whether they could."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise MachineError(f"a process that holds {path} does not end: end it") from None
            time.sleep(_POLL)
        else:
            return


@dataclass(frozen=True, slots=True)
class State:
    """What a master tells.

    Attributes:
        reloads: how many reloads it was asked for.
        failed: how many reloads in a row have failed.
        serving: the descriptions of the workers that take connections, the newest first.
    """

    reloads: int
    failed: int
    serving: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Master:
    """A master that lives, of this user. ``handle`` is a descriptor of its process (pidfd_open(2))."""

    home: Home
    pid: int
    handle: int

    def state(self) -> State:
        """Ask how it is. Raises OSError where it does not answer, or has ended."""
        reloads, failed, serving = 0, 0, []
        for line in self._ask("show proc", _MASTER_ANSWERS).splitlines():
            match line.replace("[failed:", "").replace("]", "").split():
                # HAProxy reports how many have failed from 2.5 on.
                case [number, "master", count, failures, *_] if number.isdigit():
                    reloads, failed = int(count), int(failures) if failures.isdigit() else 0
                case [number, "worker", *_] if number.isdigit():
                    with contextlib.suppress(OSError):  # it ends, or hangs: then it serves none
                        serving += self._served(int(number))
        return State(reloads, failed, tuple(serving))

    def _served(self, worker: int) -> list[str]:
        told = dict(
            line.split(": ", 1)
            for line in self._ask(f"@!{worker} show info", _WORKER_ANSWERS).splitlines()
            if ": " in line
        )
        return [told.get("description", "")] if told.get("Stopping") == "0" else []

    def reload(self, description: str) -> None:
        """Have it load the configuration that is in place; connections stay with the worker that has them.

        Returns when the configuration of this description alone is served. Raises MachineError where it is not: the
        one before it still is, unless HAProxy has ended, as the message says.
        """
        before = self.state()
        with self.home.complaints() as complaints:
            with contextlib.suppress(ConnectionError):  # it begins with closing this connection
                self._ask("reload", _MASTER_ANSWERS)
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                if self._has_ended(_POLL):
                    raise MachineError(f"HAProxy has ended at a reload: {complaints()}")
                with contextlib.suppress(OSError):
                    now = self.state()
                    if now.serving == (description,):
                        return
                    if now.failed and now.reloads != before.reloads:
                        raise MachineError(f"HAProxy does not reload: {complaints()}")
            raise MachineError(f"HAProxy does not serve within {_PATIENCE:.0f} s of a reload: {complaints()}")

    def end(self) -> None:
        """End it, and all its workers with all their connections. Raises MachineError where it does not end."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        if not self._has_ended(_PATIENCE):
            raise MachineError(f"HAProxy (process {self.pid}) does not end within {_PATIENCE:.0f} s of being killed")

    def _has_ended(self, seconds: float) -> bool:
        return bool(select.select([self.handle], [], [], seconds)[0])

    def _ask(self, command: str, seconds: float) -> str:
        with _connected(self.home.socket, seconds) as asking:
            if _peer(asking) != self.pid:
                raise ConnectionAbortedError("another process answers on the master's socket")
            asking.sendall(f"{command}\n".encode())
            asking.shutdown(socket.SHUT_WR)
            answer = b""
            while part := asking.recv(65536):
                answer += part
        return answer.decode(errors="replace")


@contextlib.contextmanager
def found(home: Home) -> Iterator[Master | None]:
    """Yield the master whose socket is in a folder, None where no process of this user listens there."""
    handle = None
    try:
        with contextlib.suppress(OSError), _connected(home.socket, _MASTER_ANSWERS) as asking:
            pid = _peer(asking)
            handle = os.pidfd_open(pid) if pid else None
        # Whoever listens still does: so it is the one of this number, and no later process.
        yield Master(home, pid, handle) if handle is not None and _listens(home, pid) else None
    finally:
        if handle is not None:
            os.close(handle)


def _listens(home: Home, pid: int) -> bool:
    try:
        with _connected(home.socket, _MASTER_ANSWERS) as asking:
            return _peer(asking) == pid
    except OSError:
        return False


@contextlib.contextmanager
def _connected(path: Path, seconds: float) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(seconds)
        asking.connect(str(path))
        yield asking


def _peer(asking: socket.socket) -> int:
    """Return the number of the process that listens, 0 where it is not one of this user's that can be seen here."""
    told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, user, _ = _CREDENTIALS.unpack(told)
    return pid if user == os.geteuid() else 0
