"""A proxy as HAProxy's configuration, in text: pure.

A frontend for each tenant and service listens in the tenant's routing instance. A backend for each service and
port is shared by all tenants; its server is reached from the instance that the process itself runs in.

A service that asks for a signed header gets four: X-Farshore-Tenant, X-Farshore-Client (address:port),
X-Farshore-Time (seconds since 1970) and X-Farshore-Signature, which is the HMAC-SHA256, in lower-case hexadecimal,
of the line ``TENANT CLIENT TIME METHOD TARGET`` with the service's key. Whatever a client sends by such names is
taken out first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from farshore.caller_identity import ProxyProtocol, SignedHeader
from farshore.engine.placement import instance_name
from farshore.fabric.model import Front, Proxy
from farshore.machine.namespace import namespace_name

# HAProxy reserves memory for as many connections as there may be files, and some machines allow a thousand million.
_MOST_FILES = 200_000
# Each service has one server: it is quickly believed to be there again, and slowly to be gone.
_CHECK = "check inter 2s fall 3 downinter 200ms rise 1"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the fabric does not say. ``user`` and ``group`` are None where the machine knows no others."""

    socket: str
    user: str | None = None
    group: str | None = None


def key_variable(service: str) -> str:
    """Return the name of the environment variable that holds a service's key in base64: no text shows it."""
    return f"FARSHORE_KEY_{service.upper().replace('-', '_')}"


def configuration(proxy: Proxy, around: Surroundings) -> str:
    """Return the configuration of a proxy."""
    sections = [_global(around), _defaults()]
    for (tenant, service), fronts in _grouped(proxy).items():
        sections.append(_frontend(proxy, f"{tenant}.{service}", fronts))
    backends = {_backend_name(front): front for front in proxy.fronts}
    sections += [_backend(name, front) for name, front in backends.items()]
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections)


def _grouped(proxy: Proxy) -> dict[tuple[str, str], list[Front]]:
    grouped: dict[tuple[str, str], list[Front]] = {}
    for front in proxy.fronts:
        grouped.setdefault((front.ingress.name, front.service), []).append(front)
    return grouped


def _global(around: Surroundings) -> Iterator[str]:
    yield "global"
    yield f"    fd-hard-limit {_MOST_FILES}"
    # By this socket the next process takes over what this one listens on.
    yield f"    stats socket {around.socket} mode 600 level admin expose-fd listeners"
    if around.user is not None:
        yield f"    user {around.user}"
    if around.group is not None:
        yield f"    group {around.group}"


def _defaults() -> Iterator[str]:
    yield "defaults"
    yield "    mode tcp"
    yield "    timeout connect 5s"
    yield "    timeout client 2h"
    yield "    timeout server 2h"
    yield "    timeout client-fin 1m"
    yield "    timeout server-fin 1m"
    yield "    timeout http-request 30s"
    yield "    timeout http-keep-alive 1m"
    # A connection to a service is one tenant's, and never used again for another's.
    yield "    http-reuse never"


def _frontend(proxy: Proxy, name: str, fronts: list[Front]) -> Iterator[str]:
    tenant = fronts[0].ingress
    namespace = namespace_name(instance_name(proxy, tenant))
    yield f"frontend {name}"
    for front in fronts:
        yield f"    bind {front.presented.ip}:{front.port.number} namespace {namespace}"
    # The unique-id TLV of the PROXY header (type 0x05) is the tenant's name.
    yield f"    unique-id-format {tenant}"
    if isinstance(fronts[0].caller_identity, SignedHeader):
        yield from _signed(tenant.name, fronts[0].service)
    for front in fronts[1:]:
        yield f"    use_backend {_backend_name(front)} if {{ dst_port {front.port.number} }}"
    yield f"    default_backend {_backend_name(fronts[0])}"


def _signed(tenant: str, service: str) -> Iterator[str]:
    yield "    mode http"
    yield "    http-request del-header (?i)^x[-_]farshore[-_] -m reg"
    yield "    http-request set-var(txn.time) date"
    yield f'    http-request set-var-fmt(txn.said) "{tenant} %[src]:%[src_port] %[var(txn.time)] %[method] %[pathq]"'
    yield f"    http-request set-header X-Farshore-Tenant {tenant}"
    yield '    http-request set-header X-Farshore-Client "%[src]:%[src_port]"'
    yield '    http-request set-header X-Farshore-Time "%[var(txn.time)]"'
    signature = f"%[var(txn.said),hmac(sha256,${{{key_variable(service)}}}),hex,lower]"
    yield f'    http-request set-header X-Farshore-Signature "{signature}"'


def _backend_name(front: Front) -> str:
    return f"{front.service}.{front.port.number}"


def _backend(name: str, front: Front) -> Iterator[str]:
    yield f"backend {name}"
    if isinstance(front.caller_identity, SignedHeader):
        yield "    mode http"
    identity = ""
    if isinstance(front.caller_identity, ProxyProtocol):
        # A check says LOCAL in its header: it comes from no caller.
        identity = " send-proxy-v2 proxy-v2-options unique-id check-send-proxy"
    server = f"{front.server.ip}:{front.port.number} source {front.own.ip}"
    yield f"    server {front.service} {server} {_CHECK}{identity}"
