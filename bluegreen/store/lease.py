"""What may happen to a service's contended item: pure rules, the same for every store.

The lease keeps drivers apart while all is well; the token keeps a driver that overslept from writing. Clocks
decide only when a lease may be taken over, never whose write counts.
"""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import ControlRequest, Lease, Owner, ServiceState
from bluegreen.errors import LockedError, PreemptedError
from bluegreen.store.codec import no_record
from bluegreen.store.write import Write

LEDGER_LENGTH = 20


def acquire(state: ServiceState, owner: Owner, now: float, seconds: float) -> ServiceState:
    if state.lease is not None and state.lease.expires_at > now:
        raise locked(state.lease, now)
    return preempt(state, owner, now, seconds)


def preempt(state: ServiceState, owner: Owner, now: float, seconds: float) -> ServiceState:
    lease = Lease(state.service, state.token + 1, owner, acquired_at=now, expires_at=now + seconds)
    return replace(state, token=lease.token, lease=lease, last_owner=owner)


def renew(state: ServiceState, lease: Lease, now: float, seconds: float) -> ServiceState:
    fence(state, lease)
    return replace(state, lease=replace(lease, expires_at=now + seconds))


def release(state: ServiceState, lease: Lease) -> ServiceState:
    """Only a driver that was pre-empted is waited for: the word of the newest would cover up that of an older one."""
    if state.token == lease.token:
        return replace(state, lease=None)
    return yield_token(state, lease.token)


def yield_token(state: ServiceState, token: int) -> ServiceState:
    return replace(state, yielded=max(state.yielded, token)) if token <= state.token else state


def begin(state: ServiceState, deployment_id: str) -> ServiceState:
    """A wish that was left before it began was for another deployment."""
    if state.active not in (None, deployment_id):
        raise occupied(state)
    return replace(state, active=deployment_id, control=None)


def finish(
    state: ServiceState, ended: Deployment, known_good: KnownGood | None, quarantined: Quarantined | None
) -> ServiceState:
    """A release that is there already moves to the front: repeats must not push the others out.

    One that was registered again has a new name, and takes the place of what was asked for. One that was forced, and
    proved good, leaves the quarantine.
    """
    good, bad = state.known_good, state.quarantine
    if known_good is not None:
        names = {known_good.release.id, ended.request.task_definition}
        good = (known_good, *(k for k in good if names.isdisjoint((k.release.id, k.release.task_definition))))
        good = good[:LEDGER_LENGTH]
        bad = tuple(q for q in bad if not _is_same(q, known_good.release.id, ended.fingerprint))
    if quarantined is not None:
        others = (q for q in bad if not _is_same(q, quarantined.release.id, quarantined.fingerprint))
        bad = (quarantined, *others)[:LEDGER_LENGTH]
    return replace(state, active=None, control=None, known_good=good, quarantine=bad)


def clear_request(state: ServiceState, seen: ControlRequest | None) -> ServiceState:
    return replace(state, control=None) if seen in (None, state.control) else state


def fence(state: ServiceState, lease: Lease) -> None:
    """Raises PreemptedError unless ``lease`` is the one in force (expired or not)."""
    if state.token != lease.token or state.lease is None:
        raise preempted(state, lease)


def check_version(write: Write, stored: int | None, *, new: bool) -> None:
    """``stored`` is the version in the store, None when there is no such record."""
    if new:
        if stored is not None:
            raise taken(write.deployment)
    elif stored is None:
        raise no_record(write.deployment.id)
    elif stored != write.expected:
        raise stale(write, stored)


def locked(lease: Lease, now: float) -> LockedError:
    age, left = max(0.0, now - lease.acquired_at), lease.expires_at - now
    return LockedError(
        f"service {lease.service} is locked by {lease.owner} for {age:.0f} s",
        hint=f"wait for it; if that process is dead, its lock ends by itself in {left:.0f} s; "
        f"to put traffic back now: bluegreen rollback {lease.service}",
    )


def preempted(state: ServiceState, lease: Lease) -> PreemptedError:
    if state.token == lease.token:
        return PreemptedError(f"{lease.owner} has given back its lock on service {state.service}")
    return PreemptedError(
        f"{state.last_owner or 'another driver'} took service {state.service} over from {lease.owner}",
        hint=f"where the traffic goes is up to that process now: bluegreen status {state.service} shows it",
    )


def occupied(state: ServiceState) -> LockedError:
    return LockedError(
        f"deployment {state.active} of service {state.service} has not ended",
        hint=f"see where it stands: bluegreen status {state.service}; to end it: bluegreen abort {state.service}",
    )


def stale(write: Write, stored: int) -> LockedError:
    service = write.deployment.service
    return LockedError(
        f"the record of deployment {write.deployment.id} was changed by someone else: "
        f"it stands at version {stored}, not {write.expected}",
        hint=f"see where it stands: bluegreen status {service}",
    )


def taken(deployment: Deployment) -> LockedError:
    return LockedError(f"there is a deployment {deployment.id} already", hint="start again: each has an id of its own")


# Private


def _is_same(known: Quarantined, release: str, fingerprint: str | None) -> bool:
    """An empty fingerprint is one that could not be known."""
    return known.release.id == release or (bool(fingerprint) and known.fingerprint == fingerprint)
