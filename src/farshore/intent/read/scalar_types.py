"""The scalars of the intent file as types: each is read by a function of its own and has a JSON Schema beside it.

pydantic walks the structure of the file and collects every fault. What a scalar means is decided by this
package's own functions, which take nothing but its text, so nothing is ever coerced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema

from farshore.diagnostic_codes import DiagnosticCode
from farshore.fix import choices_of, write
from farshore.intent.model import DesignName, Mode
from farshore.intent.read import address, modes, ports, scalars
from farshore.intent.read.scalars import FaultError
from farshore.port import Port
from farshore.realm import RESERVED_TENANT_NAMES

MOST_SESSIONS = 4_294_967_295
# Nodes of a lab have these names, so a host or a service cannot.
RESERVED_HOST_NAMES = frozenset({"ce", "nat", "wan", "proxy"})
RESERVED_SERVICE_NAMES = frozenset({"nat", "router", "edge", "proxy", "last-hop"})


@dataclass(slots=True)
class FaultBudget:
    """How many more faults of scalars are worth their memory: a hundred thousand are of no use."""

    left: int = 10_000


def _leaf(read: Callable[[object], Any], schema: dict[str, Any]) -> tuple[PlainValidator, WithJsonSchema]:
    """Return the annotations that make a type a scalar which ``read`` parses."""
    # A large file repeats the same few thousand values. Distinguished by type: quotes matter.
    read_again = lru_cache(maxsize=4096, typed=True)(read)

    def validate(value: object, info: ValidationInfo) -> object:
        try:
            return read_again(value) if isinstance(value, str) else read(value)
        except FaultError:
            budget = info.context
            if isinstance(budget, FaultBudget):
                # The file is refused already, so the value of this one does not matter.
                if budget.left == 0:
                    return None
                budget.left -= 1
            raise

    return PlainValidator(validate), WithJsonSchema(schema)


def _unreserved(reserved: frozenset[str], what: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        other = f"give the {what} another name"
        try:
            found = scalars.name(value)
        except FaultError as fault:
            if any(edit.value in reserved for choice in choices_of(fault.fix) for edit in choice.edits):
                raise FaultError(fault.code, fault.problem, other) from None
            raise
        if found in reserved:
            problem = f"name '{found}' is reserved for farshore's own nodes and realms"
            raise FaultError(DiagnosticCode.RESERVED_NAME, problem, other)
        return found

    return read


tenant_name = _unreserved(RESERVED_TENANT_NAMES, "tenant")


def _pinned(value: object) -> IPv4Address | None:
    return None if scalars.is_null(value) else address.address(value)


def _version(value: object) -> int:
    found = scalars.whole_number(value, 0, MOST_SESSIONS, 1)
    if found != 1:
        raise FaultError(DiagnosticCode.UNSUPPORTED_VERSION, f"version {found} is not supported", write(1))
    return found


def _sessions(value: object) -> int:
    return scalars.whole_number(value, 1, MOST_SESSIONS, 50000)


def _rate(value: object) -> int:
    return scalars.whole_number(value, 1, MOST_SESSIONS, 1000)


def _name_schema(reserved: frozenset[str] = frozenset()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "pattern": scalars.NAME_PATTERN}
    return {**schema, "not": {"enum": sorted(reserved)}} if reserved else schema


_PREFIX_SCHEMA = {"type": "string", "pattern": address.PREFIX_PATTERN}
_ADDRESS_SCHEMA = {"type": "string", "pattern": address.ADDRESS_PATTERN}

Prefix = Annotated[IPv4Network, *_leaf(address.prefix, _PREFIX_SCHEMA)]
Address = Annotated[IPv4Address, *_leaf(address.address, _ADDRESS_SCHEMA)]
InternetAddress = Annotated[IPv4Address, *_leaf(address.internet_address, _ADDRESS_SCHEMA)]
PinnedAddress = Annotated[IPv4Address | None, *_leaf(_pinned, {"anyOf": [{**_ADDRESS_SCHEMA}, {"type": "null"}]})]
Name = Annotated[str, *_leaf(scalars.name, _name_schema())]
TenantName = Annotated[str, *_leaf(tenant_name, _name_schema(RESERVED_TENANT_NAMES))]
ServiceName = Annotated[
    str, *_leaf(_unreserved(RESERVED_SERVICE_NAMES, "service"), _name_schema(RESERVED_SERVICE_NAMES))
]
HostName = Annotated[str, *_leaf(_unreserved(RESERVED_HOST_NAMES, "host"), _name_schema(RESERVED_HOST_NAMES))]
Domain = Annotated[
    str,
    *_leaf(scalars.domain, {"type": "string", "pattern": scalars.DOMAIN_PATTERN, "maxLength": scalars.LONGEST_DOMAIN}),
]
OnePort = Annotated[Port, *_leaf(ports.port, {"type": "string", "pattern": ports.PORT_PATTERN})]
Truth = Annotated[bool, *_leaf(scalars.truth, {"type": "boolean"})]
Version = Annotated[int, *_leaf(_version, {"const": 1})]
Sessions = Annotated[int, *_leaf(_sessions, {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS})]
PoolSize = Annotated[int, *_leaf(modes.pool_size, {"type": "integer", "minimum": 1, "maximum": modes.LARGEST_POOL})]
SourceWord = Annotated[Mode, *_leaf(modes.source_mode, {"enum": [Mode.PREFIX.value, Mode.HOST.value]})]
Rate = Annotated[int, *_leaf(_rate, {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS})]
Design = Annotated[DesignName, *_leaf(modes.design, {"enum": [design.value for design in DesignName]})]
ServiceDesign = Annotated[DesignName, *_leaf(modes.proxying_design, {"const": DesignName.APPLIANCE.value})]
ProxyVersion = Annotated[str, *_leaf(modes.proxy_protocol, {"const": "v2"})]
KeyFile = Annotated[str, *_leaf(modes.key_file, {"type": "string", "minLength": 1, "maxLength": modes.LONGEST_PATH})]
ProviderHostName = Annotated[
    str, *_leaf(_unreserved(RESERVED_SERVICE_NAMES, "host"), _name_schema(RESERVED_SERVICE_NAMES))
]
Keep = Annotated[str, *_leaf(modes.keep, {"const": modes.KEEP})]
