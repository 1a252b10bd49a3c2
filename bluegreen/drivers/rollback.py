"""The on-call's command. It says which class of rollback it is, pre-empts whoever drives, and works without the record.

*flip*: blue is warm, one write per production route. *redeployment*: the deployment has ended; the last known-good
release is deployed again.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.deployment import Deployment, Phase, RollbackFacts
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.release import Release
from bluegreen.domain.service import Lease
from bluegreen.drivers.holder import is_known_dead
from bluegreen.drivers.loop import Loop, Successor
from bluegreen.errors import PreemptedError, RefusedError
from bluegreen.lifecycle.routes import late
from bluegreen.notify.base import Reporter
from bluegreen.wiring import Session

PATIENCE_FOR_THE_OTHER = 12.0
"""Seconds the command waits for a pre-empted driver to say that it stopped: a heartbeat and two call deadlines."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``klass``: flip, redeployment or nothing. ``writes`` are sentences, of a flip only where it is foreseen
    (foreseeing.py). ``seconds``: how long to safe, if known. ``hint``: what to do where nothing is rolled back.
    """

    klass: str
    summary: str
    writes: tuple[str, ...] = ()
    seconds: float | None = None
    deployment: Deployment | None = None
    target: Release | None = None
    hint: str | None = None


def plan(session: Session, service: str, *, to: str | None = None) -> Plan:
    """Which class of rollback it is now. The record tells it; for a redeployment ECS is asked what it still has.

    Raises RefusedError for a release that is not known, RecordError where ``to`` is asked for and there is no record.
    """
    state = session.store.service(service)
    if state.active is not None:
        return _plan_flip(session.store.load(state.active), to)
    from bluegreen.drivers.redeployment import plan_redeployment

    return plan_redeployment(session, state, service, to)


def rollback(
    session: Session,
    service: str,
    reporter: Reporter,
    *,
    to: str | None = None,
    reason: str | None = None,
    force: bool = False,
    finisher: Successor | None = None,
    attendant: Successor | None = None,
) -> Deployment:
    """Bring the service back. Returns once it is safe, leaving the clean-up to the ``finisher``; without one, once
    green is drained and scaled in too. A redeployment that holds is left to the ``attendant``.

    Raises RefusedError when there is nothing to go back to, StoreUnavailableError when the record cannot be read.
    """
    planned = plan(session, service, to=to)
    if planned.deployment is not None and planned.klass == "flip":
        return _flip(session, planned.deployment, reporter, reason=reason, force=force, finisher=finisher)
    if planned.target is None:
        otherwise = f"bluegreen history {service}; --to RELEASE names another release"
        raise RefusedError(planned.summary, hint=planned.hint or otherwise)
    from bluegreen.drivers.redeployment import redeploy

    return redeploy(session, planned, reporter, reason, attendant)


# Private


def _plan_flip(d: Deployment, to: str | None) -> Plan:
    if to == d.green.name:
        raise RefusedError(
            f"deployment {d.id} is unfinished: a rollback goes to blue, which is {d.previous.id} in {d.blue.name}; "
            f"{to} is green",
            hint=f"bluegreen resume {d.service} goes on to green; bluegreen rollback {d.service} puts blue back",
        )
    if to is not None and to not in (d.previous.id, d.previous.task_definition, d.blue.name):
        raise RefusedError(
            f"deployment {d.id} is unfinished: a rollback goes to blue, which is {d.previous.id}, not {to}",
            hint=f"bluegreen rollback {d.service} first, then bluegreen deploy --task-definition {to}",
        )
    return Plan(
        "flip", f"flip: blue {d.blue.name} ({d.previous.label}) takes all traffic", deployment=d, target=d.previous
    )


def _flip(
    session: Session, d: Deployment, reporter: Reporter, *, reason: str | None, force: bool, finisher: Successor | None
) -> Deployment:
    now = session.clock.now()
    session.region = d.spec.region
    lease, before = session.store.preempt(d.service, session.owner, now=now, seconds=session.lease_seconds)
    dead = before.lease is not None and is_known_dead(before.lease.owner, session.owner)
    d = session.store.load(d.id)
    if d.ended:
        session.store.release(lease)
        raise RefusedError(f"deployment {d.id} has just ended: {d.phase.value}", hint=_after_the_end(d))
    other = late.still_dangerous(d, before.lease, yielded=before.yielded, dead=dead, now=now)
    if other is not None:
        reporter.event(_takeover(d, other, now))
    facts = RollbackFacts(
        reason=reason or "asked for by a person",
        by=str(session.owner),
        requested_at=session.began_at,
        from_phase=d.phase,
        forced=force,
        other_token=other.token if other else 0,
        other_until=other.expires_at + late.SIGNATURE_SECONDS if other else 0.0,
    )
    loop = Loop(session, reporter)
    # A lease that could not be noted is not given back: the next driver must see that it followed a silent one.
    _turn_back(loop, d, lease, facts)
    if finisher is None:
        return loop.run(d.id, lease)
    ended = loop.run(d.id, lease, until=lambda seen: _enough(session, seen))
    if not ended.ended:
        now = session.clock.now()
        reporter.event(Event(now, d.id, d.service, ended.phase, Kind.WAITING, finisher(session, ended)))
    return ended


def _after_the_end(d: Deployment) -> str:
    if d.phase is Phase.ROLLED_BACK:
        return f"nothing: {d.previous.label} is live on {d.blue.name}; bluegreen status {d.service} shows it"
    return "repeat the command: it is a redeployment of the last known-good release then"


def _turn_back(loop: Loop, d: Deployment, lease: Lease, facts: RollbackFacts) -> None:
    try:
        loop.engine.turn_back(d.id, lease, facts)
    except PreemptedError as error:
        raise PreemptedError(
            f"{error.message}, before this rollback wrote anything: where the traffic goes is up to that process now",
            hint=f"bluegreen status {d.service} shows where it is; if it does not go back to blue, "
            f"bluegreen rollback {d.service} again",
        ) from error


def _takeover(d: Deployment, other: Lease, now: float) -> Event:
    message = f"took over from {other.owner}, which drove deployment {d.id} in phase {d.phase.value}"
    return Event(now, d.id, d.service, d.phase, Kind.TAKEOVER, message, {"from": str(other.owner)})


def _enough(session: Session, d: Deployment) -> bool:
    """Safe; or blue is back and the pre-empted driver stays silent: the background process goes on verifying."""
    facts = d.rollback
    if d.ended or facts is None or facts.safe_at is not None:
        return True
    return facts.blue_at is not None and session.clock.now() - facts.blue_at > PATIENCE_FOR_THE_OTHER
