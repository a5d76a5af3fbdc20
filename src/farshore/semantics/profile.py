"""Profiles: the order of operations of a kind of device. Data, not branches.

A new kind of box is one more entry of ``PROFILES`` and its line in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from farshore.fabric.model import Device


class Stage(StrEnum):
    """What a device does to a packet, between taking it in and sending it out."""

    DESTINATION = "translate destination"
    SOURCE = "translate source"
    ROUTE = "route"
    FILTER = "filter"


class Returning(StrEnum):
    """How a device finds the way out for a packet of a flow that it knows."""

    ROUTE = "route"  # a look-up of its own, like the first packet's
    SESSION = "session"  # the way that the session remembers
    LAST_HOP = "last hop"  # where the connection came in


class Grade(StrEnum):
    """How sure the source of a profile is."""

    A = "read in the vendor's own documentation or source"
    B = "read in a secondary source"
    C = "general knowledge"


class FilterView(StrEnum):
    """Which form of a new packet's destination a filter judges."""

    ARRIVED = "as it arrived"
    TRANSLATED = "as translated"


@dataclass(frozen=True, slots=True)
class Profile:
    """A device's order of operations for a flow's first packet and for its replies.

    On the way back the stage DESTINATION undoes the source translation and SOURCE the destination
    translation. ``filter_reads`` is the form of the destination that permits are judged by: by position
    it would be what the stages before the filter made of it, but some boxes read the other.
    """

    name: str
    forward: tuple[Stage, ...]
    backward: tuple[Stage, ...]
    returning: Returning
    filter_reads: FilterView
    grade: Grade
    source: str
    returning_says: str = ""

    def translates_before_it_routes(self) -> bool:
        """Tell whether a first packet has its destination translated when its route is looked up."""
        return self.forward.index(Stage.DESTINATION) < self.forward.index(Stage.ROUTE)


ProfileOf = Callable[[Device], Profile]


def profile_of(profile: Profile | None) -> ProfileOf:
    """Return the look-up of a device's profile: the given one for all that filter, or each device's own for None."""

    def of(device: Device) -> Profile:
        # A plain router routes, whatever its make.
        return PROFILES[device.profile] if profile is None or device.policy is None else profile

    return of


def stages(device: Device, profile: Profile, *, returning: bool) -> tuple[Stage, ...]:
    """Return the stages that a packet goes through at a device, in order: a first packet, or one ``returning``."""
    if device.policy is None:
        return (Stage.ROUTE,)
    if not returning:
        return profile.forward
    if device.last_hop:
        return tuple(stage for stage in profile.backward if stage is not Stage.ROUTE)
    return profile.backward


def remembers_ingress(device: Device, profile: Profile) -> bool:
    """Tell whether replies leave by the interface that their flow came in by, whatever the routes say."""
    return device.last_hop or profile.returning is not Returning.ROUTE


# --- the profiles -------------------------------------------------------------------------------------
#
# ``forward`` is the order for a flow's first packet on its way from the WAN inwards, ``backward`` that for the
# replies. What a source leaves open is filled in so that the packet arrives where it can; the source says so.

_DNAT, _SNAT, _ROUTE, _FILTER = Stage.DESTINATION, Stage.SOURCE, Stage.ROUTE, Stage.FILTER

_ALL = (
    Profile(
        name="linux",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        returning=Returning.ROUTE,
        filter_reads=FilterView.TRANSLATED,
        grade=Grade.A,
        source="Linux netfilter hooks and their priorities (nftables wiki, kernel headers)",
        returning_says="replies skip the NAT chains but are translated at the same hooks and then routed",
    ),
    Profile(
        name="nsx-t",
        forward=(_DNAT, _FILTER, _ROUTE, _SNAT),
        backward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        returning=Returning.ROUTE,
        filter_reads=FilterView.TRANSLATED,
        grade=Grade.A,
        source="Multi-Tenant WAN Access to Shared Resources, part 2; NSX-T 3.0 administration guide (inbound order, "
        "firewall match); outbound C",
        returning_says="from inside to outside it filters, translates, and only then forwards",
    ),
    Profile(
        name="cisco-ios",
        forward=(_ROUTE, _DNAT, _SNAT, _FILTER),
        backward=(_DNAT, _SNAT, _ROUTE, _FILTER),
        returning=Returning.ROUTE,
        filter_reads=FilterView.TRANSLATED,
        grade=Grade.B,
        source="summaries of Cisco's NAT order of operations: inside to outside routes first, outside to inside last",
        returning_says="from outside to inside it translates and then routes",
    ),
    Profile(
        name="cisco-asa",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=FilterView.TRANSLATED,
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
        filter_reads=FilterView.TRANSLATED,
        grade=Grade.B,
        source="Junos flow summaries (source NAT's position A): static and destination NAT, route, policy, source NAT",
        returning_says="packets of a known session take the fast path with the session's own next hop",
    ),
    Profile(
        name="fortios",
        forward=(_DNAT, _ROUTE, _FILTER, _SNAT),
        backward=(_DNAT, _SNAT, _FILTER),
        returning=Returning.SESSION,
        filter_reads=FilterView.TRANSLATED,
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
        filter_reads=FilterView.ARRIVED,
        grade=Grade.B,
        source="PAN-OS packet-flow summaries: policy on addresses before NAT and zones after it",
        returning_says="packets of a known session take the fast path",
    ),
    Profile(
        name="f5-ltm",
        forward=(_FILTER, _DNAT, _ROUTE, _SNAT),
        backward=(_DNAT, _SNAT),
        returning=Returning.LAST_HOP,
        filter_reads=FilterView.ARRIVED,
        grade=Grade.B,
        source="F5 on Auto Last Hop (A); listener match, then pool member, then SNAT (B)",
        returning_says="Auto Last Hop: back to the MAC address and VLAN that the connection came from, no look-up",
    ),
    Profile(
        name="vpp",
        forward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        backward=(_FILTER, _DNAT, _SNAT, _ROUTE),
        returning=Returning.ROUTE,
        filter_reads=FilterView.ARRIVED,
        grade=Grade.A,
        source="VPP's nat44-ed source: input ACL, reassembly, NAT, look-up, the same in both directions",
        returning_says="the same graph serves both directions: it translates and then looks up",
    ),
)
PROFILES = MappingProxyType({profile.name: profile for profile in _ALL})
