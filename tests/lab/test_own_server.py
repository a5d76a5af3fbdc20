"""A lab that leaves a service to a server of ours: the example's learns from the proxy which tenant is calling."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import lab_life
import pytest

pytestmark = pytest.mark.kernel

EXAMPLE = Path(__file__).parents[2] / "examples" / "appliance"
# What curl does, for machines that have none.
CURL = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end='')"
PYTHON = "/usr/bin/python3"


@pytest.fixture
def standing(labs: Path, tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a lab that does not answer as the portal."""
    (tmp_path / "news.key").touch(mode=0o600)
    (tmp_path / "news.key").write_bytes(os.urandom(32))
    file = shutil.copy(EXAMPLE / "intent.yaml", tmp_path)
    made = lab_life.run(labs, "lab", "up", file, "--own-server", "portal")
    if "haproxy is not installed" in made.stderr:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stderr
    yield labs
    assert lab_life.run(labs, "lab", "down").returncode == 0


def fetched(labs: Path, host: str, url: str) -> str:
    return lab_life.run(labs, "lab", "exec", host, "--", PYTHON, "-c", CURL, url).stdout


def served(labs: Path) -> subprocess.Popen[str]:
    """Start the example's service, as its file says."""
    script = str(EXAMPLE / "service.py")
    return lab_life.start(labs, "lab", "exec", "provider/portal", "--", PYTHON, script, "10.1.1.1", "80")


def test_the_examples_service_knows_who_is_calling(standing: Path) -> None:
    assert fetched(standing, "customer-a/alice", "http://10.2.2.1/") == ""
    with served(standing) as service:
        try:
            assert lab_life.until(lambda: fetched(standing, "customer-a/alice", "http://10.2.2.1/") != "")
            for host, tenant in (("customer-a/alice", "customer-a"), ("customer-b/bill", "customer-b")):
                said = fetched(standing, host, "http://10.2.2.1/")
                assert said.startswith(f"hello {tenant}, at your 10.1.1.1:")
        finally:
            service.kill()
    # The one that the lab still answers as is told by a signed header.
    assert '"tenant": "customer-b"' in fetched(standing, "customer-b/bill", "http://10.2.2.2/some/path?of=it")
