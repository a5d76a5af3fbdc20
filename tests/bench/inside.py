"""What the bench runs inside a lab, request after request in one process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from farshore.errors import MachineError
from farshore.machine.inside import Channel
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

from . import exchanges
from .summary import percentile
from .variants import ACCEPT_PORT, ECHO_PORT, IPERF_PORT

_AT_ONCE = 8
_START_SECONDS, _POLL = 10.0, 0.01
_LISTEN = "0A"  # TCP_LISTEN, as /proc shows it
_DATAGRAM = 64
_MEDIAN = 50
_TAIL = 99


def load_rules(rules: Mapping[str, str]) -> None:
    """Load iptables rules in each node."""

    def one(node: str) -> None:
        with PRIVATE.entered(namespace_name(node)):
            _run(["iptables-restore"], rules[node])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(one, rules):
            pass


def serve(node: str, address: str) -> None:
    """Start everything that answers in the service's node; returns when it does."""
    for function, port in ((exchanges.echo_on, ECHO_PORT), (exchanges.accept_on, ACCEPT_PORT)):
        ready = exchanges.event()
        exchanges.start_in(node, function, address, port, ready)
        if not ready.wait(_START_SECONDS):
            raise TimeoutError(f"nothing answers on port {port}")
    with PRIVATE.entered(namespace_name(node)):
        subprocess.Popen(["iperf3", "--server", "--port", str(IPERF_PORT)], stdout=subprocess.DEVNULL)
        _wait_for_listener(IPERF_PORT)


def _wait_for_listener(port: int) -> None:
    """Return when a program listens on a TCP port of the thread's namespace. Raises TimeoutError."""
    deadline = time.monotonic() + _START_SECONDS
    while not _listens(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(_POLL)


def _listens(port: int) -> bool:
    # A line is of a socket: its number, its own end, the other, and its state.
    files = (Path("/proc/thread-self/net") / name for name in ("tcp", "tcp6"))
    sockets = (line.split() for file in files if file.exists() for line in file.read_text().splitlines()[1:])
    return any(own.endswith(f":{port:04X}") and state == _LISTEN for _, own, _, state, *_ in sockets)


def throughput(node: str, address: str, seconds: float) -> dict[str, float]:
    """Return the bits a second that one TCP connection carried, counted by the receiver."""
    end = _iperf(node, address, seconds, [])["end"]
    return {"tcp": end["sum_received"]["bits_per_second"]}


def datagrams(node: str, address: str, seconds: float) -> dict[str, float]:
    """Return how many small datagrams a second arrived, and the share of those sent that did not."""
    end = _iperf(node, address, seconds, ["--udp", "--bitrate", "0", "--length", str(_DATAGRAM)])["end"]["sum"]
    arrived = end["packets"] - end["lost_packets"]
    return {"udp": arrived / end["seconds"], "udp_lost_percent": end["lost_percent"]}


def round_trips(node: str, address: str, samples: int) -> dict[str, float]:
    """Return the median and the 99th percentile of round-trip times, in microseconds."""
    times = exchanges.round_trips(node, address, ECHO_PORT, samples)
    return {"rtt_p50": percentile(times, _MEDIAN), "rtt_p99": percentile(times, _TAIL)}


def connections(nodes: Sequence[str], address: str, seconds: float) -> dict[str, float]:
    """Return how many new TCP connections a second the nodes made together."""
    return {"connections": exchanges.connections(nodes, address, ACCEPT_PORT, seconds)}


def _iperf(node: str, address: str, seconds: float, options: list[str]) -> Any:
    command = ["iperf3", "--client", address, "--port", str(IPERF_PORT), "--time", f"{seconds:g}", "--json", *options]
    with PRIVATE.entered(namespace_name(node)):
        return json.loads(_run(command))


def _run(command: list[str], text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


Request = tuple[Callable[..., dict[str, float] | None], dict[str, Any]]
Answer = dict[str, float] | None | MachineError


def answering(bench: Channel[Answer, Request]) -> NoReturn:
    """Do what the bench requests, one after another, and send what each returns, or why it has failed."""
    while True:
        function, details = bench.receive()
        try:
            bench.send(function(**details))
        except Exception as error:  # noqa: BLE001 - whatever it is, the bench outside raises it
            bench.send(MachineError(f"{function.__name__}: {type(error).__name__}: {error}"))
