"""What is watched while traffic is on green: its health, the live weights, the gates."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.domain.events import Kind
from bluegreen.domain.health import Setting, SlotHealth
from bluegreen.lifecycle.outcome import Outcome, Reject
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


def green_suffers(work: Work) -> Outcome | None:
    """Green lost targets: at once when none is left, else when it lasts longer than the settle time.

    Before that: someone else changed green's or blue's service, which explains it better.
    """
    return _slots_suffer(work, *drift.look(work))


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
