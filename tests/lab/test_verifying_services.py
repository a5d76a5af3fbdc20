"""The example's services that verify signed headers, in a lab: a Python service, and nginx by auth_request."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import lab_life
import pytest

pytestmark = pytest.mark.kernel

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "appliance"
PYTHON = "/usr/bin/python3"
# What curl does, for machines that have none: the status and the answer.
CURL = """
import sys, http.client
connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=10)
connection.putrequest(sys.argv[2], sys.argv[3], skip_host=False)
for name in sys.argv[4:]:
    connection.putheader(name, "customer-b")
connection.endheaders()
answer = connection.getresponse()
print(answer.status, answer.read().decode(), end="")
"""
NEWS, PAST_THE_PROXY = "10.2.2.2", "10.1.1.2"


@pytest.fixture
def standing(labs: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a lab that does not answer as the news."""
    (tmp_path / "news.key").touch(mode=0o600)
    (tmp_path / "news.key").write_bytes(os.urandom(32))
    file = shutil.copy(EXAMPLE / "intent.yaml", tmp_path)
    made = lab_life.run(labs, "lab", "up", file, "--own-server", "news")
    if "haproxy is not installed" in made.stderr:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    yield labs
    assert lab_life.run(labs, "lab", "down").returncode == 0


def fetched(labs: Path, host: str, *words: str) -> str:
    return lab_life.run(labs, "lab", "exec", host, "--", PYTHON, "-c", CURL, *words).stdout


@contextlib.contextmanager
def running(labs: Path, *words: str) -> Iterator[None]:
    """Run a program of the provider's host for as long as the context lasts."""
    service: subprocess.Popen[str]
    with lab_life.start(labs, "lab", "exec", "provider/news", "--", *words) as service:
        try:
            yield
        finally:
            service.terminate()


def news(*words: str) -> list[str]:
    return ["env", f"PYTHONPATH={REPOSITORY / 'src'}", PYTHON, str(EXAMPLE / "news.py"), *words]


def hold(labs: Path) -> None:
    """Hold that the service knows its callers, and answers nothing that comes past the proxy."""
    assert lab_life.until(lambda: fetched(labs, "customer-a/alice", NEWS, "GET", "/").startswith("200 "))
    for host, tenant in (("customer-a/alice", "customer-a"), ("customer-b/bill", "customer-b")):
        for target in ("/", "//a/../b%20c?d=%2f&?"):
            assert fetched(labs, host, NEWS, "GET", target).startswith(f"200 hello {tenant}")
    assert fetched(labs, "customer-a/alice", NEWS, "GET", "/", "X_Farshore_Tenant").startswith("200 hello customer-a")
    assert fetched(labs, "provider/news", PAST_THE_PROXY, "GET", "/", "X-Farshore-Tenant").startswith("403 ")


def test_a_python_service_verifies(standing: Path, tmp_path: Path) -> None:
    with running(standing, *news("10.1.1.2", "80", str(tmp_path / "news.key"))):
        hold(standing)


def test_nginx_verifies(standing: Path, tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    words = [nginx, "-p", str(tmp_path), "-c", str(EXAMPLE / "nginx.conf"), "-g", "daemon off; master_process off;"]
    with (
        running(standing, *news("--for-nginx", "127.0.0.1", "8081", str(tmp_path / "news.key"))),
        running(standing, *words),
    ):
        hold(standing)
