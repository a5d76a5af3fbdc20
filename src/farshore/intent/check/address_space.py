"""Warnings of address space that others are known to use: of the lake once, of the provider's source once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from farshore.diagnostic_codes import DiagnosticCode
from farshore.errors import Diagnostic
from farshore.fix import Choice, Fix, Write, choices_of
from farshore.intent.check.network_table import overlap
from farshore.intent.check.scope import Scope
from farshore.intent.model import Provider
from farshore.special_purpose import PRIVATE, PUBLIC, SHARED

_NO_OTHER_USER = "where no one else uses it, write lake-acknowledged: {} in provider"


def address_space_warnings(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    """Warn of the gravest use that others make of the lake, unless the file acknowledges it, and of the source's."""
    if not provider.lake_acknowledged:
        yield from _lake(scope, provider)
    own = [prefix.network for prefix in provider.networks]
    for index, prefix in enumerate(provider.source):
        source = prefix.network
        if _public(source) and not any(source.subnet_of(network) for network in own):
            position = provider.source_positions[index] if index < len(provider.source_positions) else None
            problem = (
                f"provider's source {source} {_part_of(source, PUBLIC)} public address space{_unanswered(provider)}"
            )
            fix = "choose private addresses, or list it in networks too if it is the provider's own"
            code = DiagnosticCode.SOURCE_IN_PUBLIC_SPACE
            yield scope.fault(position or provider.source_position, code, problem, fix)
            break


def _lake(scope: Scope, provider: Provider) -> Iterator[Diagnostic]:
    lake = provider.lake.network
    acknowledged = Choice(_NO_OTHER_USER, (Write(("provider", "lake-acknowledged"), value=True),))
    private = next((entry for entry in PRIVATE if overlap(lake, entry.block)), None)
    if _public(lake):
        code, unanswered = DiagnosticCode.LAKE_IN_PUBLIC_SPACE, _unanswered(provider)
        problem = f"lake {lake} {_part_of(lake, PUBLIC)} public address space{unanswered}"
        # One of another lake first: whoever holds public addresses seldom gives them to a lake.
        other = choices_of(scope.lake.fix()) or (Choice("set a smaller lake in private or shared address space"),)
        fix = Fix((*other, acknowledged))
    elif overlap(lake, SHARED.block):
        code = DiagnosticCode.LAKE_IN_SHARED_SPACE
        users = "carrier-grade NAT, Tailscale and some clouds"
        problem = f"lake {lake} is in shared address space ({SHARED.rfc}), used by {users}"
        fix = Fix((acknowledged, Choice("set another lake")))
    elif private is not None:
        code = DiagnosticCode.LAKE_IN_PRIVATE_SPACE
        block = f"({private.block}, {private.rfc})"
        problem = f"lake {lake} is in private address space {block}, which tenants are likely to use"
        fix = Fix((acknowledged, Choice("set another lake")))
    else:
        return
    yield scope.fault(provider.lake_position, code, problem, fix)


def _public(network: IPv4Network) -> bool:
    return any(overlap(network, block) for block in PUBLIC)


def _part_of(network: IPv4Network, blocks: Iterable[IPv4Network]) -> str:
    return "is in" if any(network.subnet_of(block) for block in blocks) else "is partly in"


def _unanswered(provider: Provider) -> str:
    """Say what it means for the Internet, where something is published."""
    published = [service.name for service in provider.services.values() if service.internet is not None]
    if not published:
        return ""
    services = f"service {published[0]}" + (f" and {len(published) - 1} more" if len(published) > 1 else "")
    return f", so Internet hosts with such addresses get no answer from {services}"
