"""What a keeper is told, as bytes over the pipe that ties it to the command that started it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field

from farshore.fabric.model import Fabric
from farshore.fabric.names import NodeName

STAY = b"stay\n"
LENGTH = 8


@dataclass(frozen=True, slots=True)
class Job:
    """What the keeper is to build, and where it is known.

    ``keys`` are those of services that are told by a signed header who is calling, by the names of their nodes.
    As the nodes in ``own_servers`` it does not answer: somebody else will.
    """

    name: str
    folder: str
    intent: str
    fabric: Fabric
    keys: Mapping[NodeName, bytes] = field(default_factory=dict)
    own_servers: frozenset[str] = frozenset()


def encode(job: Job) -> bytes:
    """Return a job as the bytes that a keeper reads first: their number, then as many."""
    content = pickle.dumps(job)
    return len(content).to_bytes(LENGTH, "big") + content


def decode(content: bytes) -> Job:
    """Return the job. The bytes must come from the command that started this very process."""
    job = pickle.loads(content)  # noqa: S301 - see above
    assert isinstance(job, Job)  # noqa: S101 - tells mypy what encode wrote
    return job
