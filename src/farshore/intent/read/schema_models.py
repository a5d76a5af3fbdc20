"""The intent file's keys: one model per mapping, for reading files and for the JSON Schema alike."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.fields import FieldInfo

from farshore.diagnostic_codes import DiagnosticCode
from farshore.fix import Choice, Fix, Remove
from farshore.intent.model import DEFAULT_SESSIONS, DesignName, Mode
from farshore.intent.read.modes import KEEP
from farshore.intent.read.scalar_types import (
    Address,
    Design,
    Domain,
    HostName,
    InternetAddress,
    Keep,
    KeyFile,
    Name,
    OnePort,
    PinnedAddress,
    PoolSize,
    Prefix,
    ProviderHostName,
    ProxyVersion,
    Rate,
    ServiceDesign,
    ServiceName,
    Sessions,
    SourceWord,
    TenantName,
    Truth,
    Version,
)
from farshore.intent.read.scalars import FaultError

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pool(_Model):
    """So many lake addresses for all hosts of a network, each with a fixed block of ports (RFC 7422)."""

    pool: PoolSize = Field(description="How many lake addresses the hosts share.", examples=[2])


_WORD, _POOL, _NETWORKS, _LIST, _MAPPING = "(word)", "(pool)", "(networks)", "(list)", "(mapping)"
KEY_MARKER = "[key]"
# What pydantic puts into a location besides keys and positions: the form of a value, and the mark of a key itself.
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
    """A service that the provider offers."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["proxy-protocol", "signed-header"]}})

    address: Address = Field(
        description="The address of the service, inside the provider's networks.", examples=["10.1.1.1"]
    )
    ports: list[OnePort] = Field(
        min_length=1,
        description="The ports it listens on: tcp/N, udp/N, or icmp for echo.",
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
        description="v2: the appliance passes on the tenant and the client address in a PROXY header.",
        examples=["v2"],
    )
    signed_header: KeyFile | None = Field(
        default=None,
        alias="signed-header",
        description="The appliance passes them on in HTTP headers, signed with the key in this file.",
        examples=["keys/portal.key"],
    )
    design: ServiceDesign | None = Field(
        default=None, description="appliance: it carries this service for every tenant.", examples=["appliance"]
    )

    @model_validator(mode="after")
    def _one_caller_identity(self) -> Self:
        if self.proxy_protocol is not None and self.signed_header is not None:
            problem = "has both proxy-protocol and signed-header"
            words = {"proxy-protocol": "remove {}", "signed-header": "{}, whichever it does not support"}
            choices = [Choice(how, (Remove((key,), key),)) for key, how in words.items()]
            raise FaultError(DiagnosticCode.CONFLICTING_KEYS, problem, Fix(choices))
        return self


class Reach(_Model):
    """A tenant whose hosts the provider's own hosts may call, for monitoring or backup."""

    tenant: Name = Field(description="The name of the tenant.", examples=["customer-a"])
    ports: list[OnePort] = Field(
        min_length=1, description="The ports of its hosts that may be called.", examples=[["tcp/22", "icmp"]]
    )


class Provider(_Model):
    """The operator of the services, and the lake between it and the tenants."""

    name: Name = Field(description="The provider's name: one lower-case DNS label.", examples=["acme"])
    networks: list[Prefix] = Field(
        min_length=1, description="The prefixes in use inside the provider.", examples=[["10.1.1.0/24"]]
    )
    lake: Prefix = Field(
        default=IPv4Network("100.64.0.0/10"),
        description="Addresses that neither the provider nor any tenant uses.",
        examples=["100.64.0.0/10"],
    )
    lake_acknowledged: Truth = Field(
        default=False,
        alias="lake-acknowledged",
        description="true: no one else uses the lake's addresses, so that farshore does not warn of them.",
        examples=[True],
    )
    source: ProviderSource = Field(
        default=KEEP,
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
        description="The provider's own hosts that may call tenants; the services where none is named.",
        examples=[{"monitor": "10.1.1.9"}],
    )
    reaches: list[Reach] = Field(
        default=[],
        description="Tenants with hosts that the provider's own may call, by their lake addresses.",
        examples=[[{"tenant": "customer-a", "ports": ["tcp/22", "icmp"]}]],
    )


class Limits(_Model):
    """Limits of what a tenant may use."""

    sessions: Sessions | None = Field(
        default=None, description=f"Concurrent sessions of the tenant; {DEFAULT_SESSIONS} by default.", examples=[50000]
    )
    rate: Rate | None = Field(
        default=None, description="New sessions of the tenant per second; unlimited by default.", examples=[1000]
    )


class Tenant(_Model):
    """A user of services: its networks, and the range in which the provider's services are presented."""

    networks: list[Prefix] = Field(
        min_length=1, description="The prefixes in use behind its WAN.", examples=[["10.1.1.0/24"]]
    )
    presents: Prefix | None = Field(
        default=None,
        description="The range that its admins assigned to provider services; required if it uses any.",
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
        default={},
        description="Named hosts, for walks, labs and the source mode host.",
        examples=[{"alice": "10.1.1.1"}],
    )
    limits: Limits = Field(
        default_factory=Limits, description="Limits of what it may use.", examples=[{"sessions": 50000}]
    )
    design: Design | None = Field(
        default=None,
        description="The design that carries it; that of the whole file by default.",
        examples=["last-hop"],
    )


class IntentFile(_Model):
    """A farshore intent: the services of a provider, and the tenants that use them."""

    version: Version = Field(description="The version of this format: 1.", examples=[1])
    design: Design = Field(
        default=DesignName.LAKE,
        description="The design that carries the tenants without a design of their own.",
        examples=["lake"],
    )
    provider: Provider = Field(
        description="The operator of the services.",
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
        description="The users of services, by name.",
        examples=[{"customer-a": {"networks": ["10.1.1.0/24"], "presents": "10.2.2.0/28", "services": ["portal"]}}],
    )


def keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys of a mapping as they are written in a file, each with its field."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the whole file for editors, made from the models that read it."""
    schema = _tidy(IntentFile.model_json_schema(mode="validation"))
    assert isinstance(schema, dict)  # noqa: S101 - a dict was put in
    return {"$schema": DIALECT, **schema, "title": "farshore intent"}


def _tidy(node: Any) -> Any:
    """Remove what pydantic adds and an editor would show, and close mappings whose keys are names."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:
        tidied = {key: _tidy(value) for key, value in node.items() if key != "properties"}
        tidied["properties"] = {key: _tidy(_optional(value)) for key, value in node["properties"].items()}
        return tidied
    tidied = {key: _tidy(value) for key, value in node.items()}
    if "patternProperties" in node or "propertyNames" in node:
        tidied.setdefault("additionalProperties", False)
    return tidied


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key. An optional key may still not be null, which pydantic would allow."""
    kept = {key: value for key, value in schema.items() if key != "title" and not (key == "default" and value is None)}
    choices = kept.get("anyOf", [])
    if {"type": "null"} in choices:
        del kept["anyOf"]
        (only,) = (choice for choice in choices if choice != {"type": "null"})
        kept = {**only, **kept}
    return kept
