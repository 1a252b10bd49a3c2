"""Who holds a lease, and whether that process can still act: a dead one need not be waited for."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from bluegreen.domain.service import Lease, Owner
from bluegreen.errors import LockedError
from bluegreen.wiring import Session


def is_known_dead(owner: Owner, seen_from: Owner) -> bool:
    """True only for a process that does not exist where ``seen_from``, this process, would see it.

    Of another host or another container nothing is known: its pid means nothing here, whatever the host is called.
    """
    if not owner.pids or (owner.host, owner.pids) != (seen_from.host, seen_from.pids):
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@dataclass(frozen=True, slots=True)
class Taken:
    """``ended`` is the lease that was never given back, ``dead`` that its process does not exist any more."""

    lease: Lease
    ended: Lease | None
    dead: bool


def take(session: Session, service: str) -> Taken:
    """The service's lease. Raises LockedError while another driver holds it and may be alive."""
    now, before = session.clock.now(), session.store.service(service)
    try:
        lease = session.store.acquire(service, session.owner, now=now, seconds=session.lease_seconds)
    except LockedError:
        held = session.store.service(service).lease
        if held is None or not is_known_dead(held.owner, session.owner):
            raise
        lease, state = session.store.preempt(service, session.owner, now=now, seconds=session.lease_seconds)
        return _taken(session, lease, state.lease)
    if lease.token == before.token + 1:
        return _taken(session, lease, before.lease)
    # Somebody came in between and is gone: a driver we never saw, whose lease ended before now.
    return Taken(lease, replace(lease, token=lease.token - 1, expires_at=now), dead=False)


# Private


def _taken(session: Session, lease: Lease, ended: Lease | None) -> Taken:
    return Taken(lease, ended, dead=ended is not None and is_known_dead(ended.owner, session.owner))
