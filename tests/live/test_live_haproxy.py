"""The proxy's process: no reload is noticed, what cannot run replaces nothing, and what died is closed until an apply.

Nothing is believed but what answers: not a folder, a file, or a socket that is left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import live_tools
import pytest
from live_appliance import ALICE, BILL, FOLDER, HERE, KEYS, NEWS, PORTAL, applied, ask, fabric, haproxies, started
from live_world import World

from farshore.engine.haproxy import engine as haproxy_engine
from farshore.engine.haproxy import master
from farshore.engine.haproxy.configuration import configuration, written
from farshore.engine.haproxy.engine import Haproxy
from farshore.engine.haproxy.master import Home
from farshore.engine.linux import desired_state, engines
from farshore.errors import MachineError
from farshore.fabric.model import Fabric, Proxy
from farshore.fabric.names import NodeName
from farshore.lab.lab_init import caller_identities
from farshore.machine.apply import apply
from farshore.machine.desired import DesiredState
from farshore.machine.engine import NOTHING, Reading
from farshore.machine.namespace import Namespaces, namespace_name
from farshore.machine.world import PRIVATE
from farshore.traffic import servers

pytestmark = pytest.mark.kernel

RELOADS = 20
NODE = NodeName("provider/proxy")
HOME = Home(FOLDER / "provider.proxy")
LOAD = f"{NODE}: load proxy configuration"


def with_proxy(whole: Fabric, proxy: Proxy) -> Fabric:
    return replace(whole, nodes={**whole.nodes, proxy.name: proxy})


def less(whole: Fabric) -> Fabric:
    """Return a fabric whose proxy has one front less."""
    (proxy,) = whole.proxies
    fronts = tuple(front for front in proxy.fronts if (front.service, front.port.number) != ("portal", 443))
    return with_proxy(whole, replace(proxy, fronts=fronts))


def engine() -> Haproxy:
    """Return an engine that has loaded nothing, as a later command has it."""
    return Haproxy(FOLDER, {node.local: key for node, key in KEYS.items()})


def reading() -> Reading:
    return engine().read(PRIVATE, [NODE])[NODE]


def master_number() -> int | None:
    with master.found(HOME) as running:
        return running.pid if running is not None else None


def gone() -> bool:
    """Tell whether no process is left, and all that one had has been closed, which it is a moment later."""
    return haproxies(FOLDER) == [] and not HOME.is_alive()


def served() -> bool:
    return ask(ALICE, PORTAL).seen is not None


# --- reloads -----------------------------------------------------------------------------------------


def reloads(whole: Fabric) -> tuple[int, list[str | None], int, list[str], bool, int]:
    """Replace the configuration again and again.

    Returns how many connections were opened, what was lost, how many reloads were made, what another application
    does, whether who exchanged before still does, and how many masters there are.
    """
    started(whole)
    stop, opened, lost = threading.Event(), [], []

    def connect() -> None:
        while not stop.is_set():
            fetched = ask(ALICE, PORTAL)
            (opened if fetched.seen is not None and fetched.seen.tenant == "customer-a" else lost).append(fetched)

    with live_tools.tcp(BILL, HERE, 0, PORTAL, 80) as standing:
        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        changes = [str(change) for each in [less(whole), whole] * (RELOADS // 2) for change in applied(each)]
        again = [str(change) for change in applied(whole)]
        stop.set()
        for thread in threads:
            thread.join()
        standing.sendall(b"GET / HTTP/1.0\r\n\r\n")
        still = b"customer-b" in standing.recv(65535) + standing.recv(65535)
    made = sum(change.startswith(LOAD) for change in changes)
    masters = [own for _, own in haproxies(FOLDER)].count(1)
    return len(opened), [fetched.failure for fetched in lost], made, again, still, masters


def test_no_reload_is_noticed(world: World) -> None:
    opened, lost, made, again, still, masters = world.call(reloads, fabric())
    assert opened > RELOADS
    assert lost == []
    assert made == RELOADS
    assert again == []
    assert still
    assert masters == 1


def refused(whole: Fabric, front: dict[str, object]) -> tuple[str, bool, str | None, str]:
    """Ask for a front that cannot be.

    Returns what is said, whether the one before still serves, its text on disk and after the refusal what an
    application of the old configuration does.
    """
    started(whole)
    before, number = HOME.read(), master_number()
    (proxy,) = whole.proxies
    bad = replace(proxy, fronts=(replace(proxy.fronts[0], **front),))  # type: ignore[arg-type]
    said = ""
    try:
        engine().load(PRIVATE, {NODE: configuration(bad)}, in_use=True)
    except MachineError as error:
        said = str(error)
    unchanged = served() and master_number() == number and HOME.read() == before
    return said, unchanged, reading().loaded, engine().digest(configuration(proxy))


NOWHERE = replace(fabric().proxies[0].fronts[0].presented, ip=IPv4Address("10.2.2.9"))


@pytest.mark.parametrize(
    ("front", "cause"),
    [
        ({"service": "no such name"}, "HAProxy rejects its configuration: config : parsing ["),
        ({"presented": NOWHERE}, "10.2.2.9:80 in namespace customer-a.proxy: Cannot assign requested address"),
    ],
    ids=["refused", "nowhere to listen"],
)
def test_what_cannot_run_replaces_nothing(world: World, front: dict[str, object], cause: str) -> None:
    said, unchanged, loaded, digest = world.call(refused, fabric(), front)
    assert said.startswith(cause)
    assert unchanged
    assert loaded == digest


def reload_that_fails(whole: Fabric) -> tuple[str, bool, bool]:
    """Have the master itself fail: what it says, whether the worker before serves, and whether another load works."""
    started(whole)
    text = HOME.read() or ""
    HOME.write(text.replace("default_backend", "nonsense"))
    said = ""
    with master.found(HOME) as running:
        assert running is not None
        try:
            running.reload("another")
        except MachineError as error:
            said = str(error)
    stays = served()
    applied(less(whole))
    return said, stays, served() and reading().intact


def test_a_reload_that_fails_says_why_and_the_worker_before_serves(world: World) -> None:
    said, stays, again = world.call(reload_that_fails, fabric())
    assert said.startswith("HAProxy does not reload: config : parsing [")
    assert "'nonsense'" in said
    assert stays
    assert again


def load_that_fails(whole: Fabric) -> tuple[str, bool]:
    """Have a load fail after the check: what is said, and whether the text that is in place is the one before."""
    started(whole)
    before = HOME.read()

    def reload(_master: object, _description: str) -> None:
        raise MachineError(f"HAProxy does not reload: {written(KEYS[NodeName('provider/news')])}")

    master.Master.reload = reload  # type: ignore[method-assign] # in this process alone
    try:
        engine().load(PRIVATE, {NODE: configuration(less(whole).proxies[0])}, in_use=True)
    except MachineError as error:
        return str(error), HOME.read() == before
    raise AssertionError("it loads")


def test_a_load_that_fails_puts_back_what_was_in_place(world: World) -> None:
    assert world.call(load_that_fails, fabric()) == ("HAProxy does not reload: <key of news>", True)


def start_that_fails(whole: Fabric) -> tuple[str, list[tuple[int, int]], Reading]:
    """Start what cannot: what is said, and what is left."""
    live_tools.build(whole)
    home = engine()._home(NODE, make=True)
    home.write("nonsense\n")
    try:
        master.start(home, PRIVATE, "provider.proxy", "")
    except MachineError as error:
        return str(error), haproxies(FOLDER), reading()
    raise AssertionError("it starts")


def test_a_start_that_fails_says_why_and_leaves_no_process(world: World) -> None:
    said, left, found = world.call(start_that_fails, fabric())
    assert said.startswith("HAProxy does not start: config : parsing [")
    assert (left, found) == ([], NOTHING)


# --- what ends ---------------------------------------------------------------------------------------


def replaced_and_unloaded(whole: Fabric) -> tuple[int, list[tuple[int, int]], bool, list[str], Reading]:
    """Replace a proxy that holds a connection, then unload it.

    Returns how many processes there were, which still run, whether the connection has ended, what is left of its
    files, and what is read.
    """
    started(whole)
    with live_tools.tcp(BILL, HERE, 0, PORTAL, 80) as standing:
        applied(less(whole))
        before = len(haproxies(FOLDER))
        engine().unload(PRIVATE, [NODE])
        ended = False
        with contextlib.suppress(TimeoutError):
            try:
                ended = standing.recv(1) == b""
            except ConnectionError:
                ended = True
    return before, haproxies(FOLDER), ended, [path.name for path in FOLDER.iterdir()], reading()


def test_nothing_outlives_the_unloading_of_a_proxy(world: World) -> None:
    before, left, ended, files, found = world.call(replaced_and_unloaded, fabric())
    assert before == 3  # the master, its worker, and the worker that has the connection
    assert (left, ended, files, found) == ([], True, [], NOTHING)


def killed(whole: Fabric, own: bool) -> tuple[list[tuple[int, int]], Reading, int, list[str], bool]:
    """Kill the master, or the worker.

    Returns what is left, what is read, how much of a tenant's packets reaches the provider meanwhile, what the next
    application does, and whether it serves then.
    """
    started(whole)
    assert served()
    victims = [number for number, inner in haproxies(FOLDER) if (inner == 1) is own]
    os.kill(victims[0], signal.SIGKILL)
    live_tools.until(gone)
    left, found = haproxies(FOLDER), reading()
    heard = sum(crossing(whole).values())
    changes = [str(change) for change in applied(whole)]
    return left, found, heard, changes, live_tools.until(served)


@pytest.mark.parametrize("own", [True, False], ids=["master", "worker"])
def test_a_dead_proxy_is_closed_and_comes_back_by_an_apply(world: World, own: bool) -> None:
    left, found, heard, changes, back = world.call(killed, fabric(), own)
    assert (left, found) == ([], NOTHING)
    assert heard == 0
    assert changes == [f"{LOAD}: no proxy configuration is loaded"]
    assert back


def crossing(whole: Fabric) -> dict[str, int]:
    """Connect to instances in which nobody listens, and count what reaches any end system."""
    receivers = {}
    for node in whole.end_systems:
        if node.name.startswith("provider/"):
            receivers[node.name] = live_tools.open_socket(node.name, socket.SOCK_DGRAM, 0, socket.AF_PACKET)
            receivers[node.name].bind(("provider", 0x0800))
            receivers[node.name].setblocking(False)
    for destination in (PORTAL, NEWS, "10.1.1.2", "100.64.0.1"):
        with contextlib.suppress(OSError):
            live_tools.tcp(ALICE, HERE, 0, destination, 80).close()
    heard = {}
    for name, receiver in receivers.items():
        heard[name] = 0
        with receiver, contextlib.suppress(BlockingIOError):
            while receiver.recv(65535):
                heard[name] += 1
    return heard


def without_proxy(whole: Fabric) -> dict[str, int]:
    live_tools.build(whole)
    return crossing(whole)


def test_without_the_proxy_nothing_crosses(world: World) -> None:
    assert set(world.call(without_proxy, fabric()).values()) == {0}


def hanging(whole: Fabric) -> tuple[Reading, list[str], bool, int]:
    """Stop the master from answering: what is read, what the next application does, and how many masters there are."""
    # In this process alone.
    master._MASTER_ANSWERS = haproxy_engine._PATIENCE = 0.2  # type: ignore[misc]
    started(whole)
    number = master_number()
    assert number is not None
    os.kill(number, signal.SIGSTOP)
    found = reading()
    changes = [str(change) for change in applied(whole)]
    masters = [own for _, own in haproxies(FOLDER)].count(1)
    return found, changes, live_tools.until(served), masters


def test_one_that_hangs_is_replaced(world: World) -> None:
    found, changes, back, masters = world.call(hanging, fabric())
    assert found.loaded == ""
    assert [change.partition(": the")[0] for change in changes] == [LOAD]
    assert back
    assert masters == 1


def cut_off(whole: Fabric) -> tuple[int, list[str], list[int], bool]:
    """Be killed as soon as HAProxy has been started, which listens only once it is looked for; then apply again."""
    live_tools.build(whole)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        real = master._started

        def started_and_killed(home: Home, namespaces: Namespaces, namespace: str) -> None:
            process = real(home, namespaces, namespace)
            os.kill(process.pid, signal.SIGSTOP)
            os.write(sending, str(process.pid).encode())
            os.kill(os.getpid(), signal.SIGKILL)

        master._started = started_and_killed  # type: ignore[assignment]
        try:
            applied(whole)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    number = int(os.read(receiving, 32))
    settle = haproxy_engine._settle

    def going_on(home: Home) -> None:
        os.kill(number, signal.SIGCONT)
        settle(home)

    haproxy_engine._settle = going_on  # in this process alone
    changes = [str(change) for change in applied(whole)]
    masters = [number for number, own in haproxies(FOLDER) if own == 1]
    return os.waitstatus_to_exitcode(status), changes, masters, masters == [master_number()]


def test_who_is_cut_off_from_a_start_leaves_none_that_nobody_knows(world: World) -> None:
    status, changes, masters, known = world.call(cut_off, fabric())
    assert status == -signal.SIGKILL
    assert [change.partition(": the")[0] for change in changes] == [LOAD]
    assert len(masters) == 1
    assert known


# --- what is believed --------------------------------------------------------------------------------


@contextlib.contextmanager
def liar(user: int) -> Iterator[None]:
    """Have another program listen on the master's socket, as a user, and say what a master would."""
    HOME.folder.mkdir(parents=True, exist_ok=True)
    HOME.socket.unlink(missing_ok=True)
    for above in (FOLDER.parent, FOLDER):
        above.chmod(0o755)  # it is to come as far as this proxy's folder
    HOME.folder.chmod(0o777)
    code = f"""
import os, socket
os.setuid({user})
s = socket.socket(socket.AF_UNIX); s.bind({str(HOME.socket)!r}); s.listen()
os.chmod({str(HOME.socket)!r}, 0o777)
print("listens", flush=True)
while True:
    c, _ = s.accept()
    c.close()
"""
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listens\n"
            yield
        finally:
            process.kill()


def lied_to(whole: Fabric, user: int) -> tuple[Reading, Reading, bool, bool]:
    """Read where a stale socket and a whole folder are, and where another program listens; then load.

    Returns what is read of each, whether the other program is taken for a process of ours, and whether the load works.
    """
    started(whole)
    number = master_number()
    assert number is not None
    os.kill(number, signal.SIGKILL)
    live_tools.until(gone)
    assert HOME.socket.exists()
    stale = reading()
    with liar(user):
        lie, taken = reading(), master_number() is not None
        applied(whole)
        return stale, lie, taken, live_tools.until(served) and reading().intact


@pytest.mark.parametrize("user", [0, 65534], ids=["this user", "another"])
def test_what_is_left_behind_and_what_others_say_is_not_believed(world: World, user: int) -> None:
    if user and os.geteuid() != 0:
        pytest.skip("an ordinary user's world has one user alone")
    stale, lie, taken, back = world.call(lied_to, fabric(), user)
    assert stale == lie == NOTHING
    assert taken == (user == 0)
    assert back


def namespace_replaced(whole: Fabric, node: str) -> tuple[list[str], bool, list[str], int]:
    """Have another program delete a namespace of the proxy: what the next application does, and whether it serves."""
    started(whole)
    subprocess.run(["/usr/sbin/ip", "netns", "delete", namespace_name(node)], check=True)
    changes = [change.what for change in applied(whole) if change.node == NODE]
    back = live_tools.until(served)
    return changes, back, [str(change) for change in applied(whole)], [own for _, own in haproxies(FOLDER)].count(1)


@pytest.mark.parametrize("node", ["provider/proxy", "customer-a/proxy"])
def test_a_namespace_that_others_deleted_is_none_that_is_served(world: World, node: str) -> None:
    changes, back, again, masters = world.call(namespace_replaced, fabric(), node)
    assert "load proxy configuration" in changes
    assert back
    assert (again, masters) == ([], 1)


def another_tenants_connection(whole: Fabric) -> tuple[bool, bool, list[int]]:
    """Have one tenant's namespace replaced: whether it serves then, and what another's connection has of it."""
    started(whole)
    before = master_number()
    with live_tools.tcp(BILL, HERE, 0, PORTAL, 80) as standing:
        subprocess.run(["/usr/sbin/ip", "netns", "delete", "customer-a.proxy"], check=True)
        applied(whole)
        back = live_tools.until(served)
        standing.sendall(b"GET / HTTP/1.0\r\n\r\n")
        still = b"customer-b" in standing.recv(65535) + standing.recv(65535)
    return back, still, [number for number in (before, master_number()) if number is not None]


def test_another_tenants_connection_outlasts_a_namespace_that_is_replaced(world: World) -> None:
    back, still, masters = world.call(another_tenants_connection, fabric())
    assert back
    assert still
    assert len(masters) == 2
    assert len(set(masters)) == 1


def taken_down(whole: Fabric, *, deleted: bool) -> tuple[list[str], list[tuple[int, int]], list[str]]:
    """Apply nothing where a proxy ran, also where its namespace is gone already: what is done, and what is left."""
    started(whole)
    if deleted:
        subprocess.run(["/usr/sbin/ip", "netns", "delete", "provider.proxy"], check=True)
    nothing = DesiredState({}, ())
    changes = [str(change) for change in apply(nothing, engines(FOLDER, KEYS), PRIVATE)]
    assert apply(nothing, engines(FOLDER, KEYS), PRIVATE) == ()
    return changes, haproxies(FOLDER), [*PRIVATE.names(), *(path.name for path in FOLDER.iterdir())]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_proxy_ends_before_its_namespace_is_taken(world: World, deleted: bool) -> None:
    changes, left, names = world.call(taken_down, fabric(), deleted=deleted)
    assert changes[0] == f"{NODE}: remove proxy configuration: its node is not part of the fabric"
    assert (left, names) == ([], [])


# --- keys --------------------------------------------------------------------------------------------


def where_keys_stand(whole: Fabric) -> tuple[list[str], dict[str, int], list[str], str]:
    """Look for the key: in what processes show, who may read what, what is asked, and what an alert says."""
    started(whole)
    secret = written(KEYS[NodeName("provider/news")])
    shown = []
    for path in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if secret.encode() in (path / name).read_bytes():
                    shown.append(f"{path}/{name}")
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (FOLDER, HOME.folder, *HOME.folder.iterdir())}
    desired = desired_state(whole)
    told = [text for texts in desired.configurations.values() for text in texts.values() if secret in text]
    bad = f"{desired.configurations['haproxy'][NODE]}\nfrontend x\n    http-request deny if {{ <key of news> }}\n"
    try:
        engine().load(PRIVATE, {NODE: bad}, in_use=True)
        said = "loaded"
    except MachineError as error:
        said = str(error)
    return shown, modes, told, said


def test_a_key_stands_in_files_that_this_user_alone_reads_and_nowhere_else(world: World) -> None:
    shown, modes, told, said = world.call(where_keys_stand, fabric())
    assert shown == told == []
    assert {name: mode & 0o077 for name, mode in modes.items()} == dict.fromkeys(modes, 0)
    assert "haproxy.cfg" in modes
    assert "<key of news>" in said
    assert written(KEYS[NodeName("provider/news")]) not in said


def another_key(whole: Fabric) -> tuple[list[str], str | None]:
    """Give the service another key: what is done, and whether the servers, which have the old one, accept it."""
    started(whole)
    assert ask(ALICE, NEWS).seen is not None
    changes = [str(change) for change in applied(whole, keys={NodeName("provider/news"): bytes(32)})]
    return changes, ask(ALICE, NEWS).failure


def test_another_key_is_another_configuration(world: World) -> None:
    changes, failure = world.call(another_key, fabric())
    assert changes == [f"{LOAD}: the desired proxy configuration has changed"]
    assert failure is not None
    assert "403" in failure


def longest_key(whole: Fabric) -> bool:
    key = {NodeName("provider/news"): bytes(4096)}
    live_tools.build(whole)
    servers.serve(whole.end_systems, caller_identities(whole), key)
    applied(whole, keys=key)
    return ask(ALICE, NEWS).seen is not None


def test_the_longest_key_signs(world: World) -> None:
    assert world.call(longest_key, fabric())


def no_key(whole: Fabric) -> str:
    live_tools.build(whole)
    try:
        applied(whole, keys={})
    except MachineError as error:
        return str(error)
    return ""


def test_without_its_key_no_header_is_signed(world: World) -> None:
    assert world.call(no_key, fabric()).endswith("no key is given for the signed header of news")
