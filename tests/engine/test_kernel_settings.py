"""The kernel settings of each kind of node."""

from __future__ import annotations

import engine_cases
import pytest

from farshore.engine.nftables.desired import settings_of

FORWARDING = "net/ipv4/ip_forward"
FILTERING = {"customer-a/nat", "customer-b/nat", "provider/nat", "provider/edge"}


@pytest.mark.parametrize("node", list(engine_cases.article().nodes))
def test_settings(node: str) -> None:
    made = engine_cases.article().nodes[node]
    settings = settings_of(made)
    found = dict(settings)
    assert len(found) == len(settings)
    # Nothing is forwarded before everything else is as it should be.
    assert settings[-1] == (FORWARDING, "1" if made in engine_cases.article().devices else "0")
    assert found["net/ipv4/conf/default/forwarding"] == found[FORWARDING]
    assert found["net/ipv4/ip_default_ttl"] == "64"
    assert found.get("net/ipv4/icmp_echo_ignore_all") == ("0" if made in engine_cases.article().end_systems else None)
    assert found["net/ipv4/conf/all/rp_filter"] == found["net/ipv4/conf/default/rp_filter"] == "0"
    assert found["net/ipv6/conf/all/disable_ipv6"] == "1"
    assert any("nf_conntrack" in path for path in found) == (node in FILTERING)
    tracking = {f"net/{path}": "0" for path in ("netfilter/nf_conntrack_tcp_loose", "ipv4/ipfrag_max_dist")}
    tracking["net/ipv4/ipfrag_time"] = "3"
    assert (tracking.items() <= found.items()) == (node in FILTERING)
