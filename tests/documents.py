"""Intent files as text with edits made in them, and random ones with faults, for tests of what fixes come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from farshore.fix import Edit
from farshore.intent.read.document import compose
from farshore.intent.read.edits import edited
from farshore.intent.read.tree import Listing, Node, Quoted, Table

FILE = "intent.yaml"


def followed(text: str, edits: Iterable[Edit]) -> str:
    """Return the text of a file with edits made in it, written anew."""
    root = compose(text, FILE).root
    assert root is not None
    return dumped(edited(root, edits))


def dumped(node: Node | dict[str, Any] | list[Any] | int) -> str:
    """Return a value as YAML, keys of the top three levels on lines of their own."""
    return _block(node, 0).lstrip("\n") + "\n"


def _block(node: Any, level: int) -> str:
    if isinstance(node, dict) and level < 3 and node:
        return "".join(f"\n{'  ' * level}{key}: {_block(each, level + 1)}" for key, each in node.items())
    return _flow(node)


def _flow(node: Any) -> str:
    if isinstance(node, Table | dict):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in node.items())}}}"
    if isinstance(node, Listing | list):
        return f"[{', '.join(map(_flow, node))}]"
    return f'"{node}"' if isinstance(node, Quoted) else str(node)


# --- random faulty intents ----------------------------------------------------------------------------

# Few values, so that they often collide, and the usual slips.
_NETWORKS = ["10.1.1.0/24", "10.1.0.0/16", "10.1.1.128/25", "10.5.0.0/22", "192.168.0.0/16", "10.96.0.0/12"]
_ODD_NETWORKS = ["10.0.0.0/8", "100.64.0.0/16", "198.18.4.0/24", "8.8.0.0/16", "10.9.0.0/28", "10.1.1.7/32"]
_SLIPPED_NETWORKS = ["10.1.1.5/24", "10.1.1.0", "10.1.1.0/255.255.255.0", "10.5.0.0/022", "010.5.0.0/22", "fd00::/8"]
_LAKES = ["100.64.0.0/10", "100.64.0.0/20", "198.18.0.0/15", "10.1.2.0/24", "8.0.0.0/8", "100.0.0.0/9", "172.16.0.0/14"]
_ADDRESSES = ["10.1.1.1", "10.1.1.2", "10.1.1.3", "10.5.0.9", "10.1.1.130", "192.168.7.7"]
_ODD_ADDRESSES = ["10.1.1.0", "10.1.1.255", "100.64.0.9", "10.200.0.1"]
_PRESENTS, _ODD_PRESENTS = ["172.31.0.0/28", "10.2.2.0/29"], ["10.1.1.0/28", "172.31.0.0/31", "100.64.1.0/28"]
_SOURCES, _ODD_SOURCES = ["10.250.0.0/24", "10.251.0.0/31", "10.250.0.0/25"], ["8.8.0.0/16", "10.1.1.0/28"]
_PORTS = ["tcp/443", "tcp/80", "udp/53", "icmp"]
_ODD_PORTS = ["tcp/21", "udp/69", "tcp/111", "udp/500", "udp/4500"]
_SLIPPED_PORTS = ["443", "TCP/443", "tcp 80", "53/udp", "tcp/0443", "tcp/99999"]
_UNKNOWN = st.sampled_from([[], [], [], [], ["portl"], ["mail"], ["mail", "portl"]])
SERVICES, TENANTS = ["portal", "dns", "syslog"], ["alpha", "beta", "gamma"]


def _mostly(usual: list[str], odd: list[str], slipped: list[str]) -> st.SearchStrategy[str]:
    """Return a usual value, more seldom an odd one, which collides, and seldom one that cannot be read."""
    others = [st.sampled_from(each) for each in (odd, slipped) if each]
    return st.one_of(*[st.sampled_from(usual)] * 6, *others)


@dataclass(frozen=True)
class _Drawing:
    """Draws the parts of one document; ``slips`` tells whether values may be unreadable, which hides collisions."""

    draw: st.DrawFn
    slips: bool

    def text(self) -> str:
        """Draw a whole document."""
        services = self._named([*SERVICES], "Dns", self._service)
        provider: dict[str, Any] = {"name": "acme", "networks": self._networks(), "services": services}
        self._optional(provider, "lake", 2, _mostly(_LAKES, [], self._or_none(["198.18.0.0", "198.18.1.0/15"])))
        ranges = st.lists(_mostly(_SOURCES, _ODD_SOURCES, []), min_size=1, max_size=3)
        self._optional(provider, "source", 3, ranges | st.sampled_from(["keep", *self._or_none(["10.250.0.0/24"])]))
        hosts = st.dictionaries(st.sampled_from(["monitor", "portal", *self._or_none(["Jump"])]), self._addresses())
        self._optional(provider, "hosts", 5, hosts)
        reach = st.builds(_reach, _mostly(TENANTS, ["alfa", "delta"], []), self._ports())
        self._optional(provider, "reaches", 3, st.lists(reach, min_size=1, max_size=2))
        self._optional(provider, "lake-acknowledged", 4, st.sampled_from(["true", "false", *self._or_none(["yes"])]))
        document = {"version": self.draw(st.sampled_from([1, *self._or_none(["2", '"1"'])])), "provider": provider}
        self._optional(document, "design", 4, self._designs())
        return dumped({**document, "tenants": self._named([*TENANTS], "Beta", self._tenant)})

    def _tenant(self) -> dict[str, Any]:
        networks = self._networks()
        used = [*self.draw(st.lists(st.sampled_from(SERVICES), max_size=3)), *self.draw(_UNKNOWN)]
        tenant: dict[str, Any] = {"networks": networks, "services": used}
        presents = _mostly(_PRESENTS, _ODD_PRESENTS, self._or_none(["172.31.0.5/28"]))
        if self.draw(st.integers(0, 7)) != 7:
            tenant["presents"] = self.draw(presents)
        names = st.sampled_from(["pc", "rtr", "web", *self._or_none(["Web", "CE", "ce"])])
        self._optional(tenant, "hosts", 2, st.dictionaries(names, self._addresses(), max_size=3))
        pools = st.sampled_from([1, 1, 2, 70, 300, *self._or_none([0])]).map(lambda size: {"pool": size})
        modes = pools | st.sampled_from(["prefix", "host", "host", *self._or_none(["Prefix", '"pool: 4"'])])
        each = st.dictionaries(st.sampled_from([*networks, "10.9.0.0/24", "10.5.0.0/23"]), modes, max_size=2)
        self._optional(tenant, "sources", 2, modes | each)
        self._optional(tenant, "design", 4, self._designs())
        if self.slips:
            key = self.draw(st.sampled_from(["network", "presnts", "colour"]))
            self._optional(tenant, key, 8, st.just("10.1.1.0/24"))
        return tenant

    def _service(self) -> dict[str, Any]:
        service: dict[str, Any] = {"address": self.draw(self._addresses()), "ports": self.draw(self._ports())}
        names = ["portal.example", "dns.example", *self._or_none(["Dns.example."])]
        self._optional(service, "dns", 4, st.sampled_from(names))
        public = ["203.0.113.10", "203.0.113.11", *self._or_none(["10.1.1.9/32", "203.0.113.9/32"])]
        self._optional(service, "internet", 4, st.sampled_from(public))
        self._optional(service, "proxy-protocol", 6, st.sampled_from(["v2", *self._or_none(["v1"])]))
        self._optional(service, "signed-header", 12 if self.slips else 6, st.just("keys/portal.key"))
        self._optional(service, "design", 6, st.sampled_from(["appliance", *self._or_none(["lake"])]))
        if not self.slips and "proxy-protocol" in service:
            service.pop("signed-header", None)
        return service

    def _networks(self) -> list[str]:
        prefixes = _mostly(_NETWORKS, _ODD_NETWORKS, self._or_none(_SLIPPED_NETWORKS))
        return self.draw(st.lists(prefixes, min_size=1, max_size=3))

    def _addresses(self) -> st.SearchStrategy[str]:
        return _mostly(_ADDRESSES, _ODD_ADDRESSES, self._or_none(["10.1.1.1/32", "10.1.1.01", "10.1.1.300"]))

    def _ports(self) -> st.SearchStrategy[list[str]]:
        return st.lists(_mostly(_PORTS, _ODD_PORTS, self._or_none(_SLIPPED_PORTS)), min_size=1, max_size=3)

    def _designs(self) -> st.SearchStrategy[str]:
        return st.sampled_from(["lake", "last-hop", "appliance", *self._or_none(["lakes"])])

    def _named(self, usual: list[str], slipped: str, value: Callable[[], Any]) -> dict[str, Any]:
        names = st.sampled_from([*usual, *self._or_none([slipped])])
        return {name: value() for name in self.draw(st.lists(names, min_size=1, max_size=3, unique=True))}

    def _optional(self, mapping: dict[str, Any], key: str, one_in: int, value: st.SearchStrategy[Any]) -> None:
        if self.draw(st.integers(1, one_in)) == one_in:
            mapping[key] = self.draw(value)

    def _or_none(self, values: list[Any]) -> list[Any]:
        return values if self.slips else []


def _reach(tenant: str, ports: list[str]) -> dict[str, Any]:
    return {"tenant": tenant, "ports": ports}


@st.composite
def faulty_documents(draw: st.DrawFn) -> str:
    """Draw the text of an intent, most often one with faults of several kinds, in every other one unreadable values."""
    return _Drawing(draw, draw(st.booleans())).text()
