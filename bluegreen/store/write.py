"""One write of a record, made recognisable: a repeated one that took effect already is answered, not doubled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.service import Lease
from bluegreen.store import codec


@dataclass(frozen=True, slots=True)
class Write:
    """``deployment`` as it will stand, ``body`` its JSON, ``events`` theirs. ``id`` is the same for the same wish."""

    deployment: Deployment
    expected: int
    body: bytes
    events: tuple[bytes, ...]
    id: str


def write_of(verb: str, deployment: Deployment, lease: Lease, events: Sequence[Event]) -> Write:
    """Raises RecordError for what could not be read back, ValueError for a lease on another service."""
    if deployment.service != lease.service:
        raise ValueError(f"a lease on {lease.service} cannot write a deployment of {deployment.service}")
    after = replace(deployment, version=deployment.version + 1)
    body = codec.encode_deployment(after)
    lines = tuple(codec.encode_event(event) for event in events)
    digest = hashlib.sha256(b"\n".join((f"{verb} {lease.token}".encode(), body, *lines))).hexdigest()
    return Write(after, deployment.version, body, lines, digest)
