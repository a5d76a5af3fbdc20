"""What a service believes of who is calling: only what the proxy says."""

from __future__ import annotations

import io
import socket
import struct
from pathlib import Path

import pytest

from farshore.design.catalogue import build
from farshore.errors import MachineError
from farshore.fabric.model import Fabric
from farshore.intent.load import load_text
from farshore.lab.lab_init import read_keys
from farshore.plan.allocate import allocate
from farshore.traffic.caller_claim import NO_CALLER, CallerClaim, ForgedError, read_proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = socket.inet_aton("10.9.9.9") + socket.inet_aton("10.1.1.1") + struct.pack("!HH", 4711, 80)
KEY = bytes(range(32))
EXAMPLE = Path(__file__).parents[2] / "examples" / "appliance" / "intent.yaml"


def tlv(kind: int, content: bytes) -> bytes:
    return struct.pack("!BH", kind, len(content)) + content


def header(rest: bytes, *, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


def test_a_header_says_who_is_calling_and_leaves_the_request() -> None:
    told = tlv(0x05, b"customer-a") + tlv(0x04, b"\0\0") + tlv(0x30, b"customer-a.proxy")
    stream = io.BytesIO(header(ADDRESSES + told) + b"GET / HTTP/1.0\r\n\r\n")
    assert read_proxy_header(stream) == CallerClaim("customer-a", "customer-a.proxy", "10.9.9.9", 4711)
    assert stream.read() == b"GET / HTTP/1.0\r\n\r\n"


def test_a_check_of_the_proxy_calls_for_nobody() -> None:
    assert read_proxy_header(io.BytesIO(header(b"", command=0x20, family=0))) == NO_CALLER
    assert read_proxy_header(io.BytesIO(header(ADDRESSES, command=0x20))) == NO_CALLER


def test_a_name_that_is_no_text_is_left_out() -> None:
    told = tlv(0x05, b"customer-a") + tlv(0x30, b"\xff\xfe")
    assert read_proxy_header(io.BytesIO(header(ADDRESSES + told))).namespace is None


WHOLE = header(ADDRESSES + tlv(0x05, b"customer-a"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GET / HTTP/1.0\r\nHost: 10.2.2.1\r\n\r\n",
        b"PROXY TCP4 10.9.9.9 10.1.1.1 80 80\r\n",
        WHOLE[:15],
        WHOLE[:-1],
        b"x" + WHOLE[1:],
        header(ADDRESSES, command=0x11),
        header(ADDRESSES, command=0x2F),
        header(ADDRESSES, family=0x12),
        header(ADDRESSES[:-1]),
        header(b""),
    ],
    ids=[
        "nothing",
        "a request",
        "version 1",
        "half a start",
        "short of a byte",
        "another signature",
        "another version",
        "an unknown command",
        "UDP",
        "half the addresses",
        "no addresses",
    ],
)
def test_what_is_no_header_is_refused(content: bytes) -> None:
    with pytest.raises(ForgedError):
        read_proxy_header(io.BytesIO(content))


# --- keys --------------------------------------------------------------------------------------------


def fabric() -> Fabric:
    intent = load_text(EXAMPLE.read_text(encoding="utf-8"), "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    return build(intent, plan)


def test_a_key_is_read_beside_the_intent(tmp_path: Path) -> None:
    (tmp_path / "news.key").touch(mode=0o600)
    (tmp_path / "news.key").write_bytes(KEY)
    assert read_keys(fabric(), tmp_path / "intent.yaml") == {"provider/news": KEY}


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (KEY[:15], "has 15 bytes of at least 16")])
def test_a_key_that_keeps_no_secret_is_refused_with_the_mend(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "news.key"
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    with pytest.raises(MachineError, match=said) as refused:
        read_keys(fabric(), tmp_path / "intent.yaml")
    assert f"head -c 32 /dev/urandom > {path}" in str(refused.value)


def test_no_key_is_asked_for_where_none_is_needed(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("signed-header: news.key", "dns: news.acme.example")
    intent = load_text(text, "intent.yaml").intent
    assert intent is not None
    plan = allocate(intent).plan
    assert plan is not None
    assert read_keys(build(intent, plan), tmp_path / "intent.yaml") == {}
