"""The gates: when they are looked at, what each says, and what follows.

A gate that fires turns the deployment back. One that cannot tell keeps green from getting more traffic; when waiting
longer will not help, a person decides. Green never goes on past the first step, and blue is never given up, on the word
of a gate that has not measured anything: see ``hold_back``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from bluegreen.domain.deployment import Deployment, GateRecord, HoldKind, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import Consequence, GateSpec, Undecided
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.base import State, Watch
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject, Wait
from bluegreen.lifecycle.watch.gate_facts import gate_facts
from bluegreen.lifecycle.watch.gate_record import NOT_LOOKED_AT, Look, keep
from bluegreen.lifecycle.work import Work

UNAVAILABLE = "unavailable"

_SLACK = 0.05
"""Seconds by which a look may come too early: a tick more costs more than that."""


def look_at_gates(work: Work) -> Outcome | None:
    """Look at every gate once it is time, and note what each says. None while none is against watching on."""
    return look_now(work) if until_next_look(work) <= _SLACK or _is_new(work.deployment) else None


def look_now(work: Work) -> Outcome | None:
    """The same, whenever the last look was, unless it was in this tick: what is decided now is decided on a look."""
    if not work.deployment.spec.gates or work.looked:
        return None
    work.looked, work.looks.at = True, work.now()
    looks = _look(work)
    for look in looks:
        work.gates_seen[look.spec.name] = look.reading.state if look.reading else UNAVAILABLE
    keep(work, looks)
    return _firing(work, looks) or _blind(work, looks) or _cannot_tell(work, looks)


def until_next_look(work: Work) -> float:
    """Seconds. Without gates as well: traffic and health are looked at as often."""
    passed, interval = work.now() - work.looks.at, work.deployment.spec.gate_interval
    if not work.deployment.spec.gates:
        return interval
    return interval - passed if 0 <= passed < interval else 0.0


def in_time(work: Work, outcome: Outcome) -> Outcome:
    """Whatever is waited for while users are on green, the next look is not late."""
    if not isinstance(outcome, Wait):
        return outcome
    return replace(outcome, seconds=min(outcome.seconds, until_next_look(work)))


def watch_of(d: Deployment, name: str, memory: Mapping[str, object] | None = None) -> Watch:
    """What a gate is told; ``memory`` where somebody knows better than the record what it asked to be kept."""
    comparing = d.phase is Phase.SHIFT and d.watched_since is not None and 0 < d.spec.shift[d.step].percent < 100
    kept = next((gate.memory for gate in d.gates if gate.name == name), {}) if memory is None else memory
    return Watch(d.watched_since, comparing, kept, d.traffic_since, d.spec.gate_interval)


def begin(work: Work) -> dict[str, Any]:
    """The fields that change when green gets its first share, and when the bake begins: every gate must speak anew."""
    gates = tuple(GateRecord(gate.name, NOT_LOOKED_AT, memory=gate.memory) for gate in work.deployment.gates)
    first = work.deployment.traffic_since
    return {"watched_since": work.now(), "traffic_since": work.now() if first is None else first, "gates": gates}


def hold_back(work: Work, *, decided_by: float | None) -> Outcome | None:
    """At the end of a step's or the bake's time: None when every gate has said what is to be waited for.

    ``decided_by``: until when (epoch seconds) a gate that has measured may take to tell; None: it need not.
    A gate without data has ``deadlines.no_data`` beyond that. A step waits for none that is to be measured later.
    """
    d = work.deployment
    if d.promoted:
        return None
    end = decided_by if decided_by is not None else (d.step_until if d.phase is Phase.SHIFT else d.bake_until) or 0.0
    open_ones = [
        (spec, record)
        for spec, record in _unsettled(d)
        if (decided_by is not None or _is_mute(record)) and not (d.phase is Phase.SHIFT and _due(record) > end)
    ]
    if not open_ones:
        return None
    silent = [_due(record) for _, record in open_ones if _is_mute(record)]
    limit = max(end, *silent) + d.spec.deadlines.no_data if silent else end
    if work.now() < limit:
        seconds = 0.0 if _not_looked_at(d, open_ones) else min(until_next_look(work), limit - work.now())
        return Wait(_waiting_for(open_ones, limit - work.now()), seconds)
    if not work.looked:
        return look_now(work) or hold_back(work, decided_by=decided_by)
    found = [(spec, _said(spec, record)) for spec, record in open_ones]
    outcome = _undecided(work, found)
    if outcome is None:
        text = f"{_listed(found)}; it goes on, as inconclusive: go_on says"
        work.record(work.event(Kind.WARNING, text, gates=[spec.name for spec, _ in found]))
    return outcome


def held(d: Deployment, names: Sequence[str]) -> dict[str, Any]:
    """The fields that change with a hold for these gates: who lets the deployment go on accepts what they showed."""
    known = {gate.name: gate for gate in d.gates}
    missing = [GateRecord(name, State.NO_DATA) for name in names if name not in known]
    gates = [replace(gate, accepted=gate.accepted or gate.name in names) for gate in (*d.gates, *missing)]
    return {"gates": tuple(gates)} if names else {}


# Private


def _look(work: Work) -> list[Look]:
    d = work.deployment
    facts = gate_facts(d)
    looks: dict[str, Look] = {}

    def look(spec: GateSpec) -> None:
        try:
            looks[spec.name] = Look(spec, work.world.gate(spec, facts).check(watch_of(d, spec.name)))
        except (HookUnavailableError, ConfigurationError) as error:
            # One that cannot be built here, where a variable is missing, say, cannot be asked from here.
            looks[spec.name] = Look(spec, None, error.message)

    # Built one after the other: alarms that know of each other are asked about with one call.
    for spec in d.spec.gates:
        with suppress(ConfigurationError):
            work.world.gate(spec, facts)
    work.world.together([partial(look, spec) for spec in d.spec.gates])
    return [looks[spec.name] for spec in d.spec.gates]


def _firing(work: Work, looks: list[Look]) -> Outcome | None:
    for look in looks:
        name, reading = look.spec.name, look.reading
        if reading is None or reading.state != State.FIRING or name in work.deployment.ignored_gates:
            continue
        numbers = dict(reading.numbers)
        work.publish(
            work.event(Kind.GATE, f"gate {name} fires: {reading.detail}", gate=name, state="firing", numbers=numbers)
        )
        return Reject(f"gate {name} fired: {reading.detail}")
    return None


def _blind(work: Work, looks: list[Look]) -> Outcome | None:
    """A gate that cannot be read is no "ok": after the deadline for blindness the configured consequence follows."""
    d = work.deployment
    since = dict(d.blind_gates)
    for look in looks:
        if look.reading is not None or work.now() - since[look.spec.name] < d.spec.deadlines.blind:
            continue
        reason = (
            f"gate {look.spec.name} could not be asked for {work.now() - since[look.spec.name]:.0f} s: {look.error}"
        )
        if d.spec.deadlines.on_hold is Consequence.ROLL_BACK:
            return Reject(reason)
        way_out = f"mend it, then bluegreen resume {d.service}; or bluegreen rollback {d.service}"
        return Hold(HoldKind.UNAVAILABLE, reason, way_out)
    return None


def _cannot_tell(work: Work, looks: list[Look]) -> Outcome | None:
    found = [(look.spec, look.reading.detail) for look in looks if look.reading and _asks(work.deployment, look)]
    return _undecided(work, found)


def _asks(d: Deployment, look: Look) -> bool:
    accepted = any(gate.accepted for gate in d.gates if gate.name == look.spec.name)
    known = look.reading is not None and look.reading.state == State.INCONCLUSIVE
    return known and not accepted and not d.promoted and d.watched_since is not None


def _undecided(work: Work, found: Sequence[tuple[GateSpec, str]]) -> Outcome | None:
    """What the configuration wants for gates that cannot tell; the gravest of them decides."""
    d = work.deployment
    back = [(spec, text) for spec, text in found if spec.inconclusive is Undecided.ROLL_BACK]
    if back:
        return Reject(_listed(back))
    holding = [(spec, text) for spec, text in found if spec.inconclusive is Undecided.HOLD]
    if not holding:
        return None
    way_out = (
        f"bluegreen resume {d.service} (go on with what is shown), bluegreen promote {d.service} (and skip the waits), "
        f"or bluegreen rollback {d.service}"
    )
    names = tuple(spec.name for spec, _ in holding)
    return Hold(HoldKind.INCONCLUSIVE, _listed(holding), way_out, names)


def _listed(found: Iterable[tuple[GateSpec, str]]) -> str:
    return "; ".join(f"gate {spec.name} cannot tell: {text}" for spec, text in found)


def _unsettled(d: Deployment) -> list[tuple[GateSpec, GateRecord | None]]:
    """The gates that have not told anything since green got its traffic, and that nobody let pass."""
    known = {gate.name: gate for gate in d.gates}
    return [
        (spec, record)
        for spec in d.spec.gates
        if (record := known.get(spec.name)) is None or (record.measured_at is None and not record.accepted)
        if spec.name not in d.ignored_gates
    ]


def _is_mute(record: GateRecord | None) -> bool:
    return record is None or record.state in (NOT_LOOKED_AT, State.NO_DATA)


def _is_new(d: Deployment) -> bool:
    """Some gate was not looked at since green got its traffic, or since the bake began."""
    return any(gate.state == NOT_LOOKED_AT for gate in d.gates if gate.name not in dict(d.blind_gates))


def _not_looked_at(d: Deployment, open_ones: Sequence[tuple[GateSpec, GateRecord | None]]) -> bool:
    """Some gate can be read and was not, since green got its traffic: the next tick looks."""
    blind = dict(d.blind_gates)
    return any(
        spec.name not in blind and (record is None or record.state == NOT_LOOKED_AT) for spec, record in open_ones
    )


def _due(record: GateRecord | None) -> float:
    return record.due if record is not None and record.due is not None else 0.0


def _said(spec: GateSpec, record: GateRecord | None) -> str:
    return record.detail if record is not None and record.detail else "nothing was measured"


def _waiting_for(open_ones: Sequence[tuple[GateSpec, GateRecord | None]], left: float) -> str:
    said = "; ".join(f"gate {spec.name}: {_said(spec, record)}" for spec, record in open_ones)
    return f"{said}; at most {_minutes(left)} more"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
