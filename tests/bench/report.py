"""The results, as a page for people and as JSON for programs: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from .summary import Summary, ratios, summary

KINDS = ("lake", "last-hop", "appliance", "routed", "iptables")
COMPARED = (
    ("lake", "routed"),
    ("lake", "iptables"),
    ("last-hop", "routed"),
    ("appliance", "routed"),
    ("last-hop", "lake"),
    ("appliance", "lake"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is shown: its name, and what one of its units is in samples."""

    title: str
    unit: float
    digits: int = 0


METRICS: Mapping[str, Metric] = {
    "tcp": Metric("TCP throughput, Gbit/s", 1e9, 2),
    "udp": Metric("64-byte UDP packets received, thousands a second", 1e3, 1),
    "udp_lost_percent": Metric("share of those packets lost, %", 1, 1),
    "rtt_p50": Metric("round trip, median, µs", 1, 1),
    "rtt_p99": Metric("round trip, 99th percentile, µs", 1, 1),
    "connections": Metric("new TCP connections a second", 1),
}
# A share that can be nothing at all makes no ratio.
WITHOUT_RATIO = frozenset({"udp_lost_percent"})
SCALE: Mapping[str, Metric] = {
    "read_seconds": Metric("reading the intent, s", 1, 2),
    "plan_seconds": Metric("planning, s", 1, 2),
    "peak_mib": Metric("peak memory of both, MiB", 1),
    "up_seconds": Metric("lab up, s", 1, 1),
    "down_seconds": Metric("lab down, s", 1, 1),
    "lab_mib": Metric("memory of the lab, kernel's included, MiB", 1),
}

PROOF: Mapping[str, Metric] = {
    "prove_seconds": Metric("proof, s", 1, 3),
    "prove_tenant": Metric("for each tenant, ms", 1e-3, 2),
    "prove_mib": Metric("peak memory of all processes, MiB", 1),
    "again_seconds": Metric("after a change of one tenant, ms", 1e-3, 1),
    "walk_seconds": Metric("walking every pair, s", 1, 2),
    "walk_ratio": Metric("walking / proof", 1, 1),
}

Paths = Mapping[int, Mapping[str, Mapping[str, Sequence[float]]]]
Scales = Mapping[int, Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured. ``paths`` and ``scales`` go by number of tenants."""

    machine: Mapping[str, str]
    command: str
    paths: Paths
    scales: Scales
    seconds_spent: Mapping[str, float]
    proofs: Scales = field(default_factory=dict)


def as_json(results: Results) -> dict[str, object]:
    """Return everything, samples included, as plain values."""
    return {
        "machine": dict(results.machine),
        "command": results.command,
        "paths": [
            {"tenants": tenants, "metric": name, **_comparison(name, values)}
            for tenants, metrics in results.paths.items()
            for name, values in metrics.items()
        ],
        "scales": [
            {"tenants": tenants, "metric": name, **asdict(summary(samples)), "samples": list(samples)}
            for tenants, metrics in results.scales.items()
            for name, samples in metrics.items()
        ],
        "proofs": [
            {"tenants": tenants, "metric": name, **asdict(summary(samples)), "samples": list(samples)}
            for tenants, metrics in results.proofs.items()
            for name, samples in metrics.items()
        ],
        "seconds_spent": dict(results.seconds_spent),
    }


def _comparison(name: str, values: Mapping[str, Sequence[float]]) -> dict[str, object]:
    variants = {kind: {**asdict(summary(samples)), "samples": list(samples)} for kind, samples in values.items()}
    return {"variants": variants, "ratios": {kind: asdict(each) for kind, each in _ratios(name, values).items()}}


def _ratios(name: str, values: Mapping[str, Sequence[float]]) -> dict[str, Summary]:
    if name in WITHOUT_RATIO:
        return {}
    return {
        f"{one} / {other}": summary(ratios(values[one], values[other]))
        for one, other in COMPARED
        if one in values and other in values
    }


def as_markdown(results: Results) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks",
        "",
        f"Made by `{results.command}`; do not edit. The samples are in [benchmarks.json](benchmarks.json).",
        "",
        *_table(("the machine", ""), results.machine.items()),
        "",
        *_METHOD,
        *_path_lines(results.paths),
        *_SCALE_METHOD,
        *_scale_lines(results.scales, SCALE),
        *(_PROOF_METHOD if results.proofs else ()),
        *_scale_lines(results.proofs, PROOF),
    ]
    return "\n".join(lines).rstrip() + "\n"


_METHOD = (
    "## What a packet pays",
    "",
    "Five labs stand side by side with as many tenants each: **lake**, **last-hop** and **appliance** are farshore's",
    "designs, **routed** is the lake's hops with distinct addresses and neither translation nor filter, **iptables**",
    "its translations, source checks and permitted services as an engineer would type them for iptables. farshore's",
    "guards check every packet in both directions; the typed rules check a flow's first. The last hop has one hop less",
    "than the lake; the appliance ends each connection and opens another, and carries TCP alone.",
    "",
    "They are measured in turn, in an order that moves on by one each round, another tenant calling each round. A",
    "ratio is taken within a round, between neighbours in time, and its median is shown: ratios hold on other",
    "machines, absolute figures do not. In brackets stand the least and the greatest. Both ends run on the cores",
    "that also forward, so throughput counts all work that a packet causes. iperf3 sends; the receiver counts. Round",
    "trips are of one UDP packet at a time. New connections are opened, closed and opened again by up to 50 tenants'",
    "hosts at once, by Python processes whose own work is part of every figure.",
    "",
)
_SCALE_METHOD = (
    "## What many tenants take",
    "",
    "Every tenant has a /24, a host and 8 services. Reading and planning run in a process of their own.",
    "A lab has three namespaces a tenant; its time runs from an intent that is planned to services that answer.",
    "It is down when its last process has ended; the kernel takes its namespaces apart some time after that.",
    "",
)
_PROOF_METHOD = (
    "",
    "## What a proof takes",
    "",
    "Every tenant has a /24, a host and 8 services by the lake design. The proof is of all packets from everywhere, by",
    "a process for each core once there are a thousand tenants, of a fabric that is built. Then one tenant loses a",
    "service and all is proven again, from two fabrics that share what is equal. Walking every pair is the naive way:",
    "each host to each port of each of its services, and nothing of what must not be possible. The ratio is taken",
    "within one process.",
    "",
)


def _path_lines(paths: Paths) -> Iterator[str]:
    for name, metric in METRICS.items():
        rows = [
            (f"{tenants:,}", *_cells(metric, metrics[name])) for tenants, metrics in paths.items() if name in metrics
        ]
        if rows:
            yield f"### {metric.title[0].upper()}{metric.title[1:]}"
            yield ""
            yield from _table(("tenants", *KINDS), rows)
            yield ""
            yield from _ratio_lines(name, paths)


def _cells(metric: Metric, values: Mapping[str, Sequence[float]]) -> Iterator[str]:
    for kind in KINDS:
        yield _shown(summary(values[kind]), metric) if kind in values else ""


def _ratio_lines(name: str, paths: Paths) -> Iterator[str]:
    compared = {tenants: _ratios(name, metrics[name]) for tenants, metrics in paths.items() if name in metrics}
    headings = [
        pair for pair in (f"{one} / {other}" for one, other in COMPARED) if any(pair in c for c in compared.values())
    ]
    rows = [
        (f"{tenants:,}", *(_shown(found[pair], _RATIO) if pair in found else "" for pair in headings))
        for tenants, found in compared.items()
    ]
    if headings:
        yield from _table(("tenants", *headings), rows)
        yield ""


_RATIO = Metric("ratio", 1, 2)


def _scale_lines(scales: Scales, known: Mapping[str, Metric]) -> Iterator[str]:
    names = [name for name in known if any(name in metrics for metrics in scales.values())]
    if not names:
        return
    rows = [
        (
            f"{tenants:,}",
            *(_shown(summary(metrics[name]), known[name]) if name in metrics else "" for name in names),
        )
        for tenants, metrics in scales.items()
    ]
    yield from _table(("tenants", *(known[name].title for name in names)), rows)


def _shown(value: Summary, metric: Metric) -> str:
    middle, least, greatest = (
        f"{number / metric.unit:,.{metric.digits}f}" for number in (value.median, value.least, value.greatest)
    )
    return f"{middle} ({least}–{greatest})"  # noqa: RUF001 - a range is written with an en dash


def _table(headings: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
