"""nftables' grammar: tables, chains, sets and prefixes as text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses

from farshore.realm import Prefix


def table(name: str, lines: Iterable[str]) -> str:
    """Return a table with what is in it."""
    return "\n".join([f"table {name} {{", *(f"\t{line}" if line else "" for line in lines), "}"])


def chain(name: str, hook: str | None, rules: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a chain; ``hook`` None makes it one that is only jumped to."""
    yield f"chain {name} {{"
    if hook is not None:
        yield f"\ttype {hook};"
    for rule in rules:
        yield f"\t{rule}"
    yield "}"
    yield ""


def named(
    name: str,
    key: str,
    elements: Iterable[str],
    keyword: str = "set",
    *,
    flags: str | None = None,
    declared: str = "type",
) -> Iterator[str]:
    """Yield the lines of a named set or map; ``declared`` is ``typeof`` where its type has no name."""
    yield f"{keyword} {name} {{"
    yield f"\t{declared} {key}"
    if flags is not None:
        yield f"\tflags {flags}"
    # Braces around nothing are a syntax error; a set without elements is empty.
    if listed := ", ".join(elements):
        yield f"\telements = {{ {listed} }}"
    yield "}"
    yield ""


def prefixes(given: Iterable[Prefix]) -> str:
    """Return some prefixes as what a rule compares with."""
    return collapsed(prefix.network for prefix in given)


def collapsed(networks: Iterable[IPv4Network]) -> str:
    """Return some networks as what a rule compares with."""
    # Neighbouring prefixes become one: an interval set refuses overlaps, and shorter is quicker.
    names = [shortest(network) for network in collapse_addresses(networks)]
    return names[0] if len(names) == 1 else f"{{ {', '.join(names)} }}"


def each_alone(given: Iterable[Prefix]) -> Iterator[str]:
    """Yield some prefixes as elements of an interval set, less those inside others.

    Neighbours are not put together: where one comes or goes, the elements of all others stay as they are.
    """
    last: IPv4Network | None = None
    for network in sorted({prefix.network for prefix in given}):
        if last is None or not network.subnet_of(last):
            last = network
            yield shortest(network)


def shortest(network: IPv4Network) -> str:
    """Return a network as nft lists it: a single address without its length."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
