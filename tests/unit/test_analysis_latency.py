"""Slow requests of both sides, above a threshold that blue set before."""

from __future__ import annotations

import random

import pytest

from bluegreen.analysis import (
    TAIL,
    Histogram,
    Interval,
    Kind,
    Levels,
    Limits,
    Margin,
    Settings,
    Side,
    State,
    update,
    verdict,
)
from bluegreen.analysis.latency import slow_bound

SETTINGS = Settings(errors=None, latency=TAIL)


def sampled(source: random.Random, requests: int, slower: float = 1.0) -> Side:
    return Side(requests, 0, Histogram.of(slower * source.lognormvariate(-2.6, 0.6) for _ in range(requests)))


def after(looks: int, green: float, blue: float = 1.0, settings: Settings = SETTINGS, seed: int = 5) -> State:
    source, state = random.Random(seed), State()
    for _ in range(looks):
        state = update(state, Interval(sampled(source, 40, green), sampled(source, 160, blue)), settings)
    return state


def test_the_threshold_is_the_bound_at_blues_quantile() -> None:
    blue = Histogram((0.1, 0.2, 0.4, 0.8), (500, 400, 90, 9, 1))
    assert slow_bound(blue, 0.99) == 0.4
    assert slow_bound(blue, 0.9) == 0.2


def test_there_is_no_threshold_before_blue_has_shown_its_tail() -> None:
    assert slow_bound(Histogram((0.1, 0.2), (90, 9, 1)), 0.99) is None
    assert slow_bound(Histogram((0.1, 0.2), (0, 0, 5000)), 0.99) is None
    assert slow_bound(Histogram((0.1, 0.2), (5000, 0, 0)), 0.99) is None


def test_a_green_with_a_p99_half_as_long_again_is_caught() -> None:
    found = verdict(after(60, green=1.5), SETTINGS)
    assert found.kind is Kind.WORSE
    assert "slower than blue's p99" in found.reason


def test_a_green_as_fast_as_blue_is_not_worse() -> None:
    assert verdict(after(100, green=1.0), SETTINGS).kind is Kind.NOT_WORSE


def test_a_slowdown_of_both_sides_is_not_held_against_green() -> None:
    state, source = after(30, green=1.0), random.Random(6)
    for _ in range(30):
        state = update(state, Interval(sampled(source, 40, 3.0), sampled(source, 160, 3.0)), SETTINGS)
    assert verdict(state, SETTINGS).kind is not Kind.WORSE


def test_latencies_that_were_asked_for_and_never_came_are_no_success() -> None:
    settings, state = Settings(errors=Limits(margin=Margin(0.5, 0.05)), latency=TAIL), State()
    for _ in range(50):
        state = update(state, Interval(Side(100), Side(1900)), settings)
    found = verdict(state, settings)
    assert [each.kind for each in found.evidence] == [Kind.NOT_WORSE, Kind.NOT_YET]
    assert found.kind is Kind.NOT_YET
    assert "no data" in found.reason


def test_the_first_requests_of_both_sides_are_not_called_no_requests() -> None:
    reason = verdict(after(1, green=1.0), SETTINGS).reason
    assert reason.startswith("slower than blue's p99: not compared yet")
    assert "no requests" not in reason


def test_an_interval_is_judged_by_the_threshold_of_those_before_it() -> None:
    fast, slow = Histogram((0.1, 0.2), (9800, 150, 50)), Histogram((0.1, 0.2), (0, 0, 300))
    state = update(State(), Interval(Side(0), Side(10000, 0, fast)), SETTINGS)
    assert state.latency.threshold is None
    assert state.latency.comparison.counts.blue_requests == 0
    state = update(state, Interval(Side(300, 0, slow), Side(300, 0, slow)), SETTINGS)
    assert state.latency.threshold == 0.1
    assert state.latency.comparison.counts.green_hits == 300


def test_a_side_that_tells_no_latencies_counts_as_none() -> None:
    source, state = random.Random(1), after(10, green=1.0)
    before = state.latency.comparison
    state = update(state, Interval(Side(40), sampled(source, 160)), SETTINGS)
    assert state.latency.comparison.worse == before.worse
    state = update(state, Interval(sampled(source, 40), Side(160)), SETTINGS)
    assert state.latency.comparison.counts.green_requests == before.counts.green_requests + 40


def test_histograms_keep_all_samples_in_their_buckets() -> None:
    found = Histogram.of([0.05, 0.1, 0.15, 7.0], (0.1, 0.2))
    assert found == Histogram((0.1, 0.2), (2, 1, 1))
    assert found.slower(0.1) == 2
    assert found.plus(found).total == 8


@pytest.mark.parametrize(
    ("bounds", "counts"), [((0.1, 0.2), (1, 2)), ((0.2, 0.1), (1, 2, 3)), ((0.1, 0.2), (1, -2, 3))]
)
def test_an_impossible_histogram_is_refused(bounds: tuple[float, ...], counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"bounds|counts"):
        Histogram(bounds, counts)


def test_histograms_of_other_buckets_are_refused() -> None:
    with pytest.raises(ValueError, match="different bounds"):
        Histogram((0.1,), (1, 2)).plus(Histogram((0.2,), (1, 2)))


def test_slow_healthy_runs_are_called_worse_no_more_often_than_the_level() -> None:
    """60 runs at level 0.2: 24 would have a chance below 0.1% if the level were just kept."""
    settings = Settings(errors=None, latency=TAIL, levels=Levels(alpha=0.2, intervals=1))
    wrong = sum(verdict(after(25, 1.0, 1.0, settings, seed), settings).kind is Kind.WORSE for seed in range(60))
    assert wrong < 24
