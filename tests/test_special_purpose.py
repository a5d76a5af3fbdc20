"""The special-purpose registry is the published one, and what follows from it is worked out address by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from farshore.special_purpose import NEVER_ON_THE_INTERNET, REGISTRY, without

# RFC 6890 section 2.2.2, tables 1 to 16, with what RFC 8190 and the later assignments made of them: the IANA IPv4
# Special-Purpose Address Registry as it stands. Address block, name, RFC, globally reachable.
TABLE = """
0.0.0.0/8          | "This network"                              | [RFC791], Section 3.2       | False
0.0.0.0/32         | "This host on this network"                 | [RFC1122], Section 3.2.1.3  | False
10.0.0.0/8         | Private-Use                                 | [RFC1918]                   | False
100.64.0.0/10      | Shared Address Space                        | [RFC6598]                   | False
127.0.0.0/8        | Loopback                                    | [RFC1122], Section 3.2.1.3  | False
169.254.0.0/16     | Link Local                                  | [RFC3927]                   | False
172.16.0.0/12      | Private-Use                                 | [RFC1918]                   | False
192.0.0.0/24       | IETF Protocol Assignments                   | [RFC6890], Section 2.1      | False
192.0.0.0/29       | IPv4 Service Continuity Prefix              | [RFC7335]                   | False
192.0.0.8/32       | IPv4 dummy address                          | [RFC7600]                   | False
192.0.0.9/32       | Port Control Protocol Anycast               | [RFC7723]                   | True
192.0.0.10/32      | Traversal Using Relays around NAT Anycast   | [RFC8155]                   | True
192.0.0.170/32     | NAT64/DNS64 Discovery                       | [RFC8880][RFC7050]          | False
192.0.0.171/32     | NAT64/DNS64 Discovery                       | [RFC8880][RFC7050]          | False
192.0.2.0/24       | Documentation (TEST-NET-1)                  | [RFC5737]                   | False
192.31.196.0/24    | AS112-v4                                    | [RFC7535]                   | True
192.52.193.0/24    | AMT                                         | [RFC7450]                   | True
192.88.99.0/24     | Deprecated (6to4 Relay Anycast)             | [RFC7526]                   | N/A
192.88.99.2/32     | 6a44-relay anycast address                  | [RFC6751]                   | False
192.168.0.0/16     | Private-Use                                 | [RFC1918]                   | False
192.175.48.0/24    | Direct Delegation AS112 Service             | [RFC7534]                   | True
198.18.0.0/15      | Benchmarking                                | [RFC2544]                   | False
198.51.100.0/24    | Documentation (TEST-NET-2)                  | [RFC5737]                   | False
203.0.113.0/24     | Documentation (TEST-NET-3)                  | [RFC5737]                   | False
240.0.0.0/4        | Reserved                                    | [RFC1112], Section 4        | False
255.255.255.255/32 | Limited Broadcast                           | [RFC919], Section 7         | False
"""
ROWS = tuple(tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines())
# Documentation and benchmarks: what a lab's Internet is made of.
STANDING_IN = ("192.0.2.", "198.51.100.", "203.0.113.", "198.18.", "198.19.")


def test_the_registry_is_the_published_one() -> None:
    reachable = {True: "True", False: "False", None: "N/A"}
    rows = [(str(e.block), e.name, e.rfc.replace(" ", ""), reachable[e.globally_reachable]) for e in REGISTRY]
    assert rows == [
        (block, name.strip('"'), rfc.partition("]")[0].strip("["), reachable) for block, name, rfc, reachable in ROWS
    ]


def test_never_on_the_internet_is_what_the_registry_says_of_each_address() -> None:
    """The longest entry that holds an address decides; multicast is never a source."""
    blocks = [(IPv4Network(block), reachable) for block, _, _, reachable in ROWS]
    edges = {int(network[at]) for network, _ in blocks for at in (0, -1)}
    edges |= {int(network[at]) for network in NEVER_ON_THE_INTERNET for at in (0, -1)}
    for ip in {IPv4Address((each + step) % (1 << 32)) for each in edges for step in (-1, 0, 1)}:
        held_by = max(((n.prefixlen, reachable) for n, reachable in blocks if ip in n), default=(0, "True"))
        expected = (held_by[1] == "False" and not str(ip).startswith(STANDING_IN)) or ip.is_multicast
        assert any(ip in network for network in NEVER_ON_THE_INTERNET) is expected, ip


def test_networks_without_holes() -> None:
    ten = IPv4Network("10.0.0.0/30")
    assert without([ten], [IPv4Network("10.0.0.1/32")]) == (IPv4Network("10.0.0.0/32"), IPv4Network("10.0.0.2/31"))
    assert without([ten], [IPv4Network("10.0.0.0/8")]) == ()
    assert without([ten], []) == (ten,)
    assert without([ten], [IPv4Network("10.0.0.4/30")]) == (ten,)
