"""The intent file's keys: one model per mapping, for reading files and for the JSON Schema alike.

pydantic walks the structure and collects every fault. What a scalar means is decided by this
package's own functions, which take nothing but its text, so nothing is ever coerced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.fields import FieldInfo

from farshore.intent import address, number
from farshore.intent import ports_and_modes as offer
from farshore.intent import scalars as word
from farshore.intent.fault import FaultError
from farshore.intent.model import DesignName, Mode
from farshore.port import Port
from farshore.realm import RESERVED_TENANT_NAMES

MOST_SESSIONS = 4_294_967_295
# Nodes of a lab have these names, so a host or a service cannot.
RESERVED_HOST_NAMES = frozenset({"ce", "nat", "wan", "proxy"})
RESERVED_SERVICE_NAMES = frozenset({"nat", "router", "edge", "proxy", "last-hop"})


@dataclass(slots=True)
class FaultBudget:
    """How many more faults of scalars are worth their memory: nobody reads a hundred thousand."""

    left: int = 10_000


def _leaf(read: Callable[[object], Any], schema: dict[str, Any]) -> tuple[PlainValidator, WithJsonSchema]:
    """Return the annotations that make a type a scalar which ``read`` understands."""
    # A large file says the same few thousand things again and again. Told apart by type: quotes matter.
    read_again = lru_cache(maxsize=4096, typed=True)(read)

    def validate(value: object, info: ValidationInfo) -> object:
        try:
            return read_again(value) if isinstance(value, str) else read(value)
        except FaultError:
            budget = info.context
            if isinstance(budget, FaultBudget):
                # The file is refused already, so that the value of this one does not matter any more.
                if budget.left == 0:
                    return None
                budget.left -= 1
            raise

    return PlainValidator(validate), WithJsonSchema(schema)


def _unreserved(reserved: frozenset[str], what: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        found = word.name(value)
        if found in reserved:
            raise FaultError(f"the name '{found}' is taken: farshore uses it", f"give the {what} another name")
        return found

    return read


tenant_name = _unreserved(RESERVED_TENANT_NAMES, "tenant")


def _pinned(value: object) -> IPv4Address | None:
    return None if word.is_null(value) else address.address(value)


def _version(value: object) -> int:
    found = number.whole_number(value, 0, MOST_SESSIONS, 1)
    if found != 1:
        raise FaultError(f"there is no version {found} of this format", "write 1")
    return found


def _sessions(value: object) -> int:
    return number.whole_number(value, 1, MOST_SESSIONS, 50000)


def _rate(value: object) -> int:
    return number.whole_number(value, 1, MOST_SESSIONS, 1000)


def _name_schema(reserved: frozenset[str] = frozenset()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "pattern": word.NAME_PATTERN}
    return {**schema, "not": {"enum": sorted(reserved)}} if reserved else schema


_PREFIX_SCHEMA = {"type": "string", "pattern": address.PREFIX_PATTERN}
_ADDRESS_SCHEMA = {"type": "string", "pattern": address.ADDRESS_PATTERN}

Prefix = Annotated[IPv4Network, *_leaf(address.prefix, _PREFIX_SCHEMA)]
Address = Annotated[IPv4Address, *_leaf(address.address, _ADDRESS_SCHEMA)]
InternetAddress = Annotated[IPv4Address, *_leaf(address.internet_address, _ADDRESS_SCHEMA)]
PinnedAddress = Annotated[IPv4Address | None, *_leaf(_pinned, {"anyOf": [{**_ADDRESS_SCHEMA}, {"type": "null"}]})]
Name = Annotated[str, *_leaf(word.name, _name_schema())]
TenantName = Annotated[str, *_leaf(tenant_name, _name_schema(RESERVED_TENANT_NAMES))]
ServiceName = Annotated[
    str, *_leaf(_unreserved(RESERVED_SERVICE_NAMES, "service"), _name_schema(RESERVED_SERVICE_NAMES))
]
HostName = Annotated[str, *_leaf(_unreserved(RESERVED_HOST_NAMES, "host"), _name_schema(RESERVED_HOST_NAMES))]
Domain = Annotated[
    str, *_leaf(word.domain, {"type": "string", "pattern": word.DOMAIN_PATTERN, "maxLength": word.LONGEST_DOMAIN})
]
OnePort = Annotated[Port, *_leaf(offer.port, {"type": "string", "pattern": offer.PORT_PATTERN})]
Version = Annotated[int, *_leaf(_version, {"const": 1})]
Sessions = Annotated[int, *_leaf(_sessions, {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS})]
PoolSize = Annotated[int, *_leaf(offer.pool_size, {"type": "integer", "minimum": 1, "maximum": offer.LARGEST_POOL})]
SourceWord = Annotated[Mode, *_leaf(offer.source_word, {"enum": [Mode.PREFIX.value, Mode.HOST.value]})]
Rate = Annotated[int, *_leaf(_rate, {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS})]
Design = Annotated[DesignName, *_leaf(offer.design, {"enum": [design.value for design in DesignName]})]
ServiceDesign = Annotated[DesignName, *_leaf(offer.proxying_design, {"const": DesignName.APPLIANCE.value})]
ProxyVersion = Annotated[str, *_leaf(offer.proxy_protocol, {"const": "v2"})]
KeyFile = Annotated[str, *_leaf(offer.key_file, {"type": "string", "minLength": 1})]
ProviderHostName = Annotated[
    str, *_leaf(_unreserved(RESERVED_SERVICE_NAMES, "host"), _name_schema(RESERVED_SERVICE_NAMES))
]
Keep = Annotated[str, *_leaf(offer.keep, {"const": offer.KEEP})]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pool(_Model):
    """So many lake addresses for all hosts of a network, each with a fixed block of ports (RFC 7422)."""

    pool: PoolSize = Field(description="How many lake addresses the hosts share.", examples=[2])


_WORD, _POOL, _NETWORKS, _LIST, _MAPPING = "(word)", "(pool)", "(networks)", "(list)", "(mapping)"
KEY_MARKER = "[key]"
# What pydantic puts into a location besides keys and positions: which form a value has, and that a key is meant.
MARKERS = frozenset({_WORD, _POOL, _NETWORKS, _LIST, _MAPPING, KEY_MARKER})


def _kind_of_source(value: object) -> str:
    if not isinstance(value, dict):
        return _WORD
    return _NETWORKS if not value or any("." in key or "/" in key for key in value) else _POOL


def _kind_of_one_source(value: object) -> str:
    return _POOL if isinstance(value, dict) else _WORD


def _list_or_mapping(value: object) -> str:
    return _MAPPING if isinstance(value, dict) else _LIST


def _list_or_word(value: object) -> str:
    return _LIST if isinstance(value, list) else _WORD


OneSource = Annotated[
    Annotated[SourceWord, Tag(_WORD)] | Annotated[Pool, Tag(_POOL)], Discriminator(_kind_of_one_source)
]
Sources = Annotated[
    Annotated[SourceWord, Tag(_WORD)]
    | Annotated[Pool, Tag(_POOL)]
    | Annotated[dict[Prefix, OneSource], Tag(_NETWORKS)],
    Discriminator(_kind_of_source),
]
Subscriptions = Annotated[
    Annotated[list[Name], Tag(_LIST)] | Annotated[dict[Name, PinnedAddress], Tag(_MAPPING)],
    Discriminator(_list_or_mapping),
]
ProviderSource = Annotated[
    Annotated[Keep, Tag(_WORD)] | Annotated[list[Prefix], Field(min_length=1), Tag(_LIST)],
    Discriminator(_list_or_word),
]


class Service(_Model):
    """What the provider offers."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["proxy-protocol", "signed-header"]}})

    address: Address = Field(description="Its address inside the provider's networks.", examples=["10.1.1.1"])
    ports: list[OnePort] = Field(
        min_length=1,
        description="What it listens on: tcp/N, udp/N, or icmp for echo.",
        examples=[["tcp/443", "tcp/80", "icmp"]],
    )
    dns: Domain | None = Field(
        default=None, description="The domain name by which tenants know it.", examples=["portal.acme.example"]
    )
    internet: InternetAddress | None = Field(
        default=None, description="A public address that publishes it to the Internet.", examples=["203.0.113.10"]
    )
    proxy_protocol: ProxyVersion | None = Field(
        default=None,
        alias="proxy-protocol",
        description="v2: the appliance tells it in a PROXY header which tenant is calling, and from which address.",
        examples=["v2"],
    )
    signed_header: KeyFile | None = Field(
        default=None,
        alias="signed-header",
        description="The appliance tells it so in HTTP headers, signed with the key in this file.",
        examples=["keys/portal.key"],
    )
    design: ServiceDesign | None = Field(
        default=None, description="appliance: it carries this service for every tenant.", examples=["appliance"]
    )

    @model_validator(mode="after")
    def _one_introduction(self) -> Self:
        if self.proxy_protocol is not None and self.signed_header is not None:
            raise FaultError("has both proxy-protocol and signed-header", "keep the one that it understands")
        return self


class Reach(_Model):
    """A tenant whose hosts the provider's own may call, for monitoring or backup."""

    tenant: Name = Field(description="Which tenant.", examples=["customer-a"])
    ports: list[OnePort] = Field(
        min_length=1, description="On which ports of its hosts.", examples=[["tcp/22", "icmp"]]
    )


class Provider(_Model):
    """Who offers services, and the lake between it and the tenants."""

    name: Name = Field(description="The provider's name: one lower-case DNS label.", examples=["acme"])
    networks: list[Prefix] = Field(
        min_length=1, description="The prefixes in use inside the provider.", examples=[["10.1.1.0/24"]]
    )
    lake: Prefix = Field(
        default=IPv4Network("100.64.0.0/10"),
        description="Addresses that neither the provider nor any tenant uses.",
        examples=["100.64.0.0/10"],
    )
    source: ProviderSource = Field(
        default=offer.KEEP,
        description="keep: services see lake addresses; or prefixes of the provider to translate them into.",
        examples=["keep", ["10.9.0.0/16"]],
    )
    services: dict[ServiceName, Service] = Field(
        min_length=1,
        description="The services by name.",
        examples=[{"portal": {"address": "10.1.1.1", "ports": ["tcp/443"]}}],
    )
    hosts: dict[ProviderHostName, Address] = Field(
        default={},
        description="Its own hosts that may call tenants; the services where none is named.",
        examples=[{"monitor": "10.1.1.9"}],
    )
    reaches: list[Reach] = Field(
        default=[],
        description="Tenants whose hosts the provider's own may call, by their lake addresses.",
        examples=[[{"tenant": "customer-a", "ports": ["tcp/22", "icmp"]}]],
    )


class Limits(_Model):
    """What a tenant may use up."""

    sessions: Sessions | None = Field(
        default=None, description="How many sessions it may have at the same time; no cap without.", examples=[50000]
    )
    rate: Rate | None = Field(
        default=None, description="How many new sessions it may open in a second; no cap without.", examples=[1000]
    )


class Tenant(_Model):
    """Who uses services: its networks, and the range by which it knows the provider's services."""

    networks: list[Prefix] = Field(
        min_length=1, description="The prefixes in use behind its WAN.", examples=[["10.1.1.0/24"]]
    )
    presents: Prefix | None = Field(
        default=None,
        description="The range that its admins gave for the provider's services; needed when it uses any.",
        examples=["10.2.2.0/28"],
    )
    sources: Sources = Field(
        default=Mode.PREFIX,
        description=(
            "How its hosts appear in the lake: prefix (a block as large as the network), host (only listed hosts),"
            " {pool: N} (N addresses for all), or a mapping from network to one of these."
        ),
        examples=["prefix", "host", {"pool": 2}, {"10.1.0.0/16": "prefix", "10.7.0.0/24": {"pool": 2}}],
    )
    services: Subscriptions = Field(
        default=[],
        description="The services it uses: a list, or a mapping that pins presented addresses.",
        examples=[["portal"], {"portal": "10.2.2.1"}],
    )
    hosts: dict[HostName, Address] = Field(
        default={}, description="Named hosts, for walks, labs and the source host.", examples=[{"alice": "10.1.1.1"}]
    )
    limits: Limits = Field(default_factory=Limits, description="What it may use up.", examples=[{"sessions": 50000}])
    design: Design | None = Field(
        default=None, description="Which design carries it; the intent's where it says nothing.", examples=["last-hop"]
    )


class IntentFile(_Model):
    """A farshore intent: who offers which services, and who uses them."""

    version: Version = Field(description="The version of this format: 1.", examples=[1])
    design: Design = Field(
        default=DesignName.LAKE,
        description="Which design carries the tenants that say nothing else.",
        examples=["lake"],
    )
    provider: Provider = Field(
        description="Who offers services.",
        examples=[
            {
                "name": "acme",
                "networks": ["10.1.1.0/24"],
                "services": {"portal": {"address": "10.1.1.1", "ports": ["tcp/443"]}},
            }
        ],
    )
    tenants: dict[TenantName, Tenant] = Field(
        min_length=1,
        description="Who uses services, by name.",
        examples=[{"customer-a": {"networks": ["10.1.1.0/24"], "presents": "10.2.2.0/28", "services": ["portal"]}}],
    )


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys of a mapping as they are written in a file, each with its field."""
    return {field.alias or name: field for name, field in model.model_fields.items()}
