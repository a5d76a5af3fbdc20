"""Taking a step: what each change asks of the kernel, and of the engines."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from farshore.errors import MachineError
from farshore.fabric.names import LinkEnd
from farshore.machine import home, interfaces, listing, netlink, port_records, settings
from farshore.machine.changes import (
    AddRoute,
    AddRule,
    BorrowInterface,
    Change,
    ConfigureBorrowed,
    ConfigureInterface,
    CreateLink,
    CreateNamespace,
    DeleteNamespace,
    DropRecord,
    LoadConfiguration,
    MakeSetting,
    RaiseLoopback,
    RemoveForeign,
    RemoveInterface,
    RemoveRoute,
    RemoveRule,
    RestoreInterface,
    ReturnInterface,
    UnloadConfiguration,
)
from farshore.machine.desired import ROUTING_PROTOCOL, DesiredInterface, DesiredState
from farshore.machine.engine import Engine
from farshore.machine.foreign import Foreign, Protocol
from farshore.machine.namespace import Namespaces, namespace_name
from farshore.machine.netlink import Kernel
from farshore.machine.steps import Step

_LOOPBACK_INDEX = 1
_MARK = netlink.label(_LOOPBACK_INDEX, interfaces.OURS)
# What the kernel says of something that has gone with something else.
_GONE = {errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL}


class ChangeError(MachineError):
    """The kernel refuses one change of a step that has several. ``what`` says which, in words."""

    def __init__(self, message: str, what: str) -> None:
        """Keep which change it is."""
        super().__init__(message)
        self.what = what


@dataclass(frozen=True, slots=True)
class Execution:
    """What takes the steps toward a desired state. A step raises MachineError or OSError where it is refused."""

    desired: DesiredState
    engines: Mapping[str, Engine]
    namespaces: Namespaces
    instances: settings.Instances
    # Of every link's end: the namespace that it is to be in, and the interface that it is to be.
    ends: Mapping[LinkEnd, tuple[str, DesiredInterface]] = field(init=False)

    def __post_init__(self) -> None:
        """Find the ends of links once for all steps."""
        ends = {
            LinkEnd(node.name, interface.name): (node.namespace, interface)
            for node in self.desired.nodes.values()
            for interface in node.interfaces
        }
        object.__setattr__(self, "ends", ends)

    def take(self, step: Step) -> None:
        """Make the changes of a step, which are all of one kind, or all of a node's wiring."""
        name = namespace_name(step.node)
        match step.changes[0]:
            case CreateNamespace():
                self.namespaces.create(name, marked=_mark)
            case DeleteNamespace():
                self.namespaces.delete(name)
            case LoadConfiguration() | UnloadConfiguration():
                self._use_engines(step)
            case CreateLink():
                self._create_links(name, step.changes)
            case RemoveInterface() | ReturnInterface() | RestoreInterface() | DropRecord():
                self._remove_interfaces(name, step.changes)
            case BorrowInterface():
                self._borrow(name, step.changes)
            case MakeSetting():
                with self.namespaces.entered(name), self.instances.opened() as directory:
                    for change in step.changes:
                        assert isinstance(change, MakeSetting)  # noqa: S101 - a step has one kind
                        settings.write(directory, change.path, change.value)
            case _:
                self._wire(name, step.changes)

    def _use_engines(self, step: Step) -> None:
        loads = [change for change in step.changes if isinstance(change, LoadConfiguration)]
        if loads:
            configurations = {change.node: change.configuration for change in loads}
            engine = self.engines[loads[0].engine]
            engine.load(self.namespaces, configurations, in_use=any(change.in_use for change in loads))
        unloads = [change for change in step.changes if isinstance(change, UnloadConfiguration)]
        if gone := [change for change in unloads if change.surplus is None]:
            self.engines[gone[0].engine].unload(self.namespaces, [change.node for change in gone])
        for change in unloads:
            if change.surplus is not None:
                self.engines[change.engine].unload(self.namespaces, [change.node], [change.surplus])

    def _remove_interfaces(self, name: str, changes: tuple[Change, ...]) -> None:
        at_home = [change for change in changes if isinstance(change, RestoreInterface | DropRecord)]
        for change in changes:
            if isinstance(change, ReturnInterface):
                at_home.append(RestoreInterface(change.node, change.reason, change.interface, change.home))
        if len(at_home) < len(changes) or any(isinstance(change, ReturnInterface) for change in changes):
            self._leave(name, changes)
        for change in at_home:
            match change:
                case RestoreInterface(port=port):
                    home.restore(self.namespaces, port)
                case DropRecord(port=port):
                    port_records.erase(self.namespaces.records, port)

    def _leave(self, name: str, changes: tuple[Change, ...]) -> None:
        names = frozenset(_indexes())
        with home.opened() as descriptor, self.namespaces.entered(name), Kernel() as kernel:
            indexes = _indexes()
            for change in changes:
                match change:
                    # The far end, removed just now, may have taken it away already.
                    case RemoveInterface(interface=interface) if interface in indexes:
                        with _gone_already():
                            kernel.ask(netlink.remove_link(indexes[interface]))
                    case ReturnInterface(interface=interface, home=port) if interface in indexes:
                        # Marked anew, where others took the mark away: at home it is known by that alone.
                        kernel.ask(netlink.label(indexes[interface], interfaces.mark(port, name)))
                        home.take_back(kernel, indexes[interface], port, descriptor, names)

    def _borrow(self, name: str, changes: tuple[Change, ...]) -> None:
        target = self.namespaces.open(name)
        try:
            for change in changes:
                assert isinstance(change, BorrowInterface)  # noqa: S101 - a step has one kind
                home.lend(self.namespaces, change.interface.port, change.interface.name, name, target)
        finally:
            os.close(target)
        with self.namespaces.entered(name), Kernel() as kernel:
            indexes = _indexes()
            for change in changes:
                assert isinstance(change, BorrowInterface)  # noqa: S101 - a step has one kind
                index = indexes[change.interface.name]
                home.note_index(self.namespaces, change.interface.port, index)
                kernel.ask(netlink.link_up(index))

    def _create_links(self, name: str, changes: tuple[Change, ...]) -> None:
        # A veth pair is made from anywhere: the request itself names both namespaces.
        with self.namespaces.entered(name), Kernel() as kernel:
            for change in changes:
                assert isinstance(change, CreateLink)  # noqa: S101 - a step has one kind
                (left_namespace, left), (right_namespace, right) = (
                    self.ends[end] for end in (change.link.left, change.link.right)
                )
                with self._opened(left_namespace) as left_descriptor, self._opened(right_namespace) as right_descriptor:
                    kernel.ask(netlink.veth_pair(left, left_descriptor, right, right_descriptor))

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        descriptor = self.namespaces.open(name)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _wire(self, name: str, changes: tuple[Change, ...]) -> None:
        with self.namespaces.entered(name), Kernel() as kernel:
            # Without an address of its own a namespace has no local routing table until its loopback is up, and
            # without that table the kernel takes every next hop for a broadcast address and refuses the route.
            kernel.ask(netlink.link_up(_LOOPBACK_INDEX))
            indexes = _indexes()
            for change in changes:
                try:
                    self._wire_one(kernel, change, name, indexes)
                except OSError as error:
                    raise ChangeError(str(error), change.what) from error

    @staticmethod
    def _wire_one(kernel: Kernel, change: Change, name: str, indexes: Mapping[str, int]) -> None:
        match change:
            case RaiseLoopback():
                kernel.ask(netlink.link_down(_LOOPBACK_INDEX))
                kernel.ask(netlink.link_up(_LOOPBACK_INDEX))
            case RemoveForeign(found=found):
                with _gone_already(), _asked(kernel, found) as asked:
                    asked.remove(found.request, found.content)
            case ConfigureInterface(interface=interface):
                _configure(kernel, change, indexes[interface.name])
            case ConfigureBorrowed(interface=interface):
                _configure_borrowed(kernel, change, indexes[interface.name], name)
            case RemoveRule(rule=rule):
                kernel.ask(netlink.remove_rule(rule))
            case AddRule(rule=rule):
                begins_with = rule in listing.KERNEL_RULES
                protocol = netlink.RTPROT_KERNEL if begins_with else ROUTING_PROTOCOL
                kernel.ask(netlink.add_rule(rule, protocol))
            case RemoveRoute(route=route):
                with _gone_already():
                    kernel.ask(netlink.remove_route(route, indexes))
            case AddRoute(route=route):
                kernel.ask(netlink.add_route(route, indexes))
            case _:
                raise TypeError(f"unknown change {change!r}")


def _mark() -> None:
    """Mark the namespace that the thread is in as ours, by the alias of its loopback."""
    with Kernel() as kernel:
        kernel.ask(_MARK)


@contextlib.contextmanager
def _asked(kernel: Kernel, found: Foreign) -> Iterator[Kernel]:
    """Yield what removes something in the thread's namespace: by route netlink what there is already."""
    if found.protocol is Protocol.ROUTE:
        yield kernel
    else:
        with Kernel(found.protocol) as other:
            yield other


@contextlib.contextmanager
def _gone_already() -> Iterator[None]:
    """Pass over that what is to be removed has gone with something else. What has not is found by the next reading."""
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            raise


def _indexes() -> dict[str, int]:
    """Return the numbers of the interfaces in the thread's namespace, by name."""
    return {name: index for index, name in socket.if_nameindex()}


def _configure_borrowed(kernel: Kernel, change: ConfigureBorrowed, index: int, name: str) -> None:
    if change.program is not None:
        where = f"interface {change.interface.name}, {change.program}, which belongs elsewhere"
        raise MachineError(f"an eBPF program is attached to {where}; detach it")
    for ip in change.surplus:
        kernel.ask(netlink.remove_address(ip, index))
    with _gone_already():
        kernel.ask(netlink.remove_neighbour(index))
    kernel.ask(netlink.label(index, interfaces.mark(change.interface.port, name)))
    kernel.ask(netlink.wake(index))
    kernel.ask(netlink.link_up(index))


def _configure(kernel: Kernel, change: ConfigureInterface, index: int) -> None:
    for ip in change.surplus:
        kernel.ask(netlink.remove_address(ip, index))
    if not change.is_new:
        kernel.ask(netlink.label(index, ""))
        kernel.ask(netlink.wake(index))
    kernel.ask(netlink.link_up(index))
    kernel.ask(netlink.neighbour(change.interface, index))
    for ip in change.interface.addresses:
        kernel.ask(netlink.address(ip, index))
