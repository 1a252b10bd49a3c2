"""What is watched while traffic is on green: its health, the live weights, the gates."""

from __future__ import annotations

import math
from collections.abc import Callable

from bluegreen.domain.deployment import HoldKind
from bluegreen.domain.events import Kind
from bluegreen.domain.health import Setting, SlotHealth
from bluegreen.domain.spec import Consequence, GateSpec, HealthSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Reading
from bluegreen.lifecycle import drift, routing
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject
from bluegreen.lifecycle.work import Work
from bluegreen.together import both

Look = Callable[[Work], tuple[SlotHealth, Setting]]


def watch(work: Work, look: Look = drift.look) -> Outcome | None:
    """None while all is well."""
    return traffic_suffers(work, look) or gates_fire(work)


def traffic_suffers(work: Work, look: Look = drift.look) -> Outcome | None:
    """Of what is watched, the live weights and the slots. They are read at the same time."""
    live, slots = both(work.world.together, lambda: routing.observe_all(work), lambda: look(work))
    return routing.judge(work, live) or _slots_suffer(work, *slots)


def required(health: HealthSpec, wanted: int) -> int:
    """How many healthy targets a slot must have before it may get traffic: at least one."""
    return max(1, math.ceil(wanted * health.percent / 100))


def green_suffers(work: Work) -> Outcome | None:
    """Green lost targets: at once when none is left, else when it lasts longer than the settle time.

    Before that: someone else changed green's or blue's service, which explains it better.
    """
    return _slots_suffer(work, *drift.look(work))


def _slots_suffer(work: Work, seen: SlotHealth, blue: Setting) -> Outcome | None:
    d = work.deployment
    need = required(d.spec.health, drift.green_keeps(d))
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


def gates_fire(work: Work) -> Outcome | None:
    for spec in work.deployment.spec.gates:
        outcome = _check(work, spec)
        if outcome is not None:
            return outcome
    return None


def why(health: SlotHealth) -> str:
    """The reasons for a message: ``: first; second | last log line``; empty when there is none."""
    reasons = list(dict.fromkeys(failure.reason for failure in health.failures))[:3]
    log = [line for failure in health.failures for line in failure.log][-3:]
    text = f": {'; '.join(reasons)}" if reasons else ""
    return f"{text} | log: {' / '.join(log)}" if log else text


def _check(work: Work, spec: GateSpec) -> Outcome | None:
    try:
        reading = work.world.gate(spec).check()
    except HookUnavailableError as error:
        return _blind(work, spec, error.message)
    work.gates_seen[spec.name] = reading.state
    _remember(work, spec, reading)
    return _judge(work, spec, reading)


def _remember(work: Work, spec: GateSpec, reading: Reading) -> None:
    """A gate that is read again is not blind; one that was quiet is not ignored any more."""
    d = work.deployment
    blind = tuple(pair for pair in d.blind_gates if pair[0] != spec.name)
    ignored = tuple(name for name in d.ignored_gates if name != spec.name or reading.state == "firing")
    if (blind, ignored) != (d.blind_gates, d.ignored_gates):
        work.record(blind_gates=blind, ignored_gates=ignored)


def _judge(work: Work, spec: GateSpec, reading: Reading) -> Outcome | None:
    if reading.state != "firing" or spec.name in work.deployment.ignored_gates:
        return None
    work.publish(work.event(Kind.GATE, f"gate {spec.name} fires: {reading.detail}", gate=spec.name, state="firing"))
    return Reject(f"gate {spec.name} fired: {reading.detail}")


def _blind(work: Work, spec: GateSpec, message: str) -> Outcome | None:
    """A gate that cannot be read is no "ok": after the deadline for blindness the configured consequence follows."""
    work.gates_seen[spec.name] = "unavailable"
    since = dict(work.deployment.blind_gates).get(spec.name)
    if since is None:
        others = tuple(pair for pair in work.deployment.blind_gates if pair[0] != spec.name)
        work.record(
            work.event(Kind.WARNING, f"gate {spec.name} could not be asked: {message}", gate=spec.name),
            blind_gates=(*others, (spec.name, work.now())),
        )
        return None
    if work.now() - since < work.deployment.spec.deadlines.blind:
        return None
    reason = f"gate {spec.name} could not be asked for {work.now() - since:.0f} s: {message}"
    if work.deployment.spec.deadlines.on_hold is Consequence.ROLL_BACK:
        return Reject(reason)
    service = work.deployment.service
    return Hold(
        HoldKind.UNAVAILABLE, reason, f"mend it, then bluegreen resume {service}; or bluegreen rollback {service}"
    )
