"""What is kept of what the gates say: in the record, and in the events. One write for all gates.

Where only numbers moved, the record is written once in a while; any other write takes them along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bluegreen.domain.deployment import Deployment, GateRecord
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.spec import GateSpec, Undecided
from bluegreen.hooks.base import Reading, State
from bluegreen.lifecycle.work import Work

NOT_LOOKED_AT = ""
"""The state of a gate's record when green has just got its traffic."""

NUMBERS_EVERY = 60.0
"""Seconds: so old may the numbers of a gate be in the record, which others read, where nothing but them has changed."""


@dataclass(frozen=True, slots=True)
class Look:
    """``reading`` is None where the gate could not be asked; ``error`` then says why."""

    spec: GateSpec
    reading: Reading | None
    error: str = ""


def keep(work: Work, looks: list[Look]) -> None:
    d = work.deployment
    known = {gate.name: gate for gate in d.gates}
    events: list[Event] = []
    new, changed = dict(known), not 0 <= work.now() - work.looks.written < NUMBERS_EVERY
    for look in looks:
        if look.reading is None:
            continue
        before = known.get(look.spec.name)
        after = _noted(d, look.spec, before, look.reading, work.now())
        new[look.spec.name] = after
        if before is None or not _same(before, after):
            changed = True
            events += _news(work, look.spec, before, look.reading)
    blind = _still_blind(work, looks, events)
    readings = {look.spec.name: look.reading.state for look in looks if look.reading}
    ignored = tuple(name for name in d.ignored_gates if readings.get(name, State.FIRING) == State.FIRING)
    work.deployment = replace(d, gates=tuple(new.values()))
    changed = changed and work.deployment.gates != d.gates
    if changed or (d.blind_gates, d.ignored_gates) != (blind, ignored):
        work.record(*events, blind_gates=blind, ignored_gates=ignored)
        work.looks.written = work.now()


# Private


def _noted(d: Deployment, spec: GateSpec, before: GateRecord | None, reading: Reading, now: float) -> GateRecord:
    known = before or GateRecord(spec.name, reading.state)
    told = reading.state in (State.OK, State.FIRING) or reading.done
    measured = known.measured_at if known.measured_at is not None or not told or d.watched_since is None else now
    return GateRecord(
        spec.name,
        str(reading.state),
        reading.detail,
        measured,
        known.accepted and reading.state != State.OK,
        dict(reading.numbers),
        dict(reading.memory),
        reading.due,
    )


def _same(before: GateRecord, after: GateRecord) -> bool:
    return replace(before, detail="", numbers={}) == replace(after, detail="", numbers={})


def _news(work: Work, spec: GateSpec, before: GateRecord | None, reading: Reading) -> list[Event]:
    """A gate that could not tell and now can is worth a line; so is one that cannot and is let pass."""
    state = before.state if before else None
    told = state in (State.NOT_YET, State.INCONCLUSIVE) and reading.state == State.OK
    let_pass = spec.inconclusive is Undecided.GO_ON and reading.state == State.INCONCLUSIVE != state
    if not (told or let_pass):
        return []
    data = {"gate": spec.name, "state": str(reading.state), "numbers": dict(reading.numbers)}
    return [work.event(Kind.GATE, f"gate {spec.name}: {reading.detail}", **data)]


def _still_blind(work: Work, looks: list[Look], events: list[Event]) -> tuple[tuple[str, float], ...]:
    """A gate that is read again is not blind; for one that is, since when."""
    since = dict(work.deployment.blind_gates)
    for look in looks:
        if look.reading is not None:
            since.pop(look.spec.name, None)
        elif look.spec.name not in since:
            since[look.spec.name] = work.now()
            message = f"gate {look.spec.name} could not be asked: {look.error}"
            events.append(work.event(Kind.WARNING, message, gate=look.spec.name))
    return tuple(since.items())
