from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.domain.spec import ShiftStep
from bluegreen.domain.split import Split
from bluegreen.traffic import schedule

PARTIAL = st.integers(1, 999).map(lambda permille: permille / 10)
SECONDS = st.floats(0, 86400)


def assert_is_a_schedule(steps: schedule.Schedule) -> None:
    assert steps[-1].percent == 100
    assert steps[0].percent > 0
    assert all(earlier.percent < later.percent for earlier, later in pairwise(steps))
    assert all(step.wait >= 0 for step in steps)
    for step in steps:
        Split.of_percent(step.percent)


@given(PARTIAL, SECONDS)
def test_canary_is_one_partial_step_and_then_everything(percent: float, wait: float) -> None:
    steps = schedule.canary(percent, wait)
    assert_is_a_schedule(steps)
    assert steps == (ShiftStep(percent, wait), ShiftStep(100.0, 0.0))


@given(PARTIAL, SECONDS)
def test_linear_steps_are_equal_but_for_the_last_which_is_no_larger(percent: float, every: float) -> None:
    steps = schedule.linear(percent, every)
    assert_is_a_schedule(steps)
    sizes = [round((later - earlier) * 10) for earlier, later in pairwise([0.0, *(step.percent for step in steps)])]
    assert all(size == round(percent * 10) for size in sizes[:-1])
    assert 0 < sizes[-1] <= round(percent * 10)
    assert [step.wait for step in steps] == [every] * (len(steps) - 1) + [0.0]


@given(st.sets(st.integers(1, 999)), SECONDS)
def test_explicit_steps_stand_as_they_were_written(shares: set[int], wait: float) -> None:
    written = [(share / 10, wait) for share in sorted(shares)] + [(100.0, 0.0)]
    steps = schedule.explicit(written)
    assert_is_a_schedule(steps)
    assert [(step.percent, step.wait) for step in steps] == written


@given(st.lists(st.integers(-10, 1010).map(lambda permille: permille / 10), max_size=5))
def test_explicit_steps_are_a_schedule_or_refused(percents: list[float]) -> None:
    is_schedule = (
        bool(percents)
        and percents[-1] == 100
        and percents[0] > 0
        and all(earlier < later for earlier, later in pairwise(percents))
    )
    if is_schedule:
        assert_is_a_schedule(schedule.explicit([(percent, 1.0) for percent in percents]))
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - which of the rules is broken is the next tests' matter
            schedule.explicit([(percent, 1.0) for percent in percents])


def test_a_third_ends_with_the_tenth_that_is_left() -> None:
    assert [step.percent for step in schedule.linear(33.3, 60)] == [33.3, 66.6, 99.9, 100.0]


def test_all_at_once_is_one_step_without_a_wait() -> None:
    assert schedule.all_at_once() == (ShiftStep(100.0, 0.0),)


@pytest.mark.parametrize("percent", [0, 100, -5, 101])
def test_a_canary_of_nothing_or_everything_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="all-at-once"):
        schedule.canary(percent, 60)


def test_a_share_finer_than_a_tenth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"steps of 0\.1"):
        schedule.canary(0.25, 60)


@pytest.mark.parametrize("wait", [-1.0, float("inf"), float("nan")])
def test_a_negative_or_endless_wait_is_refused(wait: float) -> None:
    with pytest.raises(ValueError, match="wait"):
        schedule.explicit([(5.0, wait), (100.0, 0.0)])


def test_steps_that_stop_short_of_everything_are_refused() -> None:
    with pytest.raises(ValueError, match="last step"):
        schedule.explicit([(5.0, 1.0), (50.0, 1.0)])
