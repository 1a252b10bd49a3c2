"""``tick()`` advances one deployment by one step; every driver is only another way to call it.

hold the lease → load → run the step of its phase → advance → save → publish → done, or wake me in N seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from bluegreen.domain.deployment import Deployment, HoldKind, Phase, PhaseSpan, RollbackFacts, Waiting
from bluegreen.domain.deployment import Hold as HoldRecord
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.release import KnownGood, Quarantined, Release, ReleaseRequest
from bluegreen.domain.service import Lease, ServiceState
from bluegreen.domain.spec import Consequence
from bluegreen.lifecycle import control
from bluegreen.lifecycle.blocked import FOR_GOOD, PASSING, blocked
from bluegreen.lifecycle.holding import nobody_decided
from bluegreen.lifecycle.machine import Lifecycle
from bluegreen.lifecycle.outcome import Done, Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.routes import late
from bluegreen.lifecycle.steps import STEPS, Step
from bluegreen.lifecycle.table import ONWARD, Trigger
from bluegreen.lifecycle.undo.reverting import whole_of
from bluegreen.lifecycle.work import Looks, Work, World


@dataclass(frozen=True, slots=True)
class Ticked:
    """``wake_in`` is in seconds, and None when the deployment has ended or holds for a person."""

    deployment: Deployment
    lease: Lease
    wake_in: float | None
    held: bool = False


class Engine:
    def __init__(self, world: World, steps: Mapping[Phase, Step] = STEPS) -> None:
        self._world = world
        self._steps = steps
        self._lifecycle = Lifecycle()
        self._seen: Observation | None = None
        self._looks = Looks()
        self.urgent = False
        """Users are on a release that is being rolled back: no call waits longer than it must."""

    def tick(self, deployment_id: str, lease: Lease) -> Ticked:
        """Advance by one step. Raises PreemptedError once another driver holds the service, and the AwsError family."""
        lease, state = self._renewed(lease)
        d = self._world.store.load(deployment_id)
        work = Work.after(self._seen, self._looks, self._world, d, lease, state)
        if work.deployment.ended:
            return Ticked(work.deployment, work.lease, None)
        self._hurry(work.deployment)
        wake_in = self._apply(work, self._outcome(work))
        self._seen = work.observation()
        self._world.reporter.observed(work.deployment, self._seen)
        return Ticked(work.deployment, work.lease, wake_in, held=work.deployment.hold is not None)

    def turn_back(self, deployment_id: str, lease: Lease, facts: RollbackFacts) -> Deployment:
        """Put a deployment on its way back to blue; the next ticks do it. Safe to repeat.

        Raises RefusedError when it has already ended.
        """
        lease, state = self._renewed(lease)
        work = Work(self._world, self._world.store.load(deployment_id), lease, state)
        self._turn_back(work, facts)
        return work.deployment

    def take_up(self, deployment_id: str, lease: Lease, ended: Lease | None, *, dead: bool) -> None:
        """Before a new driver's first tick: note until when the one before it may still be heard of.

        ``ended`` is the lease that was never given back, ``dead`` that its process does not exist any more.
        """
        lease, state = self._renewed(lease)
        work = Work(self._world, self._world.store.load(deployment_id), lease, state)
        until = late.after_takeover(work.deployment, ended, dead=dead, now=work.now())
        if not work.deployment.ended:
            work.record(late_until=until, driver=lease.token)

    # Private

    def _renewed(self, lease: Lease) -> tuple[Lease, ServiceState]:
        world = self._world
        return world.store.renew(lease, now=world.clock.now(), seconds=world.lease_seconds)

    def _hurry(self, d: Deployment) -> None:
        self.urgent = d.rollback is not None and d.rollback.safe_at is None
        self._world.hurry(self.urgent)

    def _outcome(self, work: Work) -> Outcome:
        try:
            control.obey(work)
            return self._overdue(work) or self._step(work)
        except FOR_GOOD as error:
            return blocked(work, error)

    def _step(self, work: Work) -> Outcome:
        if work.deployment.hold is not None:
            return self._still_held(work)
        if work.deployment.paused and work.deployment.phase is not Phase.ROLLBACK:
            service = work.deployment.service
            why = work.deployment.paused_by or "paused"
            return Hold(HoldKind.PAUSE, why, f"bluegreen resume {service}, or bluegreen rollback {service}")
        return self._steps[work.deployment.phase](work)

    def _apply(self, work: Work, outcome: Outcome) -> float | None:
        match outcome:
            case Done():
                return self._advance(work)
            case Wait(reason=reason, seconds=seconds, until=until):
                if seconds > 0:
                    self._show_wait(work, Waiting(reason, until))
                return seconds
            case Hold(kind=kind, reason=reason, way_out=way_out, gates=gates):
                self._hold(work, HoldRecord(kind, reason, work.now(), way_out), gates)
                return None
            case Reject(reason=reason):
                return self._reject(work, reason)
            case _:
                assert_never(outcome)

    def _advance(self, work: Work) -> float | None:
        d = work.deployment
        dest = self._lifecycle.move(d.phase, ONWARD[d.phase])
        changes = _entering(d, dest, work.now())
        if dest.final:
            self._finish(work, replace(d, **changes))
            return None
        event = replace(work.event(Kind.PHASE, f"{dest.value}"), phase=dest)
        work.record(event, **changes)
        return 0.0

    def _finish(self, work: Work, ended: Deployment) -> None:
        event = _last_event(work, ended)
        assert ended.release is not None or ended.phase is Phase.ROLLED_BACK
        known_good = None
        if ended.phase is Phase.SUCCEEDED and ended.release:
            known_good = KnownGood(ended.release, ended.id, work.now(), whole_of(work, ended))
        work.deployment = self._world.store.finish(
            ended, work.lease, (event,), known_good=known_good, quarantined=self._quarantined(work, ended)
        )
        work.publish(event)

    def _quarantined(self, work: Work, ended: Deployment) -> Quarantined | None:
        """The release that was rolled back; or the one that a rollback after teardown has replaced."""
        if ended.phase is Phase.ROLLED_BACK and ended.release and ended.rollback:
            release, request, reason = ended.release, ended.request, ended.rollback.reason
        elif ended.phase is Phase.SUCCEEDED and ended.condemns is not None:
            release, reason = ended.previous, ended.condemns
            request = ReleaseRequest(task_definition=release.task_definition)
        else:
            return None
        known = ended.fingerprint if release is ended.release else None
        fingerprint = known or self._fingerprint(work, request, ended.previous)
        return Quarantined(release, fingerprint, ended.id, reason, work.now())

    def _fingerprint(self, work: Work, request: ReleaseRequest, live: Release) -> str:
        """Empty, which matches none, where it cannot be known: a deployment whose release is live ends all the same."""
        try:
            return self._world.compute.fingerprint(request, live)
        except FOR_GOOD as error:
            if isinstance(error, PASSING):
                raise
            text = f"{live.id} goes into quarantine by its name alone, and is not recognised again: {error.message}"
            work.publish(work.event(Kind.WARNING, text))
            return ""

    def _reject(self, work: Work, reason: str) -> float:
        facts = RollbackFacts(reason, "bluegreen", work.now(), work.deployment.phase)
        self._turn_back(work, facts)
        return 0.0

    def _turn_back(self, work: Work, facts: RollbackFacts) -> None:
        d = work.deployment
        if d.phase is Phase.ROLLBACK:
            self._take_over_rollback(work, facts)
            return
        dest = self._lifecycle.move(d.phase, Trigger.ROLL_BACK)
        event = replace(work.event(Kind.ROLLBACK, f"rollback: {facts.reason}", by=facts.by), phase=dest)
        rollback = late.turned_back(d, facts, work.now())
        work.record(event, **_entering(d, dest, work.now()), rollback=rollback, driver=work.lease.token)

    def _take_over_rollback(self, work: Work, facts: RollbackFacts) -> None:
        known = work.deployment.rollback
        assert known is not None
        limit = work.deployment.spec.deadlines.rollback
        work.record(
            hold=None,
            rollback=late.joined(known, facts),
            driver=work.lease.token,
            deadline=None if limit is None else work.now() + limit,
        )

    def _overdue(self, work: Work) -> Outcome | None:
        d = work.deployment
        if d.deadline is None or work.now() < d.deadline or d.hold is not None or d.phase is Phase.ROLLBACK:
            return None
        if d.clock_stopped_at is not None:
            return None
        waited = f": {d.waiting.reason}" if d.waiting else ""
        reason = f"phase {d.phase.value} passed its deadline{waited}"
        as_long = f"bluegreen resume {d.service} (gives it as long again)"
        if d.phase is Phase.TEARDOWN:
            return Hold(HoldKind.DEADLINE, reason, as_long)
        if d.spec.deadlines.on_deadline is Consequence.HOLD:
            return Hold(HoldKind.DEADLINE, reason, f"{as_long}, or bluegreen rollback {d.service}")
        return Reject(reason)

    def _still_held(self, work: Work) -> Outcome:
        d = work.deployment
        assert d.hold is not None
        why = nobody_decided(d, work.now())
        return Reject(why) if why else Hold(d.hold.kind, d.hold.reason, d.hold.way_out)

    def _hold(self, work: Work, hold: HoldRecord, gates: tuple[str, ...]) -> None:
        known = work.deployment.hold
        if known is None or (known.kind, known.reason) != (hold.kind, hold.reason):
            work.record(
                work.event(Kind.HOLD, f"held: {hold.reason}", hold=hold.kind.value, way_out=hold.way_out),
                hold=hold,
                waiting=None,
                **(_held_for(work.deployment, gates) if gates else {}),
            )

    def _show_wait(self, work: Work, waiting: Waiting) -> None:
        """Only a wait with an end is worth a write; what an observation ends is seen, not stored."""
        known = work.deployment.waiting
        if known == waiting or (waiting.until is None and known is not None and known.until is None):
            work.deployment = replace(work.deployment, waiting=waiting)
            return
        work.record(work.event(Kind.WAITING, waiting.reason, until=waiting.until), waiting=waiting)


# Private


def _held_for(d: Deployment, gates: tuple[str, ...]) -> dict[str, Any]:
    # Imported now: a rollback watches no gate, and is timed.
    from bluegreen.lifecycle.watch.gating import held

    return held(d, gates)


def _entering(d: Deployment, dest: Phase, now: float) -> dict[str, Any]:
    """The fields that change with a phase."""
    limits = d.spec.deadlines
    own_waits = {Phase.SHIFT: sum(step.longest for step in d.spec.shift), Phase.LAUNCH: d.spec.health.settle}
    allowed = {
        Phase.LAUNCH: limits.launch,
        Phase.TEST: limits.test + d.spec.settle,
        Phase.SHIFT: limits.shift,
        Phase.BAKE: d.spec.bake + limits.shift,
        Phase.TEARDOWN: limits.teardown + d.spec.settle,
        Phase.ROLLBACK: limits.rollback,
    }.get(dest)
    ended = tuple(replace(span, ended_at=span.ended_at or now) for span in d.spans)
    return {
        "phase": dest,
        "spans": (*ended, PhaseSpan(dest, now, now if dest.final else None)),
        "deadline": None if allowed is None else now + allowed + own_waits.get(dest, 0.0),
        "waiting": None,
        "hold": None,
        "retired_at": None,
        "ended_at": now if dest.final else None,
    }


def _last_event(work: Work, ended: Deployment) -> Event:
    took = work.now() - ended.started_at
    if ended.phase is Phase.SUCCEEDED:
        release = ended.release.label if ended.release else "?"
        message = f"succeeded: {release} is live on {ended.green.name}"
        return replace(work.event(Kind.SUCCEEDED, message, took=took), phase=ended.phase)
    reason = ended.rollback.reason if ended.rollback else "?"
    live = ended.users() if ended.lost else f"{ended.previous.label} is live on {ended.blue.name}"
    message = f"rolled back: {live}; {reason}"
    return replace(work.event(Kind.ROLLED_BACK, message, took=took, reason=reason), phase=ended.phase)
