"""A world: user, mount, process and network namespaces of its own, and how to enter them.

Whatever runs in a world is a descendant of the first process in its process namespace. When that process ends,
the kernel ends all the others, and with them go their mounts and networks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farshore.errors import MachineError
from farshore.machine import namespace

MS_PRIVATE_ALL = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_PR_SET_PDEATHSIG = 1
_KINDS = (
    ("user", namespace.CLONE_NEWUSER),
    ("mnt", namespace.CLONE_NEWNS),
    ("pid", namespace.CLONE_NEWPID),
    ("net", namespace.CLONE_NEWNET),
)
# Where a process in a world of its own finds its namespaces: below a /run that holds nothing else.
PRIVATE = namespace.Namespaces(Path("/run/netns"), private=True)
# Where the machine's own are: some may be ours.
MACHINE = namespace.Namespaces(Path("/run/netns"), private=False)
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


@dataclass(frozen=True, slots=True)
class World:
    """A world that has been made.

    Attributes:
        pid: its first process, as the machine numbers it.
        started: when that process started, in clock ticks since boot: it tells the process from a later one with
            the same number.
        gone: what to say where the process has ended.
        uid: the user that it belongs to, None where that is not compared.
    """

    pid: int
    started: int
    gone: str
    uid: int | None = None

    def is_alive(self) -> bool:
        """Return whether the first process lives."""
        return start_time(self.pid) == self.started and self.uid in (None, _owner(self.pid))

    def holds(self, file: os.stat_result) -> bool:
        """Return whether the first process has a file open, or ends just now, and so has closed it.

        False also where this process is not the first of its process namespace.
        """
        if not self.is_alive() or not _is_first(self.pid):
            return False
        ends = _status_line(self.pid, "FDSize:") == ["0"]
        return ends or _identity(file) in _open_files(self.pid)

    def wait(self, seconds: float, *, kill: bool) -> bool:
        """Wait for the first process to end, which it does after all others, and return whether it has ended.

        With ``kill`` it is killed first.
        """
        with self._first_process() as handle:
            if handle is None:
                return True
            if kill:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            ended, _, _ = select.select([handle], [], [], seconds)
            return bool(ended)

    @contextlib.contextmanager
    def _first_process(self) -> Iterator[int | None]:
        """Yield a handle on the first process, None where it has ended: another may have its number now."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield handle if self.is_alive() else None
        finally:
            os.close(handle)

    def enter(self, *, terminal: bool = False) -> None:
        """Go on inside the world, in a child process; the caller waits here for its end and exits as it did.

        Must be called before any thread has been started. With ``terminal`` the child is in a process group of its
        own, to which the terminal at standard input belongs for as long as it lives: a shell that manages jobs needs
        a group that it can see. Raises MachineError where the world is gone.
        """
        try:
            where = str(Path.cwd())
        except FileNotFoundError:
            where = "/"  # the working directory has been removed
        for door, kind in self._doors():
            if not _is_here(door, kind):
                namespace.setns(door, kind)
            os.close(door)
        try:
            os.chdir(where)
        except OSError:
            os.chdir("/")  # what the machine has below /run does not exist in the world
        foreground = os.tcgetpgrp(0) if terminal else None
        child = os.fork()
        if child != 0:
            _exit_as(child, foreground)
        die_with_parent()
        if terminal:
            os.setpgid(0, 0)
            _give_terminal(os.getpgrp())

    def _doors(self) -> list[tuple[int, int]]:
        """Open all namespaces before the first is entered, for behind it the others cannot be seen."""
        doors = []
        if self.is_alive():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for name, kind in _KINDS:
                    doors.append((os.open(f"/proc/{self.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind))
        # The process may have ended, and another have its number, between the first look and the last door.
        if len(doors) < len(_KINDS) or not self.is_alive():
            raise MachineError(self.gone)
        return doors


def _is_here(door: int, kind: int) -> bool:
    """Return whether a namespace is the one we are in: a user namespace cannot be entered twice."""
    name = next(name for name, number in _KINDS if number == kind)
    here, there = Path(f"/proc/self/ns/{name}").stat(), os.fstat(door)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _give_terminal(group: int) -> None:
    """Give the terminal at standard input to a process group. From the background that is a reason to be stopped."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, before)


def _exit_as(child: int, foreground: int | None) -> None:
    # The terminal's interrupt reaches the child too: the child decides, and this process reports how it ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    if foreground is not None:
        with contextlib.suppress(OSError):  # the terminal has been closed
            _give_terminal(foreground)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot, None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    fields = text.rpartition(")")[2].split()
    zombie = fields[0] == "Z"
    return None if zombie else int(fields[19])


def find_holding(file: os.stat_result, gone: str) -> World | None:
    """Return the world of this user whose first process has a file open, None where there is none.

    ``gone`` is what to say when it has ended.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (pid := int(entry.name)) != os.getpid() and _owner(pid) == os.geteuid():
            started = start_time(pid)
            if started is not None and _is_first(pid) and _identity(file) in _open_files(pid):
                return World(pid, started, gone, os.geteuid())
    return None


def _owner(pid: int) -> int | None:
    """Return the user that a process belongs to, None where there is no such process."""
    words = _status_line(pid, "Uid:")
    return int(words[1]) if words else None  # real, effective, saved, of the file system


def _is_first(pid: int) -> bool:
    """Return whether a process is the first of a process namespace below this one."""
    numbers = _status_line(pid, "NSpid:")
    return len(numbers) > 1 and numbers[-1] == "1"


def _status_line(pid: int, key: str) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return next((line.split()[1:] for line in text.splitlines() if line.startswith(key)), [])


def _open_files(pid: int) -> set[tuple[int, int]]:
    """Return the identities of the files that a process has open; none where they are not for us to see."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.add(_identity(each.stat()))
    return found


def _identity(file: os.stat_result) -> tuple[int, int]:
    return file.st_dev, file.st_ino


# --- making one ------------------------------------------------------------------------------------


def leave() -> None:
    """Leave the machine's namespaces for new ones; the next fork's child is the first process of a world.

    Raises MachineError where this user may not.
    """
    uid, gid = os.geteuid(), os.getegid()
    own = namespace.CLONE_NEWNS | namespace.CLONE_NEWPID | namespace.CLONE_NEWNET
    try:
        namespace.unshare(own if uid == 0 else own | namespace.CLONE_NEWUSER)
        if uid != 0:
            # Root inside is this user outside: without rights over anything but the world's own.
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
        namespace.mount("none", "/", "none", MS_PRIVATE_ALL)
    except OSError as error:
        raise MachineError(f"this user may not create namespaces ({error}); {_fix()}") from error


def furnish() -> None:
    """Give this world a /run of its own, for the names of networks and the locks of tools.

    From here on what the machine has below /run cannot be seen.
    """
    namespace.mount("tmpfs", "/run", "tmpfs", 0)


def _fix() -> str:
    if _APPARMOR.exists() and _APPARMOR.read_text(encoding="ascii").strip() == "1":
        return "run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if os.geteuid() == 0:
        return "run it where root holds CAP_SYS_ADMIN (a container needs --privileged)"
    return "run: sudo sysctl -w user.max_user_namespaces=10000"
