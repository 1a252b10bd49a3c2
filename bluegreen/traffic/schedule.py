"""From the way a shift is described to its steps: pure, and exact to a tenth of a per cent.

A schedule is strictly increasing and ends at 100. Percentages are green's share, times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from bluegreen.domain.spec import ShiftStep
from bluegreen.domain.split import Split

Schedule = tuple[ShiftStep, ...]


def all_at_once() -> Schedule:
    return (ShiftStep(100.0, 0.0),)


def canary(percent: float, wait: float) -> Schedule:
    """``percent`` first, and after ``wait`` seconds everything. Raises ValueError."""
    _between_none_and_all(percent)
    return _checked((ShiftStep(float(percent), _time(wait)), ShiftStep(100.0, 0.0)))


def until_verdict(percent: float, at_least: float, at_most: float) -> Schedule:
    """``percent`` until the comparisons have told, within these bounds, then everything. Raises ValueError."""
    _between_none_and_all(percent)
    if _time(at_most) <= _time(at_least):
        raise ValueError("at_most must be longer than at_least")
    return _checked((ShiftStep(float(percent), _time(at_least), _time(at_most)), ShiftStep(100.0, 0.0)))


def linear(percent: float, every: float) -> Schedule:
    """``percent`` more every ``every`` seconds; the last step is what is left. Raises ValueError."""
    _between_none_and_all(percent)
    each = _permille(percent)
    shares = [*range(each, 1000, each), 1000]
    wait = _time(every)
    return _checked(tuple(ShiftStep(share / 10, wait if share < 1000 else 0.0) for share in shares))


def explicit(steps: Iterable[tuple[float, float]]) -> Schedule:
    """(percent, wait) pairs as they stand. Raises ValueError unless they increase strictly and end at 100."""
    return _checked(tuple(ShiftStep(float(percent), _time(wait)) for percent, wait in steps))


# Private


def _checked(steps: Schedule) -> Schedule:
    shares = [_permille(step.percent) for step in steps]
    if not shares or shares[-1] != 1000:
        raise ValueError("the last step must be 100 per cent")
    if shares[0] <= 0:
        raise ValueError("the first step must be more than 0 per cent")
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise ValueError("every step must be larger than the one before it")
    return steps


def _between_none_and_all(percent: float) -> None:
    if not 0 < percent < 100:
        raise ValueError("percent must be more than 0 and less than 100; for everything in one step use all-at-once")


def _permille(percent: float) -> int:
    Split.of_percent(percent)
    return round(percent * 10)


def _time(seconds: float) -> float:
    if not 0 <= seconds < float("inf"):
        raise ValueError("a wait cannot be negative or endless")
    return float(seconds)
