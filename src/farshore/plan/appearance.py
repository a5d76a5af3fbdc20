"""How one host of a tenant appears in the lake and in the provider's realm."""

from __future__ import annotations

from dataclasses import dataclass

from farshore.plan.model import SourcePlan
from farshore.realm import Address
from farshore.translation import PortBlock, PortBlockNapt


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
