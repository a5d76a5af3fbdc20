"""What one reading of everything takes: a fabric is built in a world of its own, then applied again and again.

python -m tests.bench.reading TENANTS [TIMES]

Prints the seconds of the first application and of the fastest later one, which finds nothing to do, as JSON; of that
one also the processor's seconds, which others who use the machine do not change.
"""

from __future__ import annotations

import json
import sys
import time

from farshore.design.catalogue import build
from farshore.engine.nftables.desired import compile_fabric
from farshore.engine.nftables.engine import Nftables
from farshore.machine.apply import apply
from farshore.machine.inside import Channel, creating
from farshore.machine.world import PRIVATE

from .variants import planned

_STDERR = 2
Figures = dict[str, float]


def applied(caller: Channel[Figures, None], tenants: int, times: int) -> Figures:
    """Apply a lake of so many tenants once, then again, and return what each took."""
    del caller
    intent, plan = planned(tenants)
    desired = compile_fabric(build(intent, plan, "lake"))
    seconds, busy = [], []
    for _ in range(times + 1):
        begun, worked = time.perf_counter(), time.process_time()
        changes = apply(desired, (Nftables(),), PRIVATE)
        seconds.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
        assert bool(changes) == (len(seconds) == 1), f"the next application makes {len(changes)} changes"
    return {
        "apply_seconds": seconds[0],
        "unchanged_seconds": min(seconds[1:]),
        "unchanged_processor_seconds": min(busy[1:]),
        "namespaces": len(desired.nodes),
    }


def main() -> None:
    """Print the figures."""
    # By its own name, for the process in the world imports what it runs.
    from tests.bench import reading

    tenants, times = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with creating(_STDERR, (), reading.applied, tenants, times) as (_, child):
        print(json.dumps(child.result()))  # noqa: T201 - this is how it answers


if __name__ == "__main__":
    main()
