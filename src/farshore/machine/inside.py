"""Run a function inside a world, in a child process, and exchange values with it.

:func:`call` runs a function and returns its value. :func:`running` has it run beside the caller, with values going
both ways. :func:`creating` has it run as the first process of a new world.

The function stands at the top level of a module and takes a :class:`Channel` first. It and its arguments travel as
pickles over a socket pair that only the two processes hold: neither reads a pickle of anyone else. When the caller
closes its end, or dies, however it dies, the function's process ends at once. What the function raises is raised
again in the caller.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from multiprocessing.connection import Connection, Pipe
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar

from farshore.errors import EXIT_MACHINE, MachineError
from farshore.machine.world import World, furnish, leave, start_time

Up = TypeVar("Up")  # what the function sends to the caller
Down = TypeVar("Down")  # what the caller sends to the function
Value = TypeVar("Value")  # what the function returns
Arguments = ParamSpec("Arguments")

_STDERR = 2
# Safety nets: in so many seconds a process that its caller has let go of has ended, and a world that is killed.
_KILLED_AFTER, _WORLD_SECONDS = 10.0, 60.0


@dataclass(frozen=True, slots=True)
class _Sent:
    value: Any


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Any


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


class _Tie(Enum):
    CUT = "cut"  # the caller wants the process to outlive it
    IS_CUT = "is cut"


class ChildEndedError(MachineError):
    """The process of a function has ended before the function has returned."""


# --- the caller's side -----------------------------------------------------------------------------


class Child(Generic[Up, Down, Value]):
    """A function that runs in another process, as its caller holds it."""

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection, what: str) -> None:
        """Hold a process that has been given its function; ``what`` names it in messages."""
        self._process, self._connection, self._what = process, connection, what
        self._returned: _Returned | None = None
        self.detached = False

    def send(self, value: Down) -> None:
        """Send a value to the function. Where its process has ended, the next receive says so."""
        with contextlib.suppress(OSError):
            self._connection.send(value)

    def receive(self, seconds: float | None = None) -> Up:
        """Return the next value that the function sends.

        Raises what the function raised, ChildEndedError where it returned instead or its process has ended, and
        TimeoutError where nothing comes for so many seconds.
        """
        for value in self._values(seconds):
            return value
        raise ChildEndedError(f"{self._what} has sent everything and returned")

    def result(self) -> Value:
        """Return what the function returns; what it still sends is left unread. Raises as :meth:`receive`."""
        for _ in self:
            pass
        assert self._returned is not None  # noqa: S101 - the iteration ends with it
        value: Value = self._returned.value
        return value

    def __iter__(self) -> Iterator[Up]:
        """Yield the values that the function sends, until it returns. Raises as :meth:`receive`."""
        return self._values(None)

    def _values(self, seconds: float | None) -> Iterator[Up]:
        while self._returned is None:
            match self._message(seconds):
                case _Sent(value):
                    yield value
                case _Raised(error):
                    raise error
                case _Returned() as returned:
                    self._returned = returned

    def _message(self, seconds: float | None) -> object:
        if seconds is not None and not self._connection.poll(seconds):
            raise TimeoutError(f"{self._what} has sent nothing for {seconds:g} s")
        try:
            return self._connection.recv()
        except (EOFError, ConnectionError):
            raise ChildEndedError(f"{self._what} has been killed") from None

    def detach(self) -> None:
        """Have the process outlive this one. What it has sent is left unread. Raises as :meth:`receive`."""
        with contextlib.suppress(OSError):  # it has ended, as the next message says
            self._connection.send(_Tie.CUT)
        while not self.detached:
            match self._message(None):
                case _Raised(error):
                    raise error
                case _Tie.IS_CUT:
                    self.detached = True

    def close(self) -> None:
        """Let go of the function: its process ends, unless it is detached. Returns when it has ended."""
        self._connection.close()
        try:
            self._process.wait(_KILLED_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel ends those behind it
            self._process.wait()


def call(
    world: World,
    function: Callable[Concatenate[Channel[Any, Any], Arguments], Value],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Value:
    """Run a function inside a world and return its value. Raises what it raises, MachineError where the world is gone.

    The function's :class:`Channel` is of use to :func:`running` only.
    """
    with running(world, function, *arguments, **named) as child:
        return child.result()


@contextlib.contextmanager
def running(
    world: World,
    function: Callable[Concatenate[Channel[Up, Down], Arguments], Value],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Iterator[Child[Up, Down, Value]]:
    """Have a function run inside a world while the body does; it ends with the body at the latest.

    The body raises MachineError where the world is gone, or ends.
    """
    with _started(function, _STDERR, ()) as child:
        child.send((world, arguments, named))  # type: ignore[arg-type] # the first thing it receives
        try:
            yield child
        except MachineError as error:
            if world.is_alive():
                raise
            raise MachineError(world.gone) from error


@contextlib.contextmanager
def creating(
    log: int,
    kept: Sequence[int],
    function: Callable[Concatenate[Channel[Up, Down], Arguments], Value],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> Iterator[tuple[World, Child[Up, Down, Value]]]:
    """Make a new world and have a function run as its first process, in a /run of its own.

    The world ends with the body, unless the body has detached the function.

    Args:
        log: the descriptor of the file that takes what the processes of the world print.
        kept: descriptors that stay open in the first process.
        function: what runs.
        arguments: what it is given after its channel.
        named: likewise, by name.

    Raises:
        MachineError: this user may not create namespaces.
    """
    with _started(function, log, kept) as child:
        child.send((None, arguments, named))  # type: ignore[arg-type] # the first thing it receives
        world: World = child.receive()  # type: ignore[assignment] # the first thing it sends
        try:
            yield world, child
        finally:
            if not child.detached:
                child.close()
                world.wait(_WORLD_SECONDS, kill=True)


@contextlib.contextmanager
def _started(
    function: Callable[Concatenate[Channel[Up, Down], Arguments], Value], output: int, kept: Sequence[int]
) -> Iterator[Child[Up, Down, Value]]:
    """Start a Python that is to run a function, with our own module path."""
    name = f"{function.__module__}:{function.__qualname__}"
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            # -P: what lies in the working directory is no module of ours, unless it was one to this process.
            [sys.executable, "-P", "-m", "farshore.machine.inside", name, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(theirs.fileno(), *kept),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # the terminal's interrupt is for the caller, which then lets go
        )
    child: Child[Up, Down, Value] = Child(process, ours, f"the process of {name}")
    try:
        yield child
    finally:
        child.close()


# --- the function's side ---------------------------------------------------------------------------


class Channel(Generic[Up, Down]):
    """What a function has of the process that called it. Values arrive in order, each way."""

    def __init__(self, connection: Connection) -> None:
        """Begin to read; from here on the process ends when its caller closes the connection."""
        self._connection = connection
        self._received: queue.SimpleQueue[Down] = queue.SimpleQueue()
        self._detached = threading.Event()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, value: Up) -> None:
        """Send a value to the caller. Where it is gone, this process ends, or nothing happens if it is detached."""
        self.send_message(_Sent(value))

    def receive(self) -> Down:
        """Wait for the next value of the caller and return it."""
        return self._received.get()

    def send_message(self, message: object) -> None:
        """Send a message of this module's own, such as what the function returns."""
        try:
            with self._sending:
                self._connection.send(message)
        except OSError:
            self._end()

    def _read(self) -> None:
        try:
            while True:
                value = self._connection.recv()
                if value is _Tie.CUT:
                    self._detached.set()
                    self.send_message(_Tie.IS_CUT)
                else:
                    self._received.put(value)
        except (EOFError, OSError):
            pass  # the caller is gone
        except Exception as error:  # noqa: BLE001 - what arrives cannot be unpickled, which the caller is to raise
            self.send_message(_Raised(_portable(error)))
        self._end()

    def _end(self) -> None:
        if not self._detached.is_set():
            os._exit(EXIT_MACHINE)


def main() -> NoReturn:
    """Run the function that the first argument names, as the process at the other end of the second wants it."""
    name, descriptor = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)  # no program that the function starts shall hold it
    connection = Connection(int(descriptor))
    module, _, function = name.partition(":")
    try:
        run = getattr(importlib.import_module(module), function)
        world, arguments, named = connection.recv()
        if world is None:
            _become_first(connection)
        else:
            world.enter()
        channel: Channel[Any, Any] = Channel(connection)
        message: _Returned | _Raised = _Returned(run(channel, *arguments, **named))
    except EOFError:
        os._exit(EXIT_MACHINE)  # the caller is gone
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is to raise it
        message = _Raised(_portable(error))
    with contextlib.suppress(OSError):  # the caller is gone, or does not wait for it
        connection.send(message)
    with contextlib.suppress(OSError, ValueError):  # a full disk, or closed: what matters has been sent
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _become_first(connection: Connection) -> None:
    """Become the first process of a new world, in a child that goes on when the caller can learn its number."""
    leave()
    told_read, told_write = os.pipe()
    pid = os.fork()
    if pid != 0:
        started = start_time(pid)
        connection.send(_Sent(World(pid, started or 0, "the world has ended")))
        os.write(told_write, b"g")
        os._exit(0)
    os.close(told_write)
    if os.read(told_read, 1) != b"g":
        os._exit(EXIT_MACHINE)  # the process between this one and the caller is gone
    os.close(told_read)
    furnish()


def _portable(error: Exception) -> Exception:
    """Return an exception as it can be raised elsewhere, with its traceback as a note."""
    text = "".join(traceback.format_exception(error)).strip()
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, made here
    except Exception:  # noqa: BLE001 - some need more than their arguments to be made again
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(f"In the process that raised it:\n{text}")
    return copy


if __name__ == "__main__":
    # What is pickled is known by its module's own name, not as __main__'s.
    importlib.import_module("farshore.machine.inside").main()
