"""What is watched while traffic is on green: its health, the live weights, the gates. And before that: the routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bluegreen.domain.deployment import Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.health import Setting, SlotHealth
from bluegreen.domain.spec import HookPoint
from bluegreen.lifecycle.hooks.hook_runs import cancel_all
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.watch import drift
from bluegreen.lifecycle.watch.gating import look_at_gates
from bluegreen.lifecycle.work import Work
from bluegreen.together import both

Look = Callable[[Work], tuple[SlotHealth, Setting]]


def watch(work: Work, look: Look = drift.look) -> Outcome | None:
    """None while all is well."""
    return traffic_suffers(work, look) or look_at_gates(work)


def traffic_suffers(work: Work, look: Look = drift.look) -> Outcome | None:
    """Of what is watched, the live weights and the slots. They are read at the same time."""
    live, slots = both(work.world.together, lambda: routing.observe_all(work), lambda: look(work))
    return routing.judge(work, live) or _slots_suffer(work, *slots)


def undisturbed(work: Work, point: HookPoint, act: Callable[[], Outcome]) -> Outcome:
    """What a step before the shift answers, unless someone else wrote a route, or in the shift a service.

    From the first write on that is looked at every ``gate_interval``, and a wait is cut to the next look. No verdict of
    the point's hooks counts when the test route led elsewhere at its end: they run again once a person has decided.
    """
    if problem := _look_when_due(work, point):
        return problem
    outcome = act()
    if not isinstance(outcome, Wait):
        return _led_astray(work, point) or outcome
    if not routing.last_write_at(work.deployment):
        return outcome
    return replace(outcome, seconds=min(outcome.seconds, max(0.0, _look_due(work) - work.now())))


def green_suffers(work: Work) -> Outcome | None:
    """Green lost targets: at once when none is left, else when it lasts longer than the settle time.

    Before that: someone else changed green's or blue's service, which explains it better.
    """
    return _slots_suffer(work, *drift.look(work))


def _look_due(work: Work) -> float:
    """The read-back of a write was a look."""
    return max(routing.last_write_at(work.deployment), work.routes_at) + work.deployment.spec.gate_interval


def _look_when_due(work: Work, point: HookPoint) -> Outcome | None:
    d = work.deployment
    if not routing.last_write_at(d) or work.now() < _look_due(work):
        return None
    looked_at = traffic_suffers(work) if d.phase is Phase.SHIFT else routing.find_drift(work)
    return looked_at or _led_astray(work, point)


def _led_astray(work: Work, point: HookPoint) -> Hold | None:
    asked = [run for run in work.deployment.hooks if run.point is point and not run.dry_run]
    if not asked:
        return None
    drift = routing.find_test_drift(work)
    if drift is not None:
        cancel_all(work, asked, "cancelled: the test route leads elsewhere")
    return drift


def _slots_suffer(work: Work, seen: SlotHealth, blue: Setting) -> Outcome | None:
    d = work.deployment
    need = d.spec.health.required(drift.green_keeps(d))
    changed = drift.judge(work, seen, blue) if seen.healthy else None
    if changed is not None:
        return changed
    if seen.healthy >= need:
        if d.unhealthy_since is not None:
            work.record(unhealthy_since=None)
        return None
    if d.unhealthy_since is None:
        message = f"green {d.green.name} has {seen.healthy} of {need} required healthy targets"
        work.record(work.event(Kind.HEALTH, message, healthy=seen.healthy, required=need), unhealthy_since=work.now())
    since = work.deployment.unhealthy_since
    lasting = since is not None and work.now() - since >= d.spec.health.settle
    if seen.healthy and not lasting:
        return None
    found = work.diagnose(d.green, d.started_at)
    return Reject(f"green {d.green.name} has {seen.healthy} of {need} required healthy targets{why(found)}")


def why(health: SlotHealth) -> str:
    """The reasons for a message: ``: first; second | last log line``; empty when there is none."""
    reasons = list(dict.fromkeys(failure.reason for failure in health.failures))[:3]
    log = [line for failure in health.failures for line in failure.log][-3:]
    text = f": {'; '.join(reasons)}" if reasons else ""
    return f"{text} | log: {' / '.join(log)}" if log else text
