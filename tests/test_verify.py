"""What a service believes of signed headers: what the proxy has signed, for this request, this service, this minute."""

from __future__ import annotations

import base64
import hmac
import subprocess
import sys
from pathlib import Path

import pytest

from farshore import verify
from farshore.verify import Caller, VerificationError, Verifier

NOW = 1_800_000_000
KEY, NEXT = bytes(range(32)), bytes(range(1, 33))
NONCE = "3c2c1006-40d9-4dce-b5b3-06c1409e8f01"
COVERED = '("@method" "@authority" "@path" "@query" "x-farshore-tenant" "x-farshore-client")'
PARAMETERS = (
    f'{COVERED};created={NOW};expires={NOW + 60};nonce="{NONCE}";keyid="news.key";alg="hmac-sha256";tag="farshore/news"'
)
VERIFIER = Verifier("news", {"news.key": KEY, "next.key": NEXT})
Headers = list[tuple[str, str]]


def signed(
    parameters: str = PARAMETERS, key: bytes = KEY, query: str = "?a=%20", tenant: str = "customer-a"
) -> Headers:
    """Return the headers of ``GET /x?a=%20`` for news, signed by these parameters. The base is written out."""
    base = (
        f'"@method": GET\n"@authority": news\n"@path": /x\n"@query": {query}\n"x-farshore-tenant": {tenant}\n'
        f'"x-farshore-client": 10.1.1.1:4711\n"@signature-params": {parameters}'
    )
    signature = base64.b64encode(hmac.digest(key, base.encode(), "sha256")).decode()
    return [
        ("Host", "NEWS:80"),
        ("X-Farshore-Tenant", tenant),
        ("X-Farshore-Client", "10.1.1.1:4711"),
        ("Signature-Input", f"farshore={parameters}"),
        ("Signature", f"farshore=:{signature}:"),
    ]


def verified(headers: Headers, now: float = NOW, method: str = "GET", target: str = "/x?a=%20") -> Caller:
    return VERIFIER.verify(method, target, headers, now)


def with_header(name: str, value: str) -> Headers:
    return [(each, value if each == name else given) for each, given in signed()]


def test_what_the_proxy_has_signed_is_believed() -> None:
    assert verified(signed()) == Caller("customer-a", "10.1.1.1", 4711, NONCE)
    assert verified(signed(query="?"), target="/x").tenant == "customer-a"


def test_two_keys_overlap() -> None:
    assert verified(signed(PARAMETERS.replace("news.key", "next.key"), NEXT)).tenant == "customer-a"
    with pytest.raises(VerificationError, match="wrong signature"):
        verified(signed(PARAMETERS.replace("news.key", "next.key"), KEY))
    with pytest.raises(VerificationError, match=r"key old\.key is unknown"):
        verified(signed(PARAMETERS.replace("news.key", "old.key")))


def test_services_that_share_a_key_do_not_accept_each_others_headers() -> None:
    with pytest.raises(VerificationError, match="for service portal"):
        verified(signed(PARAMETERS.replace("farshore/news", "farshore/portal")))


@pytest.mark.parametrize("name", [name for name, _ in signed()])
def test_each_header_is_there_once(name: str) -> None:
    with pytest.raises(VerificationError, match=f"no header {name.lower()}"):
        verified([each for each in signed() if each[0] != name])
    with pytest.raises(VerificationError, match=f"two headers {name.lower()}"):
        verified([*signed(), (name.upper(), "x")])


@pytest.mark.parametrize(
    "headers",
    [
        with_header("X-Farshore-Tenant", "customer-b"),
        with_header("X-Farshore-Client", "10.1.1.2:4711"),
        with_header("Host", "other"),
        with_header("Signature", "farshore=:" + "A" * 43 + "=:"),
        signed(key=KEY[::-1]),
    ],
    ids=["tenant", "client", "host", "signature", "key"],
)
def test_what_was_changed_is_refused(headers: Headers) -> None:
    with pytest.raises(VerificationError, match="wrong signature"):
        verified(headers)


@pytest.mark.parametrize(("method", "target"), [("POST", "/x?a=%20"), ("GET", "/y?a=%20"), ("GET", "/x?a= ")])
def test_a_signature_is_one_requests(method: str, target: str) -> None:
    with pytest.raises(VerificationError, match="wrong signature"):
        verified(signed(), method=method, target=target)


@pytest.mark.parametrize(
    "parameters",
    [
        PARAMETERS.replace('"@query" ', ""),
        PARAMETERS.replace("hmac-sha256", "none"),
        PARAMETERS.replace(f";expires={NOW + 60}", ""),
        PARAMETERS.replace(f"created={NOW}", "created=-1"),
        PARAMETERS + ";more",
        PARAMETERS + f", other={PARAMETERS}",
        "",
    ],
    ids=["covers less", "algorithm", "no end", "before 1970", "another parameter", "two signatures", "nothing"],
)
def test_another_form_is_refused_with_the_right_key_too(parameters: str) -> None:
    with pytest.raises(VerificationError, match="another form"):
        verified(signed(parameters))


@pytest.mark.parametrize(
    ("now", "said"), [(NOW + 61, "expired"), (NOW + 3600, "expired"), (NOW - 6, "of the future; compare the clocks")]
)
def test_a_signature_is_this_minutes(now: float, said: str) -> None:
    assert verified(signed(), NOW + 60) == verified(signed(), NOW - 5)
    with pytest.raises(VerificationError, match=said):
        verified(signed(), now)


def test_a_signature_cannot_be_made_to_last() -> None:
    with pytest.raises(VerificationError, match="valid for other than 60 seconds"):
        verified(signed(PARAMETERS.replace(f"expires={NOW + 60}", f"expires={NOW + 61}")))


def test_the_file_can_be_copied(tmp_path: Path) -> None:
    """It runs where nothing of farshore, and nothing but Python, is installed."""
    copy = tmp_path / "verify.py"
    copy.write_bytes(Path(verify.__file__).read_bytes())
    program = "import verify; print(verify.Verifier('news', {}).service)"
    made = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.stdout, made.stderr) == ("news\n", "")
