"""How the services of a fabric are told who is calling, and the keys of those that are told by a signed header."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from farshore.caller_identity import CallerIdentity, SignedHeader
from farshore.engine.haproxy.configuration import key_variable
from farshore.errors import MachineError
from farshore.fabric import names
from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName

_SHORTEST = 16  # bytes: half of what HMAC-SHA256 makes good use of


def introductions(fabric: Fabric) -> Mapping[NodeName, CallerIdentity]:
    """Return how services are told who is calling, by the names of their nodes."""
    fronts = (front for proxy in fabric.proxies for front in proxy.fronts)
    return {
        names.service(front.service): front.caller_identity for front in fronts if front.caller_identity is not None
    }


def read_keys(fabric: Fabric, intent: Path) -> Mapping[NodeName, bytes]:
    """Read the keys that a fabric needs; their files are named relative to the intent's.

    Raises MachineError where one cannot be read, or is too short to keep a secret.
    """
    found = {}
    for node, introduction in introductions(fabric).items():
        if isinstance(introduction, SignedHeader):
            path = intent.parent / introduction.key_file
            fix = f"make one: (umask 077; head -c 32 /dev/urandom > {path})"
            try:
                key = path.read_bytes()
            except OSError as error:
                raise MachineError(f"the key of {node}, {path}, cannot be read ({error.strerror}); {fix}") from error
            if len(key) < _SHORTEST:
                raise MachineError(f"the key of {node}, {path}, has {len(key)} bytes of at least {_SHORTEST}; {fix}")
            found[node] = key
    return found


def variables(keys: Mapping[NodeName, bytes]) -> Mapping[str, str]:
    """Return keys as the environment variables of a proxy."""
    return {key_variable(node.local): base64.b64encode(key).decode() for node, key in keys.items()}
