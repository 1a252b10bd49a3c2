"""Who holds a lease, and whether that process can still act: a dead one need not be waited for."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace

from bluegreen.domain.service import Lease, Owner, ServiceState
from bluegreen.errors import LockedError, StoreUnavailableError
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


def is_held(session: Session, state: ServiceState) -> bool:
    """True while some driver that may be alive holds the service's lease."""
    lease = state.lease
    if lease is None or lease.expires_at <= session.clock.now():
        return False
    return not is_known_dead(lease.owner, session.owner)


def take(session: Session, service: str, before: ServiceState | None = None) -> Taken:
    """The service's lease. Raises LockedError while another driver holds it and may be alive.

    ``before`` is the service's item as it was read just now, where it was.
    """
    now, before = session.clock.now(), before or session.store.service(service)
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


def may_be_given_back(ended: Lease | None, active: str | None) -> bool:
    """A lease that was not used. One that followed a silent driver is not given back while its deployment is
    unfinished: to the next driver it would look as if the silent one had ended in order, with nothing on its way."""
    return ended is None or active is None


def give_back_unused(session: Session, taken: Taken) -> None:
    """A store that gives no answer now keeps nothing from being said: the lease ends by itself."""
    service = taken.lease.service
    with suppress(StoreUnavailableError):
        active = session.store.service(service).active if taken.ended else None
        if may_be_given_back(taken.ended, active):
            session.store.release(taken.lease)


# Private


def _taken(session: Session, lease: Lease, ended: Lease | None) -> Taken:
    return Taken(lease, ended, dead=ended is not None and is_known_dead(ended.owner, session.owner))
