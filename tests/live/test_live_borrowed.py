"""Interfaces of others that a node borrows go back with all that they had, whatever ends the node or its making."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import live_tools
import pytest
from live_world import World

from farshore.errors import MachineError
from farshore.fabric.names import NodeName
from farshore.machine import netlink, port_records
from farshore.machine.apply import apply, remove
from farshore.machine.desired import BorrowedInterface, DesiredNode, DesiredState
from farshore.machine.namespace import namespace_name
from farshore.machine.netlink import Kernel
from farshore.machine.world import PRIVATE
from farshore.private_files import PrivateFolder

pytestmark = pytest.mark.kernel

CE, OTHER = NodeName("customer-b/ce"), NodeName("customer-c/ce")
PORT, ANOTHER = "wan0", "wan9"

NO_IPV6 = tuple((f"net/ipv6/conf/{name}/disable_ipv6", "1") for name in ("all", "default"))

# How others make a port, by kind. What belongs to it has names that begin alike.
KINDS = {
    "veth": "ip link add wan0 type veth peer name wan1 ; ip link set wan1 up",
    "dummy": "ip link add wan0 type dummy",
    "VXLAN": "ip link add wan0 type vxlan id 7 dstport 4789",
    "tun": "ip tuntap add dev wan0 mode tun",
    "port of a bridge": (
        "ip link add wanbr type bridge ; ip link add wan0 type veth peer name wan1 ; ip link set wan1 up ; "
        "ip link set wan0 master wanbr"
    ),
    "VLAN": (
        "ip link add wan1 type veth peer name wan2 ; ip link set wan1 up ; ip link set wan2 up ; "
        "ip link add link wan1 name wan0 type vlan id 7"
    ),
    "macvlan": (
        "ip link add wan1 type veth peer name wan2 ; ip link set wan1 up ; ip link set wan2 up ; "
        "ip link add link wan1 name wan0 type macvlan"
    ),
}
HAD = (
    "ip link set wan0 mtu 1400 ; ip link set wan0 alias theirs ; ip link property add dev wan0 altname isp-uplink ; "
    "sysctl ipv4/conf/wan0/rp_filter=2 ; sysctl ipv6/conf/wan0/accept_ra=0 ; ip link set wan0 up ; "
    "ip address add 192.0.2.2/24 dev wan0 ; ip address add 192.0.2.3/24 dev wan0 ; "
    "ip address add fd00::2/64 dev wan0 nodad ; ip route add 198.51.100.0/24 via 192.0.2.1 dev wan0 proto static ; "
    "ip route add 203.0.113.0/24 dev wan0 metric 50 mtu 1300 table 77 ; ip -6 route add fd01::/64 via fd00::1 dev wan0"
)
NEIGHBOUR = "ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev wan0 nud permanent"


# What the kernel makes by itself of an address or a link, some of it later.
_KERNELS = re.compile(r"^(multicast|anycast|local) ")


def run(commands: str) -> None:
    """Run commands at home, with programs that others have."""
    for command in commands.split(" ; "):
        words = command.split()
        if words[0] == "sysctl":
            path, _, value = words[1].partition("=")
            words = ["sh", "-c", f"echo {value} > /proc/sys/net/{path}"]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"{command}: {done.stderr.strip()}")


def make(kind: str) -> str:
    """Make a port with all that it may have; return why it cannot be made here, if so."""
    try:
        run(KINDS[kind])
    except OSError as error:
        return str(error)
    run(HAD)
    if kind != "tun":
        run(NEIGHBOUR)
    return ""


def had() -> dict[str, Any]:
    """Return what other people's programs see of the port at home, empty where it is not there."""
    found = _listed("ip -j -d link show dev wan0")
    if not found:
        return {}
    link = found[0]
    seen = {name: link.get(name) for name in ("ifname", "mtu", "address", "ifalias", "altnames", "master")}
    seen["flags"] = sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    seen["kind"] = link["linkinfo"]["info_kind"]
    for name, command in {
        "addresses": "ip -o address show dev wan0",
        "routes": "ip route show table all dev wan0",
        "routes of IPv6": "ip -6 route show dev wan0",
        "neighbours": "ip neighbour show dev wan0 nud permanent",
        "settings": "grep -sH . /proc/sys/net/ipv4/conf/wan0/rp_filter /proc/sys/net/ipv6/conf/wan0/accept_ra",
    }.items():
        lines = subprocess.run(command.split(), check=False, capture_output=True, text=True).stdout.splitlines()
        # Whether a link carries packets is the kernel's business, and what it makes of that.
        kept = (re.sub(r"^\d+: |linkdown|tentative", "", line) for line in lines if "fe80" not in line)
        seen[name] = sorted(" ".join(line.split()) for line in kept if not _KERNELS.search(line))
    return seen


def lost(before: dict[str, Any]) -> list[str]:
    """Return what the port had and has not, or has and had not."""
    after = had()
    return [f"{name}: {before.get(name)} → {after.get(name)}" for name in before if before[name] != after.get(name)]


def _listed(command: str) -> list[dict[str, Any]]:
    done = subprocess.run(command.split(), check=False, capture_output=True, text=True)
    return list(json.loads(done.stdout)) if done.returncode == 0 and done.stdout.strip() else []


def clear() -> None:
    """Take away all that a test has made."""
    remove(PRIVATE, PRIVATE.names())
    for link in _listed("ip -j link"):
        if link["ifname"].startswith(("wan", "uplink")):
            subprocess.run(["ip", "link", "delete", link["ifname"]], check=False, capture_output=True)
    for table in ("main", "77"):
        subprocess.run(["ip", "route", "flush", "table", table], check=False, capture_output=True)
    for port in port_records.read(PRIVATE.records):
        port_records.erase(PRIVATE.records, port)


def desired(**borrowers: str) -> DesiredState:
    """Return nodes, by tenant, that borrow a port each, none where the name is empty."""
    nodes = {}
    for tenant, port in borrowers.items():
        name = NodeName.of(f"customer-{tenant}", "ce")
        borrowed = (BorrowedInterface("uplink", port),) if port else ()
        nodes[name] = DesiredNode(name, namespace_name(name), (), frozenset(), NO_IPV6, borrowed=borrowed)
    return DesiredState(nodes, ())


def done(state: DesiredState) -> list[str]:
    """Apply, and return what was done."""
    return [str(change) for change in apply(state, (), PRIVATE)]


def names_in(node: NodeName) -> list[str]:
    """Return the interfaces of a node that are set up."""
    return [link["ifname"] for link in _listed(f"ip -n {namespace_name(node)} -j link") if "UP" in link["flags"]]


def inside(node: NodeName, command: str) -> None:
    """Have others do something in a node."""
    subprocess.run(["ip", "netns", "exec", namespace_name(node), *command.split()], check=True)


# --- all kinds ----------------------------------------------------------------------------------------------

WAYS: dict[str, DesiredState] = {
    "its node goes": desired(),
    "its node stays without it": desired(b=""),
    "its node has another port": desired(b=ANOTHER),
    "another node has it, and then none": desired(c=PORT),
}


def lent(kind: str, way: str) -> tuple[str, list[str], dict[str, Any], dict[str, Any], list[str], list[str]]:
    """Lend a port and have it back.

    Return why there is none of its kind, who had it, what it had before and has after, what a second application does,
    and the records that are left.
    """
    clear()
    if missing := make(kind):
        clear()
        return missing, [], {}, {}, [], []
    run(f"ip link add {ANOTHER} type veth peer name wan8")
    before = had()
    done(desired(b=PORT))
    assert had() == {}
    again = done(desired(b=PORT))
    held = names_in(CE)
    done(WAYS[way])
    if "another node" in way:
        held = [*held, *names_in(OTHER)]
        done(desired())
    after, again = had(), again + (done(WAYS[way]) if "another node" not in way else [])
    left = sorted(port_records.read(PRIVATE.records))
    clear()
    return "", held, before, after, again, [each for each in left if each == PORT]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_borrowed_goes_back_with_all_it_had(shared_world: World, kind: str, way: str) -> None:
    missing, held, before, after, again, left = shared_world.call(lent, kind, way)
    if missing:
        pytest.skip(f"{kind} cannot be made here: {missing}")
    assert "uplink" in held
    assert before["addresses"]
    assert before["routes"]
    assert after == before
    assert again == []
    assert left == []


# --- cut off ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def killed_before(last: int) -> Iterator[None]:
    """Kill this process before its so-manieth request to the kernel, or file of a record."""
    count = 0

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return counted

    Kernel.ask = counting(Kernel.ask)  # type: ignore[method-assign]
    PrivateFolder.replace = counting(PrivateFolder.replace)  # type: ignore[method-assign]
    port_records.erase = counting(port_records.erase)
    yield


def killed_at(state: DesiredState, last: int) -> bool:
    """Apply in a process of its own that is killed before a request; tell whether it was."""
    child = os.fork()
    if child == 0:
        try:
            with killed_before(last):
                apply(state, (), PRIVATE)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


Cut = tuple[int, bool, list[str], list[str]]


def cut_off(going: bool) -> list[Cut]:
    """Cut an application off before each request, and finish it: as it was going, and by taking all back.

    Return of each the request, whether the node then had the port, what it lacked at home, and what is then done.
    """
    clear()
    make("port of a bridge")
    before, outcomes, last = had(), [], 1
    there, nothing = desired(b=PORT), desired()
    while True:
        done(nothing if going else there)
        if not killed_at(there if going else nothing, last):
            break
        if last % 2:  # it goes on, or it is taken back at once
            done(there)
            held = "uplink" in names_in(CE)
        else:
            held = True
        done(nothing)
        outcomes.append((last, held, lost(before), done(nothing)))
        last += 1
    clear()
    return outcomes


@pytest.mark.parametrize("going", [True, False], ids=["going", "returning"])
def test_cut_off_anywhere_nothing_is_lost(world: World, going: bool) -> None:
    outcomes = world.call(cut_off, going)
    assert len(outcomes) > 3
    assert [each for each in outcomes if each[1:] != (True, [], [])] == []


# --- others -------------------------------------------------------------------------------------------------


def clashing() -> tuple[str, list[str], list[str], list[str]]:
    """Have others give another interface the name of the port while it is away: the refusal, and then without it."""
    make("veth")
    before = had()
    done(desired(b=PORT))
    run(f"ip link add {PORT} type veth peer name wan7")
    refusal = ""
    try:
        done(desired())
    except MachineError as error:
        refusal = str(error)
    held = names_in(CE)
    run(f"ip link delete {PORT}")
    changes = done(desired())
    return refusal, held, changes, lost(before)


def test_a_name_that_another_has_is_refused_and_nothing_lost(world: World) -> None:
    refusal, held, changes, lacking = world.call(clashing)
    assert refusal == (
        f"{CE}: return interface: interface {PORT} belongs there, and another has its name or one of its other names; "
        "rename or delete the other one"
    )
    assert "uplink" in held
    assert len(changes) == 2
    assert lacking == []


def clashing_altname() -> tuple[str, list[str]]:
    """Have others give another interface a further name of the port."""
    make("veth")
    before = had()
    done(desired(b=PORT))
    run("ip link add isp-uplink type veth peer name wan7")
    refusal = ""
    try:
        done(desired())
    except MachineError as error:
        refusal = str(error)
    run("ip link delete isp-uplink")
    done(desired())
    return refusal, lost(before)


def test_a_further_name_that_another_has_is_refused_too(world: World) -> None:
    refusal, lacking = world.call(clashing_altname)
    assert "another has its name or one of its other names" in refusal
    assert lacking == []


def deleted() -> tuple[str, list[str], list[str], list[str]]:
    """Have others delete the namespace that has a virtual interface, which ends with it."""
    make("veth")
    done(desired(b=PORT))
    run(f"ip netns delete {namespace_name(CE)}")
    refusal = ""
    try:
        done(desired(b=PORT))
    except MachineError as error:
        refusal = str(error)
    dropped = done(desired())
    again = done(desired())
    live_tools.until(lambda: not _listed("ip -j link show dev wan1"))  # the kernel takes a namespace apart later
    run(KINDS["veth"])
    return refusal, dropped, again, done(desired(b=PORT))


def test_what_ended_with_a_namespace_is_named(world: World) -> None:
    refusal, dropped, again, made = world.call(deleted)
    assert refusal == (
        f"{CE}: borrow interface: interface {PORT} does not exist any more: {namespace_name(CE)} had borrowed it as "
        "uplink, and it ended with that namespace or was deleted; create it again"
    )
    gone = f"{PORT} does not exist any more: it ended with its namespace or was deleted"
    assert dropped == [
        f"{CE}: drop record of interface: {gone}",
        f"{CE}: delete namespace: not part of the fabric",
    ]
    assert again == []
    assert f"{CE}: borrow interface: missing" in made


def brought_home() -> tuple[list[str], list[str], list[str]]:
    """Have others move it home under the name that it had in the node, as the kernel does with a machine's device."""
    make("veth")
    before = had()
    done(desired(b=PORT))
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    # By a descriptor: newer releases of ip look a process number up in a /proc that may be another's.
    with PRIVATE.entered(namespace_name(CE)), Kernel() as kernel:
        kernel.ask(netlink.move(socket.if_nametoindex("uplink"), "uplink", home))
    os.close(home)
    changes = done(desired(b=""))
    return changes, lost(before), done(desired(b=""))


def test_what_comes_home_by_itself_gets_back_what_it_had(world: World) -> None:
    changes, lacking, again = world.call(brought_home)
    assert changes == [f"{CE}: restore interface: back, and without what it had"]
    assert lacking == []
    assert again == []


MEDDLED = {
    "mark taken away": "ip link set uplink alias theirs",
    "renamed": "ip link set uplink down ; ip link set uplink name other",
    "mark taken away, and renamed": (
        "ip link set uplink down ; ip link set uplink name other ; ip link set other alias theirs"
    ),
    "set down": "ip link set uplink down",
    "address": "ip address add 10.7.7.7/32 dev uplink",
    "address with a network": "ip address add 10.7.7.7/24 dev uplink",
    "neighbour": "ip neighbour add 169.254.0.1 lladdr 02:00:00:00:00:07 dev uplink nud permanent",
    "other MAC address and MTU": "ip link set uplink address 02:00:00:00:00:09 mtu 1300",
    "in a bridge": "ip link add theirs type bridge ; ip link set uplink master theirs",
}


def meddled(commands: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """Have others change the interface in the node: what is done, again, its names there, and what it lacks at home."""
    clear()
    make("veth")
    before = had()
    done(desired(b=PORT))
    for command in commands.split(" ; "):
        inside(CE, command)
    first, again, held = done(desired(b=PORT)), done(desired(b=PORT)), names_in(CE)
    done(desired())
    lacking = lost(before)
    clear()
    return first, again, held, lacking


@pytest.mark.parametrize("commands", MEDDLED.values(), ids=MEDDLED.keys())
def test_what_others_do_to_it_in_the_node_loses_nothing(shared_world: World, commands: str) -> None:
    first, again, held, lacking = shared_world.call(meddled, commands)
    assert first or "mtu" in commands  # what a port is like is its owner's business
    assert again == []
    assert "uplink" in held
    assert lacking == []


def misnamed() -> str:
    make("veth")
    try:
        done(desired(b="wan00"))
    except MachineError as error:
        return str(error)
    return ""


def test_a_port_that_is_not_there_is_named_with_the_nearest(world: World) -> None:
    assert world.call(misnamed) == (
        f"{CE}: borrow interface: interface wan00 does not exist in the namespace in which farshore runs; "
        "did you mean wan0 or wan1?"
    )


def without_its_bridge() -> tuple[list[str], dict[str, Any]]:
    """Have others delete the bridge while its port is away."""
    make("port of a bridge")
    done(desired(b=PORT))
    run("ip link delete wanbr")
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("farshore.machine.home").addHandler(handler)
    done(desired())
    return said, had()


def test_what_cannot_be_given_back_is_logged_by_name(world: World) -> None:
    said, seen = world.call(without_its_bridge)
    assert said == [f"interface {PORT}: its place in wanbr cannot be given back: [Errno 19] No such device"]
    assert seen["master"] is None
    assert seen["altnames"] == ["isp-uplink"]


def taken_down() -> tuple[list[str], tuple[str, ...]]:
    """Take a namespace down by its name."""
    make("veth")
    before = had()
    done(desired(b=PORT))
    remove(PRIVATE, [namespace_name(CE)])
    return lost(before), PRIVATE.names()


def test_a_namespace_that_is_taken_down_returns_what_it_borrowed(world: World) -> None:
    assert world.call(taken_down) == ([], ())


def recorded() -> tuple[tuple[int, int, int], list[str]]:
    """Return the modes of a record and its directory, its owner, and the refusals of one that others wrote."""
    make("veth")
    done(desired(b=PORT))
    path = PRIVATE.records / f"{PORT}.json"
    modes = (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode), path.stat().st_uid)
    refusals = []
    text = path.read_text(encoding="utf-8")

    def refused() -> None:
        try:
            done(desired())
        except MachineError as error:
            refusals.append(str(error))

    for content, mode in ((text, 0o666), ("{}", 0o600), ("[" * 100_000, 0o600)):
        path.write_text(content, encoding="utf-8")
        path.chmod(mode)
        refused()
    path.unlink()
    os.mkfifo(path, 0o600)
    refused()
    path.unlink()
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    path.parent.chmod(0o777)
    refused()
    path.parent.chmod(0o700)
    done(desired())
    return modes, refusals


def test_a_record_is_its_users_own(world: World) -> None:
    modes, refusals = world.call(recorded)
    assert modes == (0o600, 0o700, 0)
    path = PRIVATE.records / f"{PORT}.json"
    writable, unreadable, deep, fifo, open_to_all = refusals
    assert writable.startswith(f"{path} is writable by other users (mode 0")
    assert unreadable.startswith(f"the record {path} of a borrowed interface cannot be read ('addresses'); remove it")
    assert deep.startswith(f"the record {path} of a borrowed interface cannot be read (")
    assert fifo == f"{path} is no regular file; remove it"
    assert open_to_all.startswith(f"{path.parent} is writable by other users (mode 0")
