"""The kernel settings of a node's namespace: pure. Each is a path below /proc/sys and its value."""

from __future__ import annotations

from farshore.fabric.model import Device, Node

# A namespace starts with the settings of the machine's own (or the kernel's), whatever they are, so every
# setting that farshore relies on is set. What the guards say is all that is said of sources: rp_filter is off.
_EVERY_NODE = (
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    ("net/ipv4/conf/default/accept_source_route", "0"),
)

# The box's own answers have the mark of what they answer: by it an ICMP error finds its way.
_REFLECTED = ("net/ipv4/fwmark_reflect", "1")

_FIVE_MINUTES = "300"
_FOUR_MINUTES = "240"
# Seconds. The kernel's own values are below what the BEHAVE documents require.
_FLOW_TIMEOUTS = (
    # RFC 4787 REQ-5: at least two minutes, five by default.
    ("net/netfilter/nf_conntrack_udp_timeout", _FIVE_MINUTES),
    ("net/netfilter/nf_conntrack_udp_timeout_stream", _FIVE_MINUTES),
    # RFC 5508 REQ-2: at least 60 seconds for a query session.
    ("net/netfilter/nf_conntrack_icmp_timeout", "60"),
    # RFC 5382 REQ-5: established at least 2 hours 4 minutes, transitory at least 4 minutes.
    ("net/netfilter/nf_conntrack_tcp_timeout_established", "7440"),
    ("net/netfilter/nf_conntrack_tcp_timeout_syn_sent", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_syn_recv", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_fin_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_close_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_last_ack", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", _FOUR_MINUTES),
    ("net/netfilter/nf_conntrack_tcp_timeout_unacknowledged", _FIVE_MINUTES),
)


# Each tenant's connections come to a server from one address: the more ports, the more of them.
_OWN_PORTS = ("net/ipv4/ip_local_port_range", "1024\t65535")


def instance_settings() -> tuple[tuple[str, str], ...]:
    """Return the settings of a proxy's routing instance, which forwards nothing."""
    return (*_EVERY_NODE, *_FLOW_TIMEOUTS, _OWN_PORTS, ("net/ipv4/ip_forward", "0"))


def kernel_settings(node: Node) -> tuple[tuple[str, str], ...]:
    """Return the settings of a node, in the order in which they are to be made: forwarding comes last."""
    forwarding = ("net/ipv4/ip_forward", "1" if isinstance(node, Device) else "0")
    reflected = (_REFLECTED,) if isinstance(node, Device) and node.last_hop else ()
    timeouts = _FLOW_TIMEOUTS if isinstance(node, Device) and node.policy is not None else ()
    return (*_EVERY_NODE, *timeouts, *reflected, forwarding)
