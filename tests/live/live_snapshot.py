"""What other people's programs see of a node: the same text where nothing differs, and none of our own reading."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from farshore.engine.nftables import ruleset_update
from farshore.machine.namespace import namespace_name
from farshore.machine.world import PRIVATE

_SETTINGS = "disable_ipv6 forwarding rp_filter accept_redirects send_redirects accept_source_route"
_SETTINGS += " proxy_arp accept_local route_localnet"
_LOOK = f"""
ip -o link; ip -o address; ip neighbour show nud permanent
ip -4 route show table all; ip -6 route show table all; ip -4 rule; ip -6 rule
ip neighbour show proxy; ip neighbour show nud noarp | grep -v "^2[2-5]"; ip nexthop
(ip mrule; ip -6 mrule) | grep -v ^32767; ip mroute show table all
ip xfrm policy; ip xfrm state; ip xfrm policy getdefault
for program in ip ip6; do for table in $(cat /proc/net/${{program}}_tables_names); do
    ${{program}}tables-legacy -t $table -S | grep -v "^-P [A-Z]* ACCEPT$"  # a table with no rule stays, and is as none
done; done
tc qdisc show; cat /proc/sys/net/ipv4/ip_forward
for family in ipv4 ipv6; do for name in {_SETTINGS}; do
    grep -sH . /proc/sys/net/$family/conf/*/$name
done; done
echo rules; nft --stateless --numeric list ruleset
"""
# What differs where nothing does: numbers of interfaces, namespaces and transactions.
_NUMBERS = re.compile(r"^\d+: |@if\d+|link-netnsid \d+|link-netns \S+|generation:\d+")


def snapshot(nodes: Iterable[str]) -> dict[str, list[str]]:
    """Return what is seen of each node, in lines."""
    with ThreadPoolExecutor(2) as pool:
        names = list(nodes)
        return dict(zip(names, pool.map(_look, names), strict=True))


def differences(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """Return the lines that only one of two snapshots has."""
    return [
        f"{node}: {line}"
        for node in sorted(one.keys() | other.keys())
        for line in sorted(set(one.get(node, [])) ^ set(other.get(node, [])))
    ]


def _look(node: str) -> list[str]:
    with PRIVATE.entered(namespace_name(node)):
        seen = subprocess.run(
            ["/usr/sbin/ip", "netns", "exec", namespace_name(node), "sh", "-c", _LOOK],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    state, _, rules = seen.partition("rules\n")
    lines = [_NUMBERS.sub("", line).strip() for line in state.splitlines()]
    tables = [f"{place} {text}" for place, text in ruleset_update.contents(rules).items()]
    others = re.findall(r"^table .*$", rules, flags=re.MULTILINE)
    return sorted([*lines, *tables, *others])
