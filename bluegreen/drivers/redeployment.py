"""A rollback after the end of a deployment: the last known-good release is deployed again.

Apart from the flip, which is timed and needs none of this.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.service import ServiceState
from bluegreen.domain.spec import ShiftStep, Spec
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.foreseeing import launch_seconds
from bluegreen.drivers.loop import Successor
from bluegreen.drivers.rollback import Plan
from bluegreen.errors import BluegreenError, NotFoundError, RecordError, RefusedError
from bluegreen.notify.base import Reporter
from bluegreen.wiring import Session


def plan_redeployment(session: Session, state: ServiceState, service: str, to: str | None) -> Plan:
    """Which release, and what is written.

    Raises RecordError where ``to`` is asked for and there is no record, RefusedError where ``to`` names a slot.
    """
    last = next(iter(session.store.history(service, 1)), None)
    if last is None and to is not None:
        raise RecordError(f"service {service} has no deployment in {session.store_url}")
    if last is None:
        return Plan(
            "nothing",
            f"service {service} has no deployment in {session.store_url}, so there is nothing to roll back",
            hint="does the deployment keep its record elsewhere? --store URL or BLUEGREEN_STORE names that store. "
            f"If its record is lost: bluegreen rollback {service} --to SLOT sends all traffic to that slot without it",
        )
    if to is None and last.phase is Phase.ROLLED_BACK and last.condemns is None:
        return Plan(
            "nothing",
            f"deployment {last.id} was rolled back already: {last.previous.label} is live on {last.blue.name}",
        )
    session.region = last.spec.region
    if to in (last.blue.name, last.green.name):
        newest = _newest_good(session, state, last).release
        goes = f"bluegreen rollback {service} goes to {newest.label}; " if newest else ""
        raise RefusedError(
            f"{to} is a slot, and no release: deployment {last.id} has ended, and a release is launched again",
            hint=f"{goes}--to RELEASE goes to another of bluegreen history {service}",
        )
    found = _named(session, state, last, to) if to else _newest_good(session, state, last)
    if found.release is None:
        return Plan(
            "nothing",
            f"no release of {service} is known that was good, is not live and was not rolled back{found.gone}",
        )
    again = f"{found.release.id} was deregistered: its content is registered again as a new revision"
    writes = (
        *((again,) if found.deregistered else ()),
        f"{found.release.label} is launched on the idle slot beside the live one",
        "once it is healthy: all traffic there at once",
        "then the present release is drained, scaled in and quarantined",
    )
    # One that only its name is known of, from --to: whether ECS has it is seen when it is deployed.
    known = "" if found.release.images else ", which no record here knows"
    summary = f"redeployment of {found.release.label}{known}: the deployment has ended{found.gone}"
    return Plan("redeployment", summary, writes, launch_seconds(last), last, found.release)


def redeploy(
    session: Session, planned: Plan, reporter: Reporter, reason: str | None, attendant: Successor | None = None
) -> Deployment:
    """Raises what ``deploy`` raises."""
    last, target = planned.deployment, planned.target
    assert last is not None
    assert target is not None
    session.region = last.spec.region
    reporter.event(Event(session.clock.now(), last.id, last.service, last.phase, Kind.WAITING, _announced(planned)))
    request = ReleaseRequest(task_definition=target.task_definition, reason=reason or f"rollback to {target.id}")
    condemns = reason or "replaced by a rollback"
    spec = emergency(last.spec)
    return deploy(session, spec, request, reporter, force=True, attendant=attendant, condemns=condemns)


def emergency(spec: Spec) -> Spec:
    """The same service, without what would hold a rollback back: gates fire already, tests guard new releases."""
    return replace(spec, shift=(ShiftStep(100.0, 0.0),), bake=0.0, hooks=(), gates=())


# Private


@dataclass(frozen=True, slots=True)
class _Target:
    """``gone`` names those that would have come first, but do not exist any more, as the end of a sentence."""

    release: Release | None
    deregistered: bool = False
    gone: str = ""


def _named(session: Session, state: ServiceState, last: Deployment, to: str) -> _Target:
    known = [entry.release for entry in state.known_good] + [last.previous]
    release = next((r for r in known if to in (r.id, r.task_definition)), Release(to.rsplit("/", 1)[-1], to))
    return _Target(release, deregistered=_is_registered(session, release) is False)


def _newest_good(session: Session, state: ServiceState, last: Deployment) -> _Target:
    """The newest good one that exists. What was rolled back is not gone back to unasked: the second rollback in a row
    goes further back, not forward to what the first one left. One that a rollback has just failed with comes last.
    """
    live = last.release if last.phase is Phase.SUCCEEDED else last.previous
    failed = last.id if last.phase is Phase.ROLLED_BACK and last.condemns is not None else None
    bad = {entry.release.id for entry in state.quarantine if entry.deployment != failed} | {live.id if live else None}
    good = [release for release in (*(e.release for e in state.known_good), last.previous) if release.id not in bad]
    if failed:
        good.sort(key=lambda release: last.request.task_definition in (release.id, release.task_definition))
    gone: list[str] = []
    for release in good:
        registered = _is_registered(session, release)
        if registered is not None:
            return _Target(release, not registered, _left_out(gone))
        gone.append(release.id)
    return _Target(None, gone=_left_out(gone))


def _left_out(gone: list[str]) -> str:
    return f" ({', '.join(gone)} is left out: ECS has no such task definition any more)" if gone else ""


def _is_registered(session: Session, release: Release) -> bool | None:
    """None: it does not exist any more. Where that cannot be asked now, the deployment will meet it."""
    try:
        return session.compute.is_registered(release.task_definition)
    except NotFoundError:
        return None
    except BluegreenError:
        return True


def _announced(planned: Plan) -> str:
    """Before anything is done: a rollback that is no flip takes longer than the word makes one think."""
    if planned.seconds is None:
        return f"{planned.summary}; how long that takes is not known: no launch of this service is on record"
    return f"{planned.summary}; it gets all traffic in about {planned.seconds:.0f} s, if it starts like the last one"
