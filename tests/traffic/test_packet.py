"""Made-up packets, against vectors worked out by hand, and their checksums by RFC 1071's own test."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farshore.port import Protocol
from farshore.traffic.packet import WirePacket, checksum, encode

HERE, THERE = IPv4Address("10.1.1.1"), IPv4Address("10.2.2.1")
packets = st.builds(
    WirePacket,
    st.sampled_from(Protocol),
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 65535),
    st.integers(0, 65535),
)


def test_the_example_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@pytest.mark.parametrize(("data", "expected"), [(b"", 0xFFFF), (b"\x01", 0xFEFF), (b"\xff\xff", 0), (bytes(7), 0xFFFF)])
def test_small_and_odd_lengths(data: bytes, expected: int) -> None:
    assert checksum(data) == expected


def test_a_header_worked_out_by_hand() -> None:
    # 4500+001c+0000+0000+4011+0a01+0101+0a02+0201 = 9c32, complement 63cd... of the UDP packet below.
    packet = encode(WirePacket(Protocol.UDP, HERE, THERE, 41642, 9), b"")
    words = [0x4500, 0x001C, 0, 0, 0x4011, 0x0A01, 0x0101, 0x0A02, 0x0201]
    assert sum(words) == 0x9C32
    assert packet[:20].hex() == "4500001c000000004011" + f"{0xFFFF - 0x9C32:04x}" + "0a0101010a020201"
    # Pseudo header and datagram: 0a01+0101+0a02+0201+0011+0008 and a2aa+0009+0008.
    total = 0x0A01 + 0x0101 + 0x0A02 + 0x0201 + 0x0011 + 0x0008 + 0xA2AA + 0x0009 + 0x0008
    assert packet[20:].hex() == f"a2aa00090008{0xFFFF - total:04x}"


@given(packets, st.binary(max_size=64))
def test_every_checksum_is_right(packet: WirePacket, payload: bytes) -> None:
    """A sum that includes its own checksum comes to nothing."""
    content = encode(packet, payload)
    header, body = content[:20], content[20:]
    assert int.from_bytes(content[2:4], "big") == len(content)
    assert checksum(header) == 0
    pseudo = struct.pack("!4s4sBBH", packet.source.packed, packet.destination.packed, 0, header[9], len(body))
    assert checksum(body if packet.protocol is Protocol.ICMP else pseudo + body) == 0
    assert body.endswith(payload)


@given(packets)
def test_no_datagram_says_that_it_has_no_checksum(packet: WirePacket) -> None:
    content = encode(packet, b"")
    if packet.protocol is Protocol.UDP:
        assert content[26:28] != b"\0\0"


def test_it_reads_well() -> None:
    assert str(WirePacket(Protocol.TCP, HERE, THERE, 41642, 443)) == "tcp 10.1.1.1:41642 > 10.2.2.1:443"
    assert str(WirePacket(Protocol.ICMP, HERE, THERE, 1, 0)) == "icmp 10.1.1.1 > 10.2.2.1"
