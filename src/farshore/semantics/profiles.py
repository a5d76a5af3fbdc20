"""The profiles. A new kind of box is one more entry here and its line in the tests.

``forward`` is the order for a flow's first packet on its way from the WAN inwards, ``backward`` that for the
replies. What a source leaves open is filled in so that the packet arrives where it can; the source says so.
"""

from __future__ import annotations

from types import MappingProxyType

from farshore.semantics.profile import Form, Grade, Profile, Returning, Stage

_DNAT, _SNAT, _ROUTE, _FILTER = Stage.DESTINATION, Stage.SOURCE, Stage.ROUTE, Stage.FILTER

_ALL = (
    Profile(
        name="linux",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        returning=Returning.ROUTE,
        filter_reads=Form.TRANSLATED,
        grade=Grade.A,
        source="Linux netfilter hooks and their priorities (nftables wiki, kernel headers)",
        returning_says="replies skip the NAT chains but are translated at the same hooks and then routed",
    ),
    Profile(
        name="nsx-t",
        forward=(_DNAT, _FILTER, _ROUTE, _SNAT),
        backward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        returning=Returning.ROUTE,
        filter_reads=Form.TRANSLATED,
        grade=Grade.A,
        source="the article; NSX-T 3.0 administration guide (inbound order, firewall match); outbound C",
        returning_says="from inside to outside it filters, translates, and only then forwards",
    ),
    Profile(
        name="cisco-ios",
        forward=(_ROUTE, _DNAT, _SNAT, _FILTER),
        backward=(_DNAT, _SNAT, _ROUTE, _FILTER),
        returning=Returning.ROUTE,
        filter_reads=Form.TRANSLATED,
        grade=Grade.B,
        source="summaries of Cisco's NAT order of operations: inside to outside routes first, outside to inside last",
        returning_says="from outside to inside it translates and then routes",
    ),
    Profile(
        name="cisco-asa",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=Form.TRANSLATED,
        grade=Grade.B,
        source="ASA 9.x packet-flow summaries: un-NAT, access list on real addresses, NAT; they disagree on routing: "
        "here a look-up follows un-NAT, in some of them un-NAT itself picks the way out, and step 3 would not glitch",
        returning_says="packets of a known session take the fast path: no access list, no new route",
    ),
    Profile(
        name="junos-srx",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=Form.TRANSLATED,
        grade=Grade.B,
        source="Junos flow summaries (source NAT's position A): static and destination NAT, route, policy, source NAT",
        returning_says="packets of a known session take the fast path with the session's own next hop",
    ),
    Profile(
        name="fortios",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=Form.TRANSLATED,
        grade=Grade.B,
        source="FortiOS packet-flow documents (destination NAT before route and policy A, the rest B)",
        returning_says="packets of a known session use the session's own route",
    ),
    Profile(
        name="pan-os",
        # It routes again when the destination has changed, and it is that second look-up that counts.
        forward=(_ROUTE, _DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=Form.ARRIVED,
        grade=Grade.B,
        source="PAN-OS packet-flow summaries: policy on addresses before NAT and zones after it",
        returning_says="packets of a known session take the fast path",
    ),
    Profile(
        name="f5-ltm",
        forward=(_FILTER, _DNAT, _ROUTE, _SNAT),
        backward=(_DNAT, _SNAT),
        returning=Returning.LAST_HOP,
        filter_reads=Form.ARRIVED,
        grade=Grade.B,
        source="F5 on Auto Last Hop (A); listener match, then pool member, then SNAT (B)",
        returning_says="Auto Last Hop: back to the MAC address and VLAN that the connection came from, no look-up",
    ),
    Profile(
        name="vpp",
        forward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        backward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        returning=Returning.ROUTE,
        filter_reads=Form.ARRIVED,
        grade=Grade.A,
        source="VPP's nat44-ed source: input ACL, reassembly, NAT, look-up, the same in both directions",
        returning_says="the same graph serves both directions: it translates and then looks up",
    ),
)
PROFILES = MappingProxyType({profile.name: profile for profile in _ALL})
