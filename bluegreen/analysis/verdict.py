"""Green against blue, looked at as often as one likes: worse, not worse by more than the margin, or not yet.

    state = State()
    state = update(state, interval, settings)     after each interval; keep the state with the deployment
    verdict(state, settings)

Pure: no clock, no I/O. A state is plain frozen data for a record; evidence goes on where it was after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bluegreen.analysis.betting import Margin
from bluegreen.analysis.comparison import Comparison, Evidence, Kind, Levels, Limits, evidence
from bluegreen.analysis.counts import Interval, errors_of
from bluegreen.analysis.latency import Slowness

TAIL = Limits(margin=Margin(relative=1.0, absolute=0.005))
"""Usual limits for a p99: not worse while at most 2.5% of green's requests are slower than blue's p99."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked: about errors, about latency (None: not asked). ``quantile``: 0.99 for blue's p99.

    ``levels`` hold for the whole verdict: ``alpha`` is divided among what is asked; ``beta`` need not be, since all
    must be shown to be not worse. Raises ValueError where nothing is asked. Keep them unchanged during a step: a
    question that is changed after a look at the answers has no level.
    """

    errors: Limits | None = field(default_factory=Limits)
    latency: Limits | None = None
    quantile: float = 0.99
    levels: Levels = field(default_factory=Levels)

    def __post_init__(self) -> None:
        if self.errors is None and self.latency is None:
            raise ValueError("a verdict needs something to judge: errors or latency")
        if not 0 < self.quantile < 1:
            raise ValueError("a quantile lies between 0 and 1")

    @property
    def each(self) -> Levels:
        """The levels of one of the comparisons."""
        asked = (self.errors is not None) + (self.latency is not None)
        return replace(self.levels, alpha=self.levels.alpha / asked)


@dataclass(frozen=True, slots=True)
class State:
    """All that was learned since the step began. ``looks`` counts the intervals, also those without requests."""

    looks: int = 0
    errors: Comparison = field(default_factory=Comparison)
    latency: Slowness = field(default_factory=Slowness)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``kind`` for the whole, with the evidence of each comparison. ``needs``: requests on green still expected."""

    kind: Kind
    evidence: tuple[Evidence, ...]
    needs: int | None
    reason: str


def update(state: State, interval: Interval, settings: Settings) -> State:
    """The state after one more interval, which must not overlap an earlier one: no request counts twice."""
    errors, latency = state.errors, state.latency
    if settings.errors is not None:
        errors = errors.plus(errors_of(interval), settings.errors, settings.each)
    if settings.latency is not None:
        latency = latency.plus(interval, settings.quantile, settings.latency, settings.each)
    return State(state.looks + 1, errors, latency)


def verdict(state: State, settings: Settings) -> Verdict:
    """Worse if any comparison says so; not worse if all do; otherwise not yet. Without requests: not yet."""
    found = tuple(_evidence(state, settings))
    kind = _together([each.kind for each in found])
    deciding = [each for each in found if each.kind is kind]
    return Verdict(kind, found, _needs(kind, found), "; ".join(each.reason for each in deciding))


# Private


def _evidence(state: State, settings: Settings) -> list[Evidence]:
    found = []
    if settings.errors is not None:
        found.append(evidence(state.errors, settings.errors, settings.each, "errors"))
    if settings.latency is not None:
        about = f"slower than blue's p{100 * settings.quantile:g}"
        if state.latency.threshold is not None:
            about += f" ({1000 * state.latency.threshold:.3g} ms)"
        slow = evidence(state.latency.comparison, settings.latency, settings.each, about)
        if state.latency.blue is not None and state.latency.threshold is None:
            slow = replace(slow, reason=f"{about}: not compared yet, blue's first requests only show how slow that is")
        found.append(slow)
    return found


def _together(kinds: list[Kind]) -> Kind:
    if Kind.WORSE in kinds:
        return Kind.WORSE
    return Kind.NOT_YET if Kind.NOT_YET in kinds else Kind.NOT_WORSE


def _needs(kind: Kind, found: tuple[Evidence, ...]) -> int | None:
    """All must be decided for *not worse*: so the longest."""
    if kind is not Kind.NOT_YET:
        return 0
    open_ones = [each.needs for each in found if each.kind is Kind.NOT_YET]
    known = [each for each in open_ones if each is not None]
    return max(known) if len(known) == len(open_ones) else None
