"""The bench's process inside a lab: takes requests on standard input and answers them, a JSON line each.

python -m tests.bench.inside LAB
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from farshore.lab.registry import entry
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

from . import exchanges
from .summary import percentile
from .variants import ACCEPT_PORT, ECHO_PORT, IPERF_PORT

_AT_ONCE = 8
_START_SECONDS = 10.0
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
    time.sleep(0.5)


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
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


_REQUESTS: Mapping[str, Callable[..., dict[str, float] | None]] = {
    function.__name__: function for function in (load_rules, serve, throughput, datagrams, round_trips, connections)
}


def main() -> None:
    """Enter the lab and answer until standard input ends."""
    record = entry(sys.argv[1]).read()
    assert record is not None
    record.world.enter()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: dict[str, object] = {"result": _REQUESTS[request.pop("do")](**request)}
        except Exception as error:  # noqa: BLE001 - whatever it is, the bench outside is to hear of it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
