"""Verdicts on green and blue: their levels, their power, and what they do without data."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.analysis import (
    TAIL,
    Comparison,
    Counts,
    Histogram,
    Interval,
    Kind,
    Levels,
    Limits,
    Margin,
    Settings,
    Side,
    State,
    Verdict,
    Wealth,
    update,
    verdict,
)
from bluegreen.analysis.betting import NOT_WORSE, played
from bluegreen.analysis.comparison import usual

USUAL = Settings()
NARROW = Settings(errors=Limits(margin=Margin(0.5, 0.0)))


def fed(state: State, intervals: list[Interval], given: Settings = USUAL) -> State:
    for interval in intervals:
        state = update(state, interval, given)
    return state


def steady(green_errors: int, blue_errors: int, looks: int, green: int = 100, blue: int = 1900) -> list[Interval]:
    return [Interval(Side(green, green_errors), Side(blue, blue_errors))] * looks


def decided(intervals: list[Interval], given: Settings = USUAL) -> tuple[Verdict, int]:
    """The first verdict that is one, and the looks it took."""
    state = State()
    for interval in intervals:
        state = update(state, interval, given)
        found = verdict(state, given)
        if found.kind is not Kind.NOT_YET:
            return found, state.looks
    return verdict(state, given), state.looks


def drawn(source: random.Random, requests: int, rate: float) -> Side:
    return Side(requests, sum(source.random() < rate for _ in range(requests)))


@pytest.mark.parametrize("blue", [0, 5000])
def test_a_canary_without_traffic_is_never_a_success(blue: int) -> None:
    found = verdict(fed(State(), [Interval(Side(0), Side(blue))] * 720), USUAL)
    assert found.kind is Kind.NOT_YET
    assert found.needs is None
    assert "no data: green had no requests" in found.reason
    assert found.evidence[0].p_not_worse == 1


def test_nothing_seen_is_not_yet() -> None:
    assert verdict(State(), USUAL).kind is Kind.NOT_YET


def test_errors_without_a_blue_to_compare_with_are_no_verdict() -> None:
    found = verdict(fed(State(), [Interval(Side(10, 10), Side(0))] * 50), USUAL)
    assert found.kind is Kind.NOT_YET
    assert "blue had no requests" in found.reason


def test_a_release_only_as_bad_as_blue_is_not_worse() -> None:
    found, _ = decided(steady(1, 19, 200))
    assert found.kind is Kind.NOT_WORSE
    assert found.reason == "errors: green 1%, blue 1%: green is not worse than blue by more than the margin"


def test_two_points_more_errors_are_caught_within_some_hundred_requests() -> None:
    found, looks = decided(steady(3, 19, 200))
    assert found.kind is Kind.WORSE
    assert looks * 100 <= 1000
    assert found.evidence[0].p_worse <= 0.01
    assert found.evidence[0].ratio is not None
    assert found.evidence[0].ratio[0] > 1


def test_services_without_errors_are_shown_to_be_good_by_the_absolute_margin() -> None:
    found, looks = decided(steady(0, 0, 200))
    assert found.kind is Kind.NOT_WORSE
    assert looks * 100 <= 6000
    assert decided(steady(0, 0, 200), NARROW)[0].kind is Kind.NOT_YET


def test_one_disastrous_interval_alone_condemns_nothing() -> None:
    disaster = Interval(Side(1000, 1000), Side(1000, 0))
    assert verdict(fed(State(), [disaster]), USUAL).kind is Kind.NOT_YET
    assert verdict(fed(State(), [disaster] * 2), USUAL).kind is Kind.WORSE
    hasty = Settings(levels=Levels(intervals=1))
    assert verdict(fed(State(), [disaster], hasty), hasty).kind is Kind.WORSE


def test_a_difference_that_was_allowed_is_not_held_against_a_release_that_was_shown_good_enough() -> None:
    found, looks = decided(steady(12, 190, 400))
    assert found.kind is Kind.NOT_WORSE
    state = fed(State(), steady(12, 190, looks + 600))
    assert verdict(state, USUAL).kind is Kind.NOT_WORSE


def test_a_release_that_turns_bad_after_it_was_shown_good_enough_is_worse() -> None:
    state = fed(State(), steady(1, 19, 200))
    assert verdict(state, USUAL).kind is Kind.NOT_WORSE
    assert verdict(fed(state, steady(10, 19, 20)), USUAL).kind is Kind.WORSE


def test_a_verdict_once_reached_is_not_forgotten() -> None:
    state = fed(State(), steady(10, 19, 10))
    assert verdict(state, USUAL).kind is Kind.WORSE
    assert verdict(fed(state, steady(0, 19, 300)), USUAL).kind is Kind.WORSE


def test_one_worse_comparison_decides_and_all_must_be_not_worse() -> None:
    fast, slow = Histogram((0.1, 0.2), (97, 2, 1)), Histogram((0.1, 0.2), (0, 0, 100))
    both = Settings(errors=Limits(margin=Margin(1.0, 0.1)), latency=TAIL)
    slower = [Interval(Side(100, 0, slow), Side(100, 0, fast))] * 20
    found = verdict(fed(State(), slower, both), both)
    assert found.kind is Kind.WORSE
    assert "p99" in found.reason
    assert found.evidence[0].kind is Kind.NOT_WORSE


def test_alpha_is_divided_among_what_is_asked() -> None:
    assert Settings(latency=TAIL).each == Levels(0.005, 0.05)
    assert Settings().each == Levels()


@pytest.mark.parametrize("looks", [10, 20])
def test_the_requests_still_expected_are_about_those_it_takes(looks: int) -> None:
    rest = steady(1, 19, 400)
    needs = verdict(fed(State(), rest[:looks]), USUAL).needs
    _, taken = decided(rest)
    assert needs is not None
    assert 0.6 * needs < (taken - looks) * 100 < 1.6 * needs


def test_a_verdict_needs_nothing_more() -> None:
    assert decided(steady(3, 19, 200))[0].needs == 0


intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 400), st.integers(0, 400)).map(
        lambda n: Interval(
            Side(n[0], min(n[0], n[1]), Histogram((0.1, 0.2), (n[0], n[1], n[2]))),
            Side(n[2], min(n[2], n[3]), Histogram((0.1, 0.2), (n[2], n[3], n[1]))),
        )
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(intervals, intervals)
def test_a_state_stored_as_json_goes_on_where_it_was(before: list[Interval], later: list[Interval]) -> None:
    asked = Settings(latency=TAIL)
    state = fed(State(), before, asked)
    resumed = msgspec.json.decode(msgspec.json.encode(state), type=State, strict=True)
    assert resumed == state
    assert fed(resumed, later, asked) == fed(State(), before + later, asked)


@settings(max_examples=40)
@given(intervals)
def test_any_counts_give_a_verdict_with_sound_numbers(seen: list[Interval]) -> None:
    asked = Settings(latency=TAIL)
    for each in verdict(fed(State(), seen, asked), asked).evidence:
        assert 0 < each.p_worse <= 1
        assert 0 < each.p_not_worse <= 1
        assert each.e_worse >= 0
        assert each.needs is None or each.needs >= 0


@settings(max_examples=40)
@given(intervals)
def test_evidence_never_goes_away(seen: list[Interval]) -> None:
    state, p_worse, p_fine = State(), 1.0, 1.0
    for interval in seen:
        state = update(state, interval, USUAL)
        (found,) = verdict(state, USUAL).evidence
        assert found.p_worse <= p_worse
        assert found.p_not_worse <= p_fine
        p_worse, p_fine = found.p_worse, found.p_not_worse


def healthy(seed: int, looks: int = 60, above: float = 0.0) -> list[Interval]:
    """Both sides' errors come in bursts, together, while the split changes."""
    source, found = random.Random(seed), []
    for _ in range(looks):
        rate, green = source.choice((0.02, 0.02, 0.3)), source.choice((3, 12))
        found.append(Interval(drawn(source, green, rate + above), drawn(source, 20, rate)))
    return found


def test_healthy_releases_are_called_worse_no_more_often_than_the_level_though_looked_at_sixty_times() -> None:
    """120 runs at level 0.1: 24 would have a chance below 0.1% if the level were just kept."""
    asked = Settings(errors=Limits(margin=Margin(0.5, 0.001)), levels=Levels(alpha=0.1, intervals=1))
    wrong = sum(verdict(fed(State(), healthy(seed), asked), asked).kind is Kind.WORSE for seed in range(120))
    assert wrong < 24


def test_releases_at_the_margin_are_called_good_enough_no_more_often_than_the_level() -> None:
    asked = Settings(errors=Limits(margin=Margin(0.0, 0.2)), levels=Levels(beta=0.1))
    wrong = 0
    for seed in range(120):
        wrong += verdict(fed(State(), healthy(seed, above=0.2), asked), asked).kind is Kind.NOT_WORSE
    assert wrong < 24


def test_releases_with_five_times_the_errors_are_caught_in_nearly_all_runs() -> None:
    caught = 0
    for seed in range(30):
        source = random.Random(seed)
        runs = [Interval(drawn(source, 50, 0.05), drawn(source, 200, 0.01)) for _ in range(40)]
        caught += decided(runs)[0].kind is Kind.WORSE
    assert caught >= 28


@pytest.mark.parametrize(("requests", "errors"), [(5, 6), (5, -1), (-1, 0)])
def test_errors_that_are_not_among_the_requests_are_refused(requests: int, errors: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Side(requests, errors)


def test_settings_that_ask_nothing_or_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="something to judge"):
        Settings(errors=None)
    with pytest.raises(ValueError, match="quantile"):
        Settings(quantile=1.0)
    with pytest.raises(ValueError, match="within the margin"):
        Limits(tolerated=Margin(0.6), margin=Margin(0.5))
    with pytest.raises(ValueError, match="alpha and beta"):
        Levels(alpha=0)
    with pytest.raises(ValueError, match="one interval"):
        Levels(intervals=0)


def test_what_is_bet_on_an_interval_was_settled_before_it_was_seen() -> None:
    seen, limits = Counts(100, 3, 1900, 700), Limits()
    once = Comparison().plus(seen, limits, Levels())
    assert once.not_worse == played(Wealth(), NOT_WORSE, seen, limits.margin, usual(Counts()))
    twice = once.plus(seen, limits, Levels())
    assert twice.not_worse == played(once.not_worse, NOT_WORSE, seen, limits.margin, usual(seen))
