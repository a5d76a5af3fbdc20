"""One HAProxy process for one proxy: checked before it starts, supervised, replaced without a gap."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from farshore.engine.haproxy.configuration import Surroundings, configuration
from farshore.errors import MachineError
from farshore.fabric.model import Proxy
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

_logger = logging.getLogger(__name__)

_START_SECONDS = 20.0
_POLL = 0.01
_CHECK_SECONDS = 60.0
# How long to wait before starting again what has died: longer each time, until it lives for a while.
_FIRST_PAUSE, _LONGEST_PAUSE, _LIVES = 0.1, 5.0, 10.0
# HAProxy finds its way back to its own namespace by its number below /proc, which in a process namespace of a lab's
# own must be that namespace's /proc: or it would be some other process of the machine that it looks up there.
_OWN_PROC = ("unshare", "--mount", "--mount-proc")
_NOBODY = "nobody"
_ALL_USERS = 2**32 - 1


def program() -> str:
    """Return the path of haproxy. Raises MachineError where it is not installed."""
    path = shutil.which("haproxy", path="/usr/sbin:/sbin:/usr/bin:/bin") or shutil.which("haproxy")
    if path is None:
        raise MachineError("haproxy is not installed: run sudo apt-get install --yes haproxy")
    return path


class Appliance:
    """The HAProxy process of a proxy. It is to be used from one thread; another one watches the process."""

    def __init__(self, folder: Path) -> None:
        """Keep what the process needs in a folder that only this user may read."""
        self._folder = folder
        self._lock = threading.Lock()
        self._text: str | None = None
        self._namespace = ""
        self._environment: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        # All that live: those that were replaced stay until their last connection has ended.
        self._living: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def apply(self, proxy: Proxy, keys: Mapping[str, str]) -> bool:
        """Run a proxy, or put another form of it in place, and tell whether anything had to be done.

        ``keys`` are environment variables that hold keys. Connections that stand stay with the process that
        has them until they end. Raises MachineError, with what ran before still running, where HAProxy refuses.
        """
        text = configuration(proxy, _surroundings(self._socket))
        with self._lock:
            if self._runs(text, keys):
                return False
            where = namespace_name(proxy.name)
            tried = self._checked(text, where, keys)
            self._start(tried, where, keys)
            # Only what has started is what the next start finds.
            tried.replace(self._file)
            self._text, self._namespace, self._environment = text, where, dict(keys)
            _logger.info("HAProxy in namespace %s runs its desired configuration", where)
        return True

    def is_running(self, proxy: Proxy, keys: Mapping[str, str]) -> bool:
        """Tell whether the process runs just this. :meth:`apply` would then do nothing."""
        text = configuration(proxy, _surroundings(self._socket))
        with self._lock:
            return self._runs(text, keys)

    def _runs(self, text: str, keys: Mapping[str, str]) -> bool:
        return text == self._text and keys == self._environment and self._alive()

    def stop(self) -> None:
        """End the process and those that it has replaced, with all their connections."""
        with self._lock:
            self._ended = True
            for process in self._living:
                process.kill()
                process.wait()

    @property
    def process_number(self) -> int | None:
        """Return the number of the process that listens, None where there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def _socket(self) -> Path:
        return self._folder / "proxy.sock"

    @property
    def _file(self) -> Path:
        return self._folder / "proxy.cfg"

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _checked(self, text: str, where: str, keys: Mapping[str, str]) -> Path:
        """Write a configuration into a file of its own, and have HAProxy check it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tried = self._folder / "proxy.new"
        tried.write_text(text, encoding="utf-8")
        tried.chmod(0o600)
        with PRIVATE.entered(where):
            command = [*_OWN_PROC, program(), "-c", "-f", str(tried)]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_CHECK_SECONDS, env=_environment(keys), check=False
            )
        if done.returncode != 0:
            why = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise MachineError(f"HAProxy rejects its configuration: {' / '.join(why)}")
        return tried

    def _start(self, path: Path, where: str, keys: Mapping[str, str]) -> None:
        command = [*_OWN_PROC, program(), "-db", "-f", str(path)]
        if self._alive():
            assert self._process is not None  # noqa: S101 - it is alive
            # The new process is handed what the old one listens on; the old one ends with its last connection.
            command += ["-x", str(self._socket), "-sf", str(self._process.pid)]
        with PRIVATE.entered(where):
            process = subprocess.Popen(command, env=_environment(keys), stdin=subprocess.DEVNULL)
        watched = os.pidfd_open(process.pid)
        try:
            self._wait_until_it_listens(process.pid, watched)
        except MachineError:
            process.kill()
            process.wait()
            os.close(watched)
            raise
        self._process = process
        self._living.add(process)
        threading.Thread(target=self._watch, args=(process, watched), daemon=True).start()

    def _wait_until_it_listens(self, number: int, watched: int) -> None:
        """Wait until this very process answers: until it has taken over, the one before it does."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            ended, _, _ = select.select([watched], [], [], _POLL)
            if ended:
                raise MachineError("HAProxy ended right after its start; the cause is in the messages of HAProxy")
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(_POLL)
                asking.connect(str(self._socket))
                asking.sendall(b"show info\n")
                if _pid_in(asking.makefile().read()) == number:
                    return
        raise MachineError(f"HAProxy does not listen within {_START_SECONDS:.0f} s")

    def _watch(self, process: subprocess.Popen[bytes], watched: int) -> None:
        """Wait for a process to end, and start another where it was not to."""
        started, pause = time.monotonic(), _FIRST_PAUSE
        select.select([watched], [], [])
        os.close(watched)
        process.wait()
        with self._lock:
            self._living.discard(process)
        while True:
            with self._lock:
                if self._ended or self._process is not process:
                    return
                if time.monotonic() - started > _LIVES:
                    pause = _FIRST_PAUSE
                try:
                    self._start(self._file, self._namespace, self._environment)
                except (MachineError, OSError) as error:
                    _logger.error("HAProxy in namespace %s ended and does not start again: %s", self._namespace, error)  # noqa: TRY400 - the message has the cause
                else:
                    _logger.warning("HAProxy in namespace %s ended and was started again", self._namespace)
                    return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _pid_in(answer: str) -> int | None:
    """Return the number of the process that answers on the statistics socket."""
    for line in answer.splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            return int(value)
    return None


def _environment(keys: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **keys}


def _surroundings(path: Path) -> Surroundings:
    """Return the user as which the process goes on once it listens: a lab without root has no other."""
    first, outside, count = map(int, Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3])
    everybody = (first, outside, count) == (0, 0, _ALL_USERS)
    if os.geteuid() != 0 or not everybody:
        return Surroundings(str(path))
    nobody = pwd.getpwnam(_NOBODY)
    group = next((name for name in ("nogroup", _NOBODY) if _is_group(name)), None)
    return Surroundings(str(path), nobody.pw_name, group)


def _is_group(name: str) -> bool:
    return any(line.startswith(f"{name}:") for line in Path("/etc/group").read_text(encoding="utf-8").splitlines())
