"""``compare``: green against blue over the same time, judged by ``bluegreen.analysis`` at every interval.

Nothing is remembered here: what was counted, and up to when, is the gate's memory in the deployment's record, written
together. So an interval is counted once, whoever drives and whenever a driver dies; what was read and not kept is read
again. The evidence belongs to the whole shift: a later step goes on with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Protocol

import msgspec

from bluegreen.analysis import Evidence, Interval, Kind, Levels, Limits, Margin, Settings, Verdict, update, verdict
from bluegreen.analysis import State as Learned
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Reading, State, Watch
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_compare import CompareSettings, ErrorLimits

MOST = 240
"""Intervals taken at one look; the next look takes the rest of those that a long silence left."""

_QUICK = 30.0


class Source(Protocol):
    def intervals(self, start: float, end: float) -> list[Interval]:
        """One for each period between the two times (epoch seconds, whole periods), in order, also the empty ones.

        Raises HookUnavailableError when they could not be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """``began`` and ``until`` (epoch seconds) bound the intervals that ``learned`` was learned from."""

    began: float
    until: float
    learned: Learned = field(default_factory=Learned)


def compare_gate(settings: CompareSettings, around: Surroundings) -> CompareGate:
    from bluegreen.hooks.compare_sources import source_of

    return CompareGate(settings, source_of(settings, around), around)


class CompareGate:
    def __init__(self, settings: CompareSettings, source: Source, around: Surroundings) -> None:
        self._settings = settings
        self._source = source
        self._around = around
        self._asked = asked(settings)

    def check(self, watch: Watch) -> Reading:
        now, period = self._around.clock.now(), self._settings.period
        ready = math.floor((now - self._settings.delay) / period) * period
        if watch.since is None:
            self._counted(ready - period, ready)
            return Reading(State.NO_DATA, "can be read; green has no traffic to compare yet")
        # The first whole interval in which green had traffic: before it the two had not the same time.
        first = math.ceil(watch.since / period) * period
        memory = _remembered(watch.memory) or Memory(first, first)
        if watch.comparing and ready > memory.until:
            memory = self._learn(memory, min(ready, memory.until + MOST * period))
        return self._reading(memory, watch, now)

    # Private

    def _learn(self, memory: Memory, end: float) -> Memory:
        seen = self._counted(memory.until, end)
        try:
            learned = reduce(lambda state, interval: update(state, interval, self._asked), seen, memory.learned)
        except ValueError as error:
            raise HookUnavailableError(f"the intervals cannot be compared: {error}") from error
        return Memory(memory.began, end, learned)

    def _counted(self, start: float, end: float) -> list[Interval]:
        try:
            return self._source.intervals(start, end)
        except HookUnavailableError as error:
            # A query that is refused may be told again, with what came into it from the environment.
            raise HookUnavailableError(self._around.redactor().text(error.message), hint=error.hint) from error

    def _reading(self, memory: Memory, watch: Watch, now: float) -> Reading:
        told = verdict(memory.learned, self._asked)
        kept = _plain(memory) if memory.learned.looks else {}
        over = not watch.comparing
        if not memory.learned.looks:
            left = max(0.0, memory.until + self._settings.period + self._settings.delay - now)
            text = "nothing was compared" if over else f"first compared in {took(left)}"
            return Reading(State.NO_DATA, text, {}, kept, done=over)
        states = {Kind.WORSE: State.FIRING, Kind.NOT_WORSE: State.OK, Kind.NOT_YET: State.NOT_YET}
        text = _sentence(told) + ("" if told.kind is not Kind.NOT_YET or over else _needs(told, memory))
        return Reading(states[told.kind], shortened(text), _numbers(told, memory), kept, done=over)


def asked(settings: CompareSettings) -> Settings:
    """What the analysis is asked."""
    intervals = settings.intervals or (3 if settings.period < _QUICK else 2)
    latency = settings.latency if settings.latency and settings.asks_latency else None
    return Settings(
        errors=_limits(settings.errors) if settings.errors else None,
        latency=_limits(latency) if latency else None,
        quantile=latency.quantile if latency else 0.99,
        levels=Levels(settings.alpha, settings.beta, intervals),
    )


# Private


def _limits(written: ErrorLimits) -> Limits:
    tolerated = Margin(written.tolerated.relative, written.tolerated.absolute)
    return Limits(tolerated, Margin(written.relative, written.absolute))


def _remembered(memory: Mapping[str, object]) -> Memory | None:
    """None for an empty memory, or for one of another kind."""
    try:
        return msgspec.convert(dict(memory), Memory) if memory else None
    except (msgspec.ValidationError, ValueError):
        return None


def _plain(memory: Memory) -> dict[str, object]:
    """As it comes back from the record: what did not change is equal to what was kept."""
    kept: dict[str, object] = msgspec.json.decode(msgspec.json.encode(memory))
    return kept


def _sentence(told: Verdict) -> str:
    for side, requests in (("green", "green_requests"), ("blue", "blue_requests")):
        if told.kind is Kind.NOT_YET and not any(getattr(each.counts, requests) for each in told.evidence):
            return f"no data: {side} had no requests"
    deciding = [each for each in told.evidence if each.kind is told.kind]
    return "; ".join(f"{each.reason}{_proof(each)}" for each in deciding)


def _proof(evidence: Evidence) -> str:
    """What backs a verdict; nothing while there is none."""
    counts = evidence.counts
    of = f"{counts.green_hits:,} of {counts.green_requests:,} against {counts.blue_hits:,} of {counts.blue_requests:,}"
    if evidence.kind is Kind.WORSE:
        return f" ({of}; p = {evidence.p_worse:.2g})"
    return f" ({of}; p = {evidence.p_not_worse:.2g})" if evidence.kind is Kind.NOT_WORSE else ""


def _needs(told: Verdict, memory: Memory) -> str:
    green = max(each.counts.green_requests for each in told.evidence)
    if told.needs is None or not green:
        return ""
    seconds = told.needs * (memory.until - memory.began) / green
    about = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
    return f"; needs about {_round(told.needs):,} more requests on green, about {about}"


def _round(number: int) -> int:
    """Two digits are all that an expectation is worth."""
    scale = int(10 ** max(0, len(str(number)) - 2))
    return math.ceil(number / scale) * scale


def _numbers(told: Verdict, memory: Memory) -> dict[str, float]:
    found: dict[str, float] = {"intervals": float(memory.learned.looks)}
    if told.needs is not None:
        found["needs_requests"] = float(told.needs)
    for name, each in zip(_names(memory, told), told.evidence, strict=True):
        found |= {
            f"{name}_green": float(each.counts.green_hits),
            f"{name}_green_of": float(each.counts.green_requests),
            f"{name}_blue": float(each.counts.blue_hits),
            f"{name}_blue_of": float(each.counts.blue_requests),
            f"{name}_p_worse": each.p_worse,
            f"{name}_p_not_worse": each.p_not_worse,
        }
    if memory.learned.latency.threshold is not None:
        found["slow_above"] = memory.learned.latency.threshold
    return found


def _names(memory: Memory, told: Verdict) -> list[str]:
    return ["errors" if each.about == "errors" else "slow" for each in told.evidence]
