"""The study of scripts/bench canary: its rules do what they say, and its arrays are the library."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from bluegreen.analysis import Levels
from scripts.benchmarks.canary import study
from scripts.benchmarks.canary.judge import check, limits_of
from scripts.benchmarks.canary.rivals import kth_largest, mann_whitney, two_of_three
from scripts.benchmarks.canary.traffic import World, hour

PAGE = Path(__file__).parents[2] / "docs" / "canary-verdicts.md"


def test_a_threshold_with_three_failed_checks_aborts_at_the_third_minute_above_it() -> None:
    score = kth_largest(np.array([[0.5, 0.1, math.nan, 0.3, 0.4]]), 3)
    assert study.first_above(score, 0.29)[0] == 5 * 3600 / 5
    assert not np.isfinite(study.first_above(score, 0.3)[0])


def test_an_alarm_needs_two_of_the_last_three_minutes() -> None:
    assert two_of_three(np.array([[0.9, 0.1, 0.1, 0.8, 0.1, 0.7]])).tolist() == [[-math.inf, 0.1, 0.1, 0.1, 0.1, 0.7]]


def test_the_rank_test_sees_a_shift_beyond_its_tolerance_and_no_shift_of_nothing() -> None:
    source = np.random.default_rng(1)
    blue, green = source.normal(1, 0.05, (2, 30)), source.normal(1, 0.05, (2, 30))
    green[0] += 0.2
    score = mann_whitney(green, blue)[:, -1]
    assert score[0] > 4
    assert score[1] < 2.326
    assert mann_whitney(np.zeros((1, 10)), np.zeros((1, 10)))[0, -1] <= 0


def test_a_calibrated_threshold_is_exceeded_by_no_more_than_its_level() -> None:
    ends = np.array([*range(100)], dtype=float)
    assert (ends > study.calibrated(ends, 0.05)).mean() == 0.05
    assert (np.repeat(ends[:10], 10) > study.calibrated(np.repeat(ends[:10], 10), 0.05)).mean() == 0


def test_a_time_is_the_first_look_after_the_threshold_was_passed() -> None:
    score = np.array([[0.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert study.first_above(score, 1.5).tolist() == [2700, math.inf]


@pytest.mark.parametrize("weather", study.WEATHERS)
def test_healthy_worlds_treat_both_sides_alike(weather: str) -> None:
    counted = hour(World(100, 0.02, weather=weather), 40, np.random.default_rng(3))
    green, blue = counted.green_hits.sum() / counted.green.sum(), counted.blue_hits.sum() / counted.blue.sum()
    assert green == pytest.approx(blue, rel=0.1)
    assert counted.green.sum() / counted.blue.sum() == pytest.approx(5 / 95, rel=0.02)


@pytest.mark.parametrize("levels", [Levels(), Levels(alpha=0.2, intervals=1)])
def test_the_arrays_are_the_library(levels: Levels) -> None:
    check(hour(World(20, 0.02, 2.0, weather="wave"), 1, np.random.default_rng(4)), limits_of(), levels, runs=1)


def test_silence_passes_as_a_success_with_others_and_not_here() -> None:
    found = study.silence()
    assert found[study.OURS].startswith("not yet: no data")
    assert found["alarm, 2 of 3 minutes"] == "passes in silence"


@pytest.mark.thorough
@pytest.mark.parametrize(("rps", "weather"), [(10, "flat"), (1, "bursts")])
def test_the_published_rate_of_false_aborts_is_what_the_code_gives_today(rps: int, weather: str) -> None:
    """Within a point and a half in a thousand: another numpy may draw other lots."""
    rows = [line.split("|")[1:-1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| 1% ")]
    cells = next(row for row in rows if row[1].strip() == str(rps))
    published = cells[2 + study.WEATHERS.index(weather)].replace("*", "").split("/")
    found = study.false_aborts(World(rps, 0.01, weather=weather), 4_000)["aborted"]
    assert [float(each.strip().rstrip("%")) for each in published] == [
        pytest.approx(100 * found[str(intervals)], abs=0.15) for intervals in study.INTERVALS
    ]
