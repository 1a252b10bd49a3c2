"""Questions and wishes: they take no lease and work while another process drives."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.deployment import Deployment, HoldKind
from bluegreen.domain.health import Observation
from bluegreen.domain.service import Control, ControlRequest, ServiceState
from bluegreen.drivers.foreground import active
from bluegreen.drivers.holder import is_held, is_known_dead
from bluegreen.errors import BluegreenError, RefusedError
from bluegreen.wiring import Session

HEARING_SECONDS = 5.0
"""A driver looks for wishes every second; in the middle of a call it may take this long."""


@dataclass(frozen=True, slots=True)
class Status:
    """``deployment`` is the unfinished one, else the last. ``problems`` are reads that failed.

    ``gone``: the process that holds the lease is known not to exist any more.
    """

    state: ServiceState
    deployment: Deployment | None
    observation: Observation
    problems: tuple[str, ...] = ()
    gone: bool = False


def observe(session: Session, service: str) -> Status:
    """The record and, where AWS can be asked, the live world beside it."""
    state = session.store.service(service)
    problems: list[str] = []
    deployment = session.store.load(state.active) if state.active else _newest(session, service, problems)
    if deployment is None:
        return Status(state, None, Observation(), tuple(problems))
    session.region = deployment.spec.region
    slots, live = {}, {}
    for slot in (deployment.blue, deployment.green):
        try:
            slots[slot.name] = session.compute.health(slot)
        except BluegreenError as error:
            problems.append(f"{slot.name}: {error.message}")
    for route in deployment.routes:
        try:
            live[route.name] = session.router.read(route, deployment.blue, deployment.green).split
        except BluegreenError as error:
            problems.append(f"{route.name}: {error.message}")
    gone = state.lease is not None and is_known_dead(state.lease.owner, session.owner)
    return Status(state, deployment, Observation(slots, live), tuple(problems), gone)


def control(
    session: Session, service: str, wish: Control, reason: str | None = None, *, dry_run: bool = False
) -> Deployment:
    """Leave a wish for the driver of the unfinished deployment; in a dry run, only see whether it may be left.

    Raises RefusedError when there is none, or when it could not be obeyed.
    """
    deployment = active(session, service)
    if wish is Control.PROMOTE and deployment.rollback is not None:
        raise RefusedError(
            f"deployment {deployment.id} is being rolled back", hint=f"bluegreen status {service} shows how far it is"
        )
    if wish is Control.RESUME and _is_promoted_anyway(session, deployment):
        return deployment
    if dry_run:
        return deployment
    now = session.clock.now()
    session.store.request(service, ControlRequest(wish, str(session.owner), now, reason))
    return deployment


def _is_promoted_anyway(session: Session, deployment: Deployment) -> bool:
    """A wish to promote is left; it lets the deployment go on too, and must not be lost to one that does no more."""
    left = session.store.service(deployment.service).control
    kind = deployment.hold.kind if deployment.hold else None
    promotes = left is not None and left.control is Control.PROMOTE
    return promotes and kind in (None, HoldKind.PAUSE, HoldKind.INCONCLUSIVE)


def is_heard(session: Session, service: str, seconds: float = HEARING_SECONDS) -> bool:
    """True as soon as the driver took the wish that was left; False when it has not for so long."""
    end = session.clock.monotonic() + seconds
    while session.store.service(service).control is not None:
        if session.clock.monotonic() >= end:
            return False
        session.clock.sleep(0.2)
    return True


def outlive(session: Session, service: str) -> bool:
    """Wait for a silent driver's lease to end. False when it speaks up after all and takes the wish."""
    while is_driven(session, service):
        if is_heard(session, service, 1.0):
            return False
    return True


def is_driven(session: Session, service: str) -> bool:
    """True while some driver that may be alive holds the service's lease."""
    return is_held(session, session.store.service(service))


# Private


def _newest(session: Session, service: str, problems: list[str]) -> Deployment | None:
    """The newest that can be read; a damaged one in front of it is a problem, not the end."""
    for entry in session.store.entries(service, 5):
        if isinstance(entry, Deployment):
            return entry
        problems.append(f"an ended deployment is left out: {entry.fault}")
    return None
