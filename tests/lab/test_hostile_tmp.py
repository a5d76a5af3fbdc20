"""What another user of the machine puts where labs are known: nothing of the victim's is read, changed or ended.

As root the victim is an ordinary user, and the other one another. As an ordinary user both are this one, and what needs
files of somebody else is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lab_life
import pytest

from farshore.errors import EXIT_BAD_INPUT, EXIT_MACHINE, EXIT_YES, FarshoreError
from farshore.lab.record import Record
from farshore.lab.registry import FOLDER_VARIABLE, claimed, entry
from farshore.machine.world import start_time

IS_ROOT = os.geteuid() == 0
VICTIM, ATTACKER = (65534, 65533) if IS_ROOT else (os.geteuid(), os.geteuid())
NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root can make files of another user")
ESCAPES = "\x1b]0;mine\x07\x1b[31m\x9b1m\u202e\n"
# What the victim runs; none of these may take a lab for theirs that another user may have written.
READING = [
    ["lab", "status"],
    ["lab", "status", "--json"],
    ["lab", "exec", "customer-a/alice", "--", "true"],
    ["lab", "exec", "--name", "mine", "customer-a/alice", "--", "true"],
    ["lab", "apply", "--name", "mine", "FILE"],
    ["walk", "FILE", "--from", "customer-a/alice", "--to", "portal", "--live", "--name", "mine"],
    ["lab", "down"],
    ["lab", "down", "--name", "mine"],
]


@dataclass(frozen=True, slots=True)
class Scene:
    """A folder like /tmp, with a folder of the victim's in it, and a process of the victim's.

    Attributes:
        tmp: what stands for /tmp.
        own: where the victim's labs would be: ``tmp/farshore-UID``.
        precious: a folder of the victim's that has files with the names of a lab's, which must stay as they are.
        bystander: the number of a process of the victim's, which must live on.
    """

    tmp: Path
    own: Path
    precious: Path
    bystander: int
    python: list[str]

    @property
    def labs(self) -> Path:
        """Return the folder of labs."""
        return self.own / "labs"

    @property
    def mine(self) -> Path:
        """Return the folder of the lab ``mine``."""
        return self.labs / "mine"

    def run(self, *commands: list[str]) -> list[dict[str, Any]]:
        """Run commands as the victim and return how each ended."""
        words = [[str(lab_life.ARTICLE) if word == "FILE" else word for word in each] for each in commands]
        modules = [path for path in sys.path if path]
        own = {"PATH": os.defpath, "TMPDIR": str(self.tmp), "PYTHONPATH": os.pathsep.join(modules), "COLUMNS": "80"}
        done = subprocess.run(
            [*self.python, "-m", "hostile_victim", json.dumps(words)],
            env=own,
            cwd=self.tmp,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **as_user(VICTIM),
        )
        assert done.returncode == 0, done.stderr
        ended: list[dict[str, Any]] = json.loads(done.stdout)
        return ended

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Return what the victim's own files hold, and their modes."""
        files = (path for path in self.precious.rglob("*") if path.is_file())
        return {str(path): (path.read_bytes(), path.stat().st_mode) for path in files}

    def unharmed(self, before: dict[str, tuple[bytes, int]]) -> bool:
        """Tell whether the victim's files are as they were, and the process lives."""
        return self.snapshot() == before and start_time(self.bystander) is not None


def as_user(uid: int) -> dict[str, Any]:
    """Return what makes subprocess run a program as another user, where this one may."""
    return {"user": uid, "group": uid, "extra_groups": []} if IS_ROOT else {}


def folder(path: Path, owner: int, mode: int = 0o700) -> Path:
    """Make a folder of a user's."""
    path.mkdir()
    path.chmod(mode)
    if IS_ROOT:
        os.chown(path, owner, owner)
    return path


def file(path: Path, owner: int, content: str = "", mode: int = 0o600) -> Path:
    """Make a file of a user's."""
    path.write_text(content)
    path.chmod(mode)
    if IS_ROOT:
        os.chown(path, owner, owner)
    return path


def link(path: Path, target: Path, owner: int) -> None:
    """Make a symbolic link of a user's."""
    path.symlink_to(target)
    if IS_ROOT:
        os.lchown(path, owner, owner)


def fifo(path: Path, owner: int) -> None:
    """Make a FIFO of a user's."""
    os.mkfifo(path, 0o600)
    if IS_ROOT:
        os.chown(path, owner, owner)


def forged(process: int, **changes: object) -> str:
    """Return the record of a lab whose first process is said to be this one, with escape sequences where they fit."""
    started = start_time(process)
    assert started is not None
    record = Record(
        "mine", process, started, VICTIM, "lake", "/i.yaml", "2026-01-01T00:00:00+00:00", ("customer-a/alice",)
    )
    return json.dumps(asdict(replace(record, stays=True)) | changes)


@pytest.fixture(scope="module")
def python() -> list[str]:
    """Return a Python that the victim may run, with this copy of farshore."""
    for each in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            own = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            words = [each, "-c", "import hostile_victim, pyroute2, pydantic, yaml"]
            if (
                subprocess.run(words, env=own, cwd="/", capture_output=True, check=False, **as_user(VICTIM)).returncode
                == 0
            ):
                return [each]
    pytest.skip("other users may not read this copy of farshore, or the Python that runs it")


@pytest.fixture
def scene(python: list[str]) -> Iterator[Scene]:
    """Make the victim's folders and process, and remove them."""
    tmp = Path(tempfile.mkdtemp(prefix="farshore-test-"))
    tmp.chmod(0o1777)
    precious = folder(tmp / "precious", VICTIM)
    inner = folder(precious / "labs", VICTIM)
    of_a_lab = folder(inner / "mine", VICTIM)
    with subprocess.Popen(["sleep", "600"], **as_user(VICTIM)) as bystander:
        for path in (precious, of_a_lab):
            for name in ("lock", "log", "lab.json.new", "diary"):
                file(path / name, VICTIM, "precious")
            file(path / "lab.json", VICTIM, forged(bystander.pid))
        yield Scene(tmp, tmp / f"farshore-{VICTIM}", precious, bystander.pid, python)
        bystander.kill()
    shutil.rmtree(tmp)


# --- what the other user has put there --------------------------------------------------------------


def _top_is_a_link(scene: Scene) -> None:
    link(scene.own, scene.precious, ATTACKER)


def _top_is_foreign(scene: Scene) -> None:
    folder(scene.own, ATTACKER, 0o755)
    folder(scene.labs, ATTACKER, 0o755)
    folder(scene.mine, ATTACKER, 0o755)
    file(scene.mine / "lab.json", ATTACKER, forged(scene.bystander, intent=ESCAPES), 0o644)


def _top_is_open(scene: Scene) -> None:
    folder(scene.own, VICTIM, 0o777)
    link(scene.labs, scene.precious / "labs", ATTACKER)


def _labs_is_a_link(scene: Scene) -> None:
    folder(scene.own, VICTIM)
    link(scene.labs, scene.precious / "labs", ATTACKER)


def _labs_is_foreign(scene: Scene) -> None:
    folder(scene.own, VICTIM)
    folder(scene.labs, ATTACKER, 0o755)
    link(scene.mine, scene.precious, ATTACKER)


def _labs_is_open(scene: Scene) -> None:
    folder(scene.own, VICTIM)
    folder(scene.labs, VICTIM, 0o770)
    link(scene.mine, scene.precious, ATTACKER)


def _lab(scene: Scene, owner: int = VICTIM, mode: int = 0o700) -> Path:
    folder(scene.own, VICTIM)
    folder(scene.labs, VICTIM)
    return folder(scene.mine, owner, mode)


def _lab_is_a_link(scene: Scene) -> None:
    folder(scene.own, VICTIM)
    folder(scene.labs, VICTIM)
    link(scene.mine, scene.precious, ATTACKER)


def _lab_is_foreign(scene: Scene) -> None:
    file(_lab(scene, ATTACKER, 0o755) / "lab.json", ATTACKER, forged(scene.bystander), 0o644)


def _lab_is_open(scene: Scene) -> None:
    file(_lab(scene, mode=0o777) / "lab.json", VICTIM, forged(scene.bystander))


def _record_is_a_link(scene: Scene) -> None:
    link(_lab(scene) / "lab.json", scene.precious / "lab.json", ATTACKER)


def _record_is_foreign(scene: Scene) -> None:
    file(_lab(scene) / "lab.json", ATTACKER, forged(scene.bystander), 0o644)


def _record_is_open(scene: Scene) -> None:
    file(_lab(scene) / "lab.json", VICTIM, forged(scene.bystander), 0o666)


def _record_is_a_fifo(scene: Scene) -> None:
    fifo(_lab(scene) / "lab.json", ATTACKER)


def _record_is_a_folder(scene: Scene) -> None:
    folder(_lab(scene) / "lab.json", ATTACKER)


def _lock_is_a_link(scene: Scene) -> None:
    file(_lab(scene) / "lab.json", VICTIM, forged(scene.bystander))
    link(scene.mine / "lock", scene.precious / "lock", ATTACKER)


def _lock_is_a_fifo(scene: Scene) -> None:
    fifo(_lab(scene) / "lock", ATTACKER)


def _lock_is_open(scene: Scene) -> None:
    file(_lab(scene) / "lock", VICTIM, mode=0o666)


FOREIGN = pytest.param
HOSTILE = [
    (_top_is_a_link, "is a symbolic link of"),
    (_top_is_open, "is writable by other users (mode 0777); run: chmod go-w"),
    (_labs_is_a_link, "is a symbolic link of"),
    (_labs_is_open, "is writable by other users (mode 0770); run: chmod go-w"),
    (_lab_is_a_link, "is a symbolic link of"),
    (_lab_is_open, "is writable by other users (mode 0777); run: chmod go-w"),
    (_record_is_a_link, "is no regular file; remove it"),
    (_record_is_open, "is writable by other users (mode 0666); run: chmod go-w"),
    (_record_is_a_fifo, "is no regular file; remove it"),
    (_record_is_a_folder, "is no regular file; remove it"),
    (_lock_is_a_link, "is no regular file; remove it"),
    (_lock_is_a_fifo, "is no regular file; remove it"),
    (_lock_is_open, "is writable by other users (mode 0666); run: chmod go-w"),
    pytest.param(_top_is_foreign, f"belongs to another user (uid {ATTACKER}); set FARSHORE_LABS", marks=NEEDS_ROOT),
    pytest.param(_labs_is_foreign, f"belongs to another user (uid {ATTACKER}); set FARSHORE_LABS", marks=NEEDS_ROOT),
    pytest.param(_lab_is_foreign, f"belongs to another user (uid {ATTACKER}); set FARSHORE_LABS", marks=NEEDS_ROOT),
    pytest.param(_record_is_foreign, f"belongs to another user (uid {ATTACKER}); remove it", marks=NEEDS_ROOT),
]


@pytest.mark.parametrize(("plant", "says"), HOSTILE)
def test_what_another_user_may_have_put_there_is_refused(
    scene: Scene, plant: Callable[[Scene], None], says: str
) -> None:
    plant(scene)
    before = scene.snapshot()
    ended = scene.run(*READING)
    assert scene.unharmed(before)
    assert any(says in each["err"] for each in ended), ended
    for each in ended:
        # What down can clear away without a danger it does.
        assert each["status"] in (EXIT_MACHINE, EXIT_BAD_INPUT, EXIT_YES)
        assert each["out"].isascii()
        assert all(line.isprintable() for line in (each["out"] + each["err"]).splitlines())
        assert "Traceback" not in each["err"]
        assert len(each["err"].splitlines()) <= 1


@pytest.mark.parametrize("plant", [_top_is_a_link, _labs_is_a_link, _lab_is_a_link, _lock_is_a_link])
def test_no_lab_is_made_there(scene: Scene, plant: Callable[[Scene], None]) -> None:
    plant(scene)
    before = scene.snapshot()
    up, run = scene.run(["lab", "up", "FILE", "--name", "mine"], ["lab", "run", "FILE"])
    assert (up["status"], up["out"]) == (EXIT_MACHINE, "")
    assert scene.unharmed(before)
    if plant in (_top_is_a_link, _labs_is_a_link):  # the other name has a folder of its own otherwise
        assert (run["status"], run["out"]) == (EXIT_MACHINE, "")


@pytest.mark.kernel
def test_a_log_that_is_a_link_is_not_written_through(scene: Scene) -> None:
    link(_lab(scene) / "log", scene.precious / "log", ATTACKER)
    link(scene.mine / "lab.json.new", scene.precious / "lab.json.new", ATTACKER)
    before = scene.snapshot()
    up, down = scene.run(["lab", "up", "FILE", "--name", "mine"], ["lab", "down"])
    if up["status"] == EXIT_MACHINE and lab_life.LACKING in up["err"]:
        pytest.skip(up["err"].strip())
    assert (up["status"], down["status"]) == (EXIT_YES, EXIT_YES), (up, down)
    assert scene.unharmed(before)
    assert not scene.own.exists()


@NEEDS_ROOT
def test_a_link_on_the_way_to_the_folder_of_choice_must_be_ones_own(scene: Scene) -> None:
    link(scene.tmp / "way", scene.precious, ATTACKER)
    environment = {FOLDER_VARIABLE: str(scene.tmp / "way" / "labs"), "PATH": os.defpath}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    words = [*scene.python, "-m", "farshore", "lab", "status"]
    before = scene.snapshot()
    for owner, status in ((ATTACKER, EXIT_MACHINE), (VICTIM, EXIT_YES), (0, EXIT_YES)):
        os.lchown(scene.tmp / "way", owner, owner)
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, **as_user(VICTIM))
        assert done.returncode == status, done.stderr
        assert ("way is a symbolic link of another user" in done.stderr) == (owner == ATTACKER)
    assert scene.unharmed(before)


# --- records ----------------------------------------------------------------------------------------


def test_a_forged_record_ends_no_process(scene: Scene) -> None:
    file(_lab(scene) / "lab.json", VICTIM, forged(scene.bystander))
    file(scene.mine / "lock", VICTIM)
    before = scene.snapshot()
    (down,) = scene.run(["lab", "down"])
    assert (down["status"], down["out"]) == (EXIT_YES, "lab mine is down\n")
    assert scene.unharmed(before)
    assert not scene.own.exists()


def test_what_is_not_the_labs_stays_and_is_named(scene: Scene) -> None:
    file(_lab(scene) / "lab.json", VICTIM, "{")
    diary = file(scene.mine / "diary", VICTIM, "dear")
    inner = folder(scene.mine / f"in{ESCAPES}ner", VICTIM)
    (down,) = scene.run(["lab", "down"])
    assert down["status"] == EXIT_MACHINE
    assert "holds what is not the lab's: diary, in\\x1b]0;mine\\x07" in down["err"]
    assert len(down["err"].splitlines()) == 1
    assert sorted(scene.mine.iterdir()) == sorted([diary, inner])


DEEP = 100_000
KINDS = {
    "empty": "",
    "cut off": '{"name": "mine", "pid": 1',
    "no object": "[1]",
    "null": "null",
    "a key too few": '{"name": "mine"}',
    "deep": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP,
    "a huge number": '{"pid": ' + "9" * 10_000 + "}",
    "NaN": "NaN",
    "not UTF-8": "\udcff\udcfe",
    "NUL": "\0" * 100,
    "escapes": ESCAPES,
}
VALUES: dict[str, list[object]] = {
    "name": ["other", "", "../x", 1, None, ESCAPES],
    "pid": [0, -1, 1 << 70, True, "1", 1.0, None, [1]],
    "started": [-1, 1 << 64, "1", None, False],
    "uid": [-1, VICTIM + 1, "0", None],
    "design": ["", ESCAPES, 1, None, "x" * 1000],
    "intent": ["relative", "", "/" + "x" * 5000, "/a\0b", 1, None],
    "created": ["yesterday", ESCAPES, "2026-01-01T00:00:00+00:00" + ESCAPES, 1, None, "2026-01-01T00:00:00+99:00"],
    "nodes": ["a/b", {"a/b": 1}, [1], [ESCAPES], ["../../x"], ["-a/b"], ["a/b c"], [None], [["a/b"]], None],
    "stays": [1, "true", None],
}
CORRUPT = [*KINDS.items(), *((f"{key}: {value!r:.30}", {key: value}) for key, of in VALUES.items() for value in of)]


@pytest.mark.parametrize("kind", CORRUPT, ids=[name for name, _ in CORRUPT])
def test_a_corrupt_record_is_told_in_one_line(labs: Path, kind: tuple[str, str | dict[str, object]]) -> None:
    content = kind[1] if isinstance(kind[1], str) else forged(os.getpid(), **kind[1])
    with claimed("mine") as (here, _):
        pass
    (labs / "mine" / "lab.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    (labs / "mine" / "lab.json").chmod(0o600)
    with pytest.raises(FarshoreError) as raised:
        here.read()
    message = str(raised.value)
    assert raised.value.exit_status == EXIT_MACHINE
    assert message.startswith(f"{labs}/mine/lab.json is no record of a lab: ")
    assert message.endswith("; remove it with: farshore lab down --name mine")
    assert message.isprintable()
    assert here.erase() == ()


def test_a_huge_record_is_not_read_whole(labs: Path) -> None:
    with claimed("mine") as (here, _):
        path = labs / "mine" / "lab.json"
        path.touch(mode=0o600)
        os.truncate(path, 1 << 40)
        with pytest.raises(FarshoreError, match="it is larger than 64 MiB"):
            here.read()


@pytest.mark.parametrize("content", ["{", "[" * DEEP, json.dumps({"name": ESCAPES})])
def test_every_command_tells_of_a_corrupt_record(scene: Scene, content: str) -> None:
    file(_lab(scene) / "lab.json", VICTIM, content)
    file(scene.mine / "lock", VICTIM)
    other = folder(scene.labs / "other", VICTIM)
    file(other / "lab.json", VICTIM, forged(scene.bystander, name="other", started=1))
    ended = scene.run(*(each for each in READING if each[1] != "down"), ["lab", "down", "--name", "mine"])
    place = f"{scene.mine}/lab.json is no record of a lab: "
    told = [place in each["err"] and each["err"].isascii() and each["err"].count("\n") == 1 for each in ended]
    assert told == [True, True, False, True, True, True, False]  # exec without a name has two labs to choose from
    assert [each["status"] for each in ended] == [3, 3, 2, 3, 3, 3, 0]
    assert ended[0]["out"].startswith("other: dead, ")
    assert [each.get("invalid", "")[: len(place)] for each in json.loads(ended[1]["out"])["labs"]] == [place, ""]
    assert not scene.mine.exists()


@pytest.mark.kernel
def test_a_lab_whose_record_is_lost_is_taken_down_all_the_same(labs: Path) -> None:
    assert lab_life.run(labs, "lab", "up", str(lab_life.ARTICLE)).returncode == 0
    record = entry("lab").read()
    assert record is not None
    (labs / "lab" / "lab.json").write_text("{")
    assert lab_life.run(labs, "lab", "down").returncode == 0
    assert start_time(record.pid) != record.started
    assert not labs.exists()


# --- races ------------------------------------------------------------------------------------------

ROUNDS = 150


@pytest.mark.parametrize("level", ["labs", "labs/mine"])
def test_no_race_leads_out_of_the_folder(scene: Scene, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """A link to the victim's files takes the folder's place and gives it back, again and again."""
    own = scene.tmp / "own"
    for path in (own, own / "labs", own / "labs" / "mine"):
        path.mkdir(mode=0o700)
    wanted = scene.precious / level
    decoy = scene.tmp / "decoy"
    decoy.symlink_to(wanted)
    if IS_ROOT:
        for path in (scene.precious, *scene.precious.rglob("*")):
            os.chown(path, 0, 0)  # so that it is this user's, whom the commands below run as
    monkeypatch.setenv(FOLDER_VARIABLE, str(own / "labs"))
    before = scene.snapshot()
    record = Record("mine", 1, 1, os.geteuid(), "lake", "/i.yaml", "2026-01-01T00:00:00+00:00", ("customer-a/alice",))
    outcomes = set()
    with lab_life.exchanging(own / level, decoy):
        for _ in range(ROUNDS):
            try:
                with claimed("mine") as (here, _):
                    here.write(record)
                    os.close(here.open_log())
                    here.read()
                    here.erase_locked()
                outcomes.add("done")
            except (FarshoreError, FileNotFoundError, BlockingIOError) as error:
                outcomes.add("link" if "symbolic link" in str(error) else "other")
    assert scene.unharmed(before)
    assert "link" in outcomes


def test_a_lock_is_held_by_one_of_many(labs: Path) -> None:
    """Clearing remains away and claiming, all at the same moment: each gets it in the end, and never two at once."""
    inside, most, done = [0], [0], []

    def work() -> None:
        for _ in range(20):
            while True:
                try:
                    with claimed("mine") as (here, _):
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                        inside[0] -= 1
                        here.erase_locked()
                    break
                except FarshoreError:
                    continue
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (len(done), most[0]) == (4, 1)
    assert not labs.exists()


def test_signals_go_to_the_process_on_record_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number, the time of its start and its user must be those on record."""
    sent: list[int] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda _handle, number: sent.append(number))
    started = start_time(scene.bystander)
    assert started is not None
    record = Record("mine", scene.bystander, started, VICTIM, "lake", "/i.yaml", "2026-01-01T00:00:00+00:00", ())
    assert record.world.wait(0, kill=True) is False
    assert sent == [signal.SIGKILL]
    for wrong in (replace(record, started=started + 1), replace(record, uid=VICTIM + 1)):
        assert not wrong.is_up
        assert wrong.world.wait(0, kill=True) is True
    assert sent == [signal.SIGKILL]
    assert stat.S_ISDIR(Path(f"/proc/{scene.bystander}").stat().st_mode)
