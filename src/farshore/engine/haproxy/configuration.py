"""A proxy as HAProxy's configuration, in text: pure.

A frontend for each tenant and service listens in the tenant's routing instance. A backend for each service and
port is shared by all tenants; its server is reached from the instance that the process itself runs in.

A service that asks for a signed header gets four: X-Farshore-Tenant, X-Farshore-Client (address:port),
Signature-Input and Signature, by HTTP Message Signatures (RFC 9421), as :mod:`farshore.verify` reads them. Whatever
a client sends by such names is taken out first, and what cannot be signed is not passed on.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator, Mapping

from farshore.caller_identity import ProxyProtocol, SignedHeader
from farshore.engine.placement import instance_name
from farshore.fabric.model import Fabric, Front, Proxy
from farshore.fabric.names import NodeName
from farshore.machine.namespace import namespace_name
from farshore.verify import COVERED, VALIDITY

ENGINE_NAME = "haproxy"

# HAProxy reserves memory for as many connections as there may be files, and some machines allow a thousand million.
_MOST_FILES = 200_000
# Each service has one server: it is quickly believed to be there again, and slowly to be gone.
_CHECK = "check inter 2s fall 3 downinter 200ms rise 1"


_KEY = re.compile(r"<key of ([a-z0-9-]+)>")
_BIND = re.compile(r"^ +bind (\S+):(\d+) namespace (\S+)$", re.MULTILINE)


def configurations(fabric: Fabric) -> dict[NodeName, str]:
    """Return the configuration of each proxy of a fabric, by the node in which HAProxy runs.

    A proxy without a front listens nowhere, and HAProxy has no configuration of that kind.
    """
    return {proxy.name: configuration(proxy) for proxy in fabric.proxies if proxy.fronts}


def configuration(proxy: Proxy) -> str:
    """Return the configuration of a proxy. Where a key belongs stands whose it is."""
    sections = [_global(), _defaults()]
    for (tenant, service), fronts in _grouped(proxy).items():
        sections.append(_frontend(proxy, f"{tenant}.{service}", fronts))
    backends = {_backend_name(front): front for front in proxy.fronts}
    sections += [_backend(name, front) for name, front in backends.items()]
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections)


def with_keys(text: str, keys: Mapping[str, bytes]) -> str:
    """Return a configuration with the keys of services in it, by the services' names. Those that are not given lack."""

    def key(found: re.Match[str]) -> str:
        given = keys.get(found[1])
        return found[0] if given is None else written(given)

    return _KEY.sub(key, text)


def written(key: bytes) -> str:
    """Return a key as it stands in a configuration."""
    return base64.b64encode(key).decode()


def lacking_keys(text: str) -> tuple[str, ...]:
    """Return the services whose keys a configuration still lacks."""
    return tuple(dict.fromkeys(_KEY.findall(text)))


def listening(text: str) -> Mapping[str, tuple[tuple[str, int], ...]]:
    """Return the addresses and ports on which a configuration listens, by the names of the namespaces."""
    found: dict[str, list[tuple[str, int]]] = {}
    for ip, port, namespace in _BIND.findall(text):
        found.setdefault(namespace, []).append((ip, int(port)))
    return {namespace: tuple(each) for namespace, each in found.items()}


def without_listening(text: str, namespaces: Collection[str]) -> str:
    """Return a configuration less its frontends that listen in these namespaces."""
    sections = text.split("\n\n")
    return "\n\n".join(section for section in sections if listening(f"{section}\n").keys().isdisjoint(namespaces))


def _grouped(proxy: Proxy) -> dict[tuple[str, str], list[Front]]:
    grouped: dict[tuple[str, str], list[Front]] = {}
    for front in proxy.fronts:
        grouped.setdefault((front.ingress.name, front.service), []).append(front)
    return grouped


def _global() -> Iterator[str]:
    yield "global"
    yield f"    fd-hard-limit {_MOST_FILES}"


def _defaults() -> Iterator[str]:
    yield "defaults"
    yield "    mode tcp"
    yield "    timeout connect 5s"
    yield "    timeout client 124m"
    yield "    timeout server 124m"
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
    identity = fronts[0].caller_identity
    if isinstance(identity, SignedHeader):
        yield from _signed(tenant.name, fronts[0].service, identity.key_name)
    for front in fronts[1:]:
        yield f"    use_backend {_backend_name(front)} if {{ dst_port {front.port.number} }}"
    yield f"    default_backend {_backend_name(fronts[0])}"


def _signed(tenant: str, service: str, key_name: str) -> Iterator[str]:
    yield "    mode http"
    yield from _signable()
    # CGI, WSGI and others make one of all punctuation in a name.
    yield "    http-request del-header (?i)^[^a-z0-9]*x[^a-z0-9]*farshore -m reg"
    yield "    http-request del-header (?i)^[^a-z0-9]*signature[^a-z0-9]*(input[^a-z0-9]*)?$ -m reg"
    yield '    http-request set-header Host "%[dst]:%[dst_port]" unless { req.fhdr(host) -m found }'
    yield f"    http-request set-header X-Farshore-Tenant {tenant}"
    yield '    http-request set-header X-Farshore-Client "%[src]:%[src_port]"'
    yield "    http-request set-var(txn.created) date"
    yield f"    http-request set-var(txn.expires) var(txn.created),add({VALIDITY})"
    # The default port is no part of the authority (RFC 9421 section 2.2.3).
    yield "    http-request set-var(txn.authority) 'req.fhdr(host),lower,regsub(:80$,)'"
    times = "created=%[var(txn.created)];expires=%[var(txn.expires)]"
    names = f'nonce="%[uuid()]";keyid="{key_name}";alg="hmac-sha256";tag="farshore/{service}"'
    covered = " ".join(f'"{name}"' for name in COVERED)
    yield f"    http-request set-var-fmt(txn.parameters) {_quoted(f'({covered});{times};{names}')}"
    values = {
        "@method": "%[method]",
        "@authority": "%[var(txn.authority)]",
        "@path": "%[path]",
        "@query": "?%[query]",
        "x-farshore-tenant": tenant,
        "x-farshore-client": "%[src]:%[src_port]",
        "@signature-params": "%[var(txn.parameters)]",
    }
    base = "\n".join(f'"{name}": {values[name]}' for name in (*COVERED, "@signature-params"))
    yield f"    http-request set-var-fmt(txn.base) {_quoted(base)}"
    yield '    http-request set-header Signature-Input "farshore=%[var(txn.parameters)]"'
    signature = f"%[var(txn.base),hmac(sha256,<key of {service}>),base64]"
    yield f'    http-request set-header Signature "farshore=:{signature}:"'


def _quoted(text: str) -> str:
    """Return a text between double quotes as HAProxy's configuration has it (its section 2.2)."""
    return '"' + text.replace('"', r"\"").replace("\n", r"\n") + '"'


def _signable() -> Iterator[str]:
    """Reject what no signature covers: what opens a tunnel, has another target than a path, or ends in headers."""
    yield "    option disable-h2-upgrade"
    # TRACE would return the signature to the client.
    yield "    http-request deny deny_status 405 if METH_CONNECT or METH_TRACE"
    # Absolute, authority and asterisk form (RFC 9112 section 3.2), and a fragment, which no target has.
    yield '    http-request deny deny_status 400 if !{ url -m beg / } or { url -m sub "#" }'
    # HAProxy 2.6 passes on a NUL, and a list where one host belongs.
    yield r"    http-request deny deny_status 400 if { req.hdrs -m reg '[\x00]' }"
    yield "    http-request deny deny_status 400 if { req.fhdr(host) -m reg '[^][A-Za-z0-9._:-]' }"
    yield "    http-request deny deny_status 501 if { req.fhdr(upgrade) -m found }"
    # Behind chunks may stand trailers, which HAProxy passes on and some services take for headers.
    yield "    http-request return status 411 if { req.fhdr(transfer-encoding) -m found }"
    # A proxy of the service's would take out what Connection names (RFC 9110 section 7.6.1).
    yield "    http-request deny deny_status 400 if { req.fhdr(connection) -i -m sub farshore }"
    yield "    http-response deny deny_status 502 if { status 101 }"


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
