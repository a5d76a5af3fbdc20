"""The address plan: the address of every host and service in every realm. Addresses only, no devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from farshore.intent.model import Mode
from farshore.realm import Address, Prefix
from farshore.translation import BasicNat, PortBlock, PortBlockNapt, SourceTranslation


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service's real address in the provider's realm and its unique address in the lake."""

    name: str
    address: Address
    lake: Address


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How the hosts of one tenant network appear in the lake, and in the provider's realm.

    ``lake`` are the blocks that belong to this network. ``translations`` take its hosts there.
    ``provider_translations`` take the lake blocks on into provider addresses; they are empty when
    the provider keeps the lake source.
    """

    network: Prefix
    mode: Mode
    lake: tuple[Prefix, ...]
    translations: tuple[SourceTranslation, ...]
    provider_translations: tuple[BasicNat, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """A host of the provider that may open connections to tenants: its real address and its one in the lake.

    ``name`` is a service's or a host's; both stand below ``provider/``.
    """

    name: str
    address: Address
    lake: Address


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """The presented address of each subscribed service, and how the tenant's hosts appear.

    ``callers`` are the presented addresses by which its hosts see the provider's that may call them.
    """

    name: str
    presents: Mapping[str, Address]
    sources: tuple[SourcePlan, ...]
    callers: Mapping[str, Address] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every address that is assigned. Mappings keep the order of the intent file."""

    lake: Prefix
    services: Mapping[str, ServicePlan]
    tenants: Mapping[str, TenantPlan]
    callers: Mapping[str, Caller] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Appearance:
    """A host's lake address, its block of ports in a pool, and its provider address where translated again."""

    lake: Address
    ports: PortBlock | None
    provider: Address | None


def appearance(source: SourcePlan, address: Address) -> Appearance | None:
    """Return how an address appears through one source; None where that source does not carry it."""
    for translation in source.translations:
        if address not in translation.inside:
            continue
        if isinstance(translation, PortBlockNapt):
            block = translation.block(address)
            return Appearance(block.address, block, _onward(source, block.address))
        lake = translation.outward(address)
        return Appearance(lake, None, _onward(source, lake))
    return None


def _onward(source: SourcePlan, lake: Address) -> Address | None:
    for translation in source.provider_translations:
        if lake in translation.inside:
            return translation.outward(lake)
    return None
