"""Fragments: put together again they are the packet, and no bound is accepted that no fragment has."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, checksum, encode, fragment, fragments

PACKET = encode(WirePacket(Protocol.UDP, IPv4Address("10.1.1.1"), IPv4Address("10.2.2.1"), 1, 2), bytes(range(93)))
PAYLOAD = PACKET[20:]


def test_a_fragment_worked_out_by_hand() -> None:
    middle = fragment(PACKET, 0x1234, 16, 48)
    assert middle[:10].hex() == "45000034" + "1234" + "2002" + "4011"
    assert middle[12:20] == PACKET[12:20]
    assert fragment(PACKET, 0x1234, 96, 101)[6:8].hex() == "000c"  # the last one says that there is no more


@given(st.lists(st.integers(1, 12).map(lambda units: units * 8), unique=True).map(sorted))
def test_what_is_cut_is_whole(cuts: list[int]) -> None:
    parts = fragments(PACKET, 7, cuts)
    assert b"".join(part[20:] for part in parts) == PAYLOAD
    assert all(checksum(part[:20]) == 0 for part in parts)
    assert [part[6] & 0x20 != 0 for part in parts] == [True] * len(cuts) + [False]
    assert [(int.from_bytes(part[6:8], "big") & 0x1FFF) * 8 for part in parts] == [0, *cuts]


@pytest.mark.parametrize(("start", "end"), [(4, 16), (0, 20), (16, 16), (24, 16), (-8, 8), (96, 102)])
def test_what_no_fragment_has_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no fragment"):
        fragment(PACKET, 1, start, end)
