"""One question about two counts: is green worse than blue, and is it within the margin?

Two bettors look at every interval. One bets that green is worse, against ``green <= blue`` (with what is tolerated);
the other that it is not worse by more than the margin, against ``green >= limit``. Once the second has made its
point, the first may only hold against green what goes beyond the margin: a release that was shown to be good enough is
not called worse for a difference that was allowed. What either bets on is settled before the interval is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.analysis.betting import NOT_WORSE, WORSE, Margin, Wealth, best_stake, played
from bluegreen.analysis.counts import Counts
from bluegreen.analysis.ratio import Ratios


class Kind(StrEnum):
    WORSE = "worse"
    NOT_WORSE = "not worse"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Limits:
    """``tolerated``: green is called worse only above it. ``margin``: below it green is good enough.

    Raises ValueError where more is tolerated than the margin allows.
    """

    tolerated: Margin = field(default_factory=Margin)
    margin: Margin = field(default_factory=lambda: Margin(relative=0.5, absolute=0.001))

    def __post_init__(self) -> None:
        if self.tolerated.relative > self.margin.relative or self.tolerated.absolute > self.margin.absolute:
            raise ValueError("what is tolerated must lie within the margin")


@dataclass(frozen=True, slots=True)
class Levels:
    """``alpha``: how often, at most, a green no worse than blue is ever called worse. ``beta``: how often, at most, one
    that is worse by more than the margin is ever called not worse.

    ``intervals``: how many must speak against green before it is called worse. The levels suppose that, at given rates,
    requests fail independently of each other; a task that dies fails many at once. One such interval alone condemns
    nothing; with looks every few seconds 3 is better, since such a moment touches more than one of them.
    """

    alpha: float = 0.01
    beta: float = 0.05
    intervals: int = 2

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and 0 < self.beta < 1):
            raise ValueError("alpha and beta lie between 0 and 1")
        if self.intervals < 1:
            raise ValueError("at least one interval must speak against green")

    @property
    def most(self) -> float:
        """The most log evidence against green that one interval may give."""
        return math.inf if self.intervals == 1 else -math.log(self.alpha) / self.intervals


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that has to be remembered between two looks; some sixty numbers, whatever the traffic."""

    counts: Counts = field(default_factory=Counts)
    worse: Wealth = field(default_factory=Wealth)
    not_worse: Wealth = field(default_factory=Wealth)
    ratios: Ratios = field(default_factory=Ratios)

    def plus(self, seen: Counts, limits: Limits, levels: Levels) -> Comparison:
        shown = _reached(self.not_worse, levels.beta)
        blue = usual(self.counts)
        return Comparison(
            self.counts.plus(seen),
            played(self.worse, WORSE, seen, limits.margin if shown else limits.tolerated, blue, levels.most),
            played(self.not_worse, NOT_WORSE, seen, limits.margin, blue),
            self.ratios.plus(seen),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one comparison says. ``about`` names what was counted.

    ``p_worse`` and ``p_not_worse`` are always-valid p-values, ``e_worse`` and ``e_not_worse`` the evidence now (the
    money of a bettor that began with 1). ``ratio``: green's rate as a multiple of blue's, a confidence sequence at
    level ``beta`` (None as upper end: unbounded; None: nothing to say, or no fixed ratio). ``needs``: the requests on
    green still expected until the verdict; None where that cannot be told.
    """

    kind: Kind
    about: str
    counts: Counts
    p_worse: float
    p_not_worse: float
    e_worse: float
    e_not_worse: float
    ratio: tuple[float, float | None] | None
    needs: int | None
    reason: str


def evidence(comparison: Comparison, limits: Limits, levels: Levels, about: str) -> Evidence:
    kind = _kind(comparison, levels)
    return Evidence(
        kind,
        about,
        comparison.counts,
        comparison.worse.p_value,
        comparison.not_worse.p_value,
        _bounded_exp(comparison.worse.log),
        _bounded_exp(comparison.not_worse.log),
        comparison.ratios.between(levels.beta),
        needs(comparison, limits, levels) if kind is Kind.NOT_YET else 0,
        _reason(kind, comparison.counts, about),
    )


def needs(comparison: Comparison, limits: Limits, levels: Levels) -> int | None:
    """Requests on green still expected, if the rates stay as they look now and the split stays as it was on average."""
    counts = comparison.counts
    if not counts.green_requests or not counts.blue_requests:
        return None
    blue = usual(counts)
    green = (counts.green_hits + 1) / (counts.green_requests + 1 / blue)
    towards_worse = _remaining(comparison.worse, levels.alpha, _growth(counts, limits.tolerated, blue, green))
    towards_fine = _remaining(comparison.not_worse, levels.beta, -_growth(counts, limits.margin, blue, green))
    found = [each for each in (towards_worse, towards_fine) if each is not None]
    return min(found) if found else None


def usual(counts: Counts) -> float:
    """Blue's rate, drawn a little towards one half of a hit in a hundred requests: it is never 0."""
    return (counts.blue_hits + 0.5) / (counts.blue_requests + 100)


# Private


def _kind(comparison: Comparison, levels: Levels) -> Kind:
    if _reached(comparison.worse, levels.alpha):
        return Kind.WORSE
    return Kind.NOT_WORSE if _reached(comparison.not_worse, levels.beta) else Kind.NOT_YET


def _reached(wealth: Wealth, level: float) -> bool:
    return wealth.peak >= -math.log(level)


def _growth(counts: Counts, margin: Margin, blue: float, green: float) -> float:
    """Of the best bet's log money, for each request on green; negative where it is a bet on *not worse*."""
    stake = best_stake(counts, margin, blue, green)
    if stake <= -1:
        return 0.0
    each = green * math.log1p(stake) - stake * margin.absolute
    weight = (1 + margin.relative) * counts.green_requests / counts.blue_requests
    each += blue * counts.blue_requests / counts.green_requests * math.log1p(-stake * weight)
    return math.copysign(each, stake)


def _remaining(wealth: Wealth, level: float, growth: float) -> int | None:
    if growth < 1e-9:
        return None
    return max(1, math.ceil((-math.log(level) - wealth.log) / growth))


def _reason(kind: Kind, counts: Counts, about: str) -> str:
    if not counts.green_requests:
        return f"no data: green had no requests ({about})"
    if not counts.blue_requests and kind is Kind.NOT_YET:
        return f"no data: blue had no requests to compare with ({about})"
    words = {
        Kind.WORSE: "green is worse than blue",
        Kind.NOT_WORSE: "green is not worse than blue by more than the margin",
        Kind.NOT_YET: "neither is shown yet",
    }
    return f"{about}: green {_share(counts.green_rate)}, blue {_share(counts.blue_rate)}: {words[kind]}"


def _share(rate: float | None) -> str:
    return "no requests" if rate is None else f"{100 * rate:.3g}%"


def _bounded_exp(log: float) -> float:
    return math.exp(min(log, 700.0))
