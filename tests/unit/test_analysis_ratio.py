"""The confidence sequence for the ratio of the two rates."""

from __future__ import annotations

import math
import random

import pytest

from bluegreen.analysis.counts import Counts
from bluegreen.analysis.ratio import GRID, Ratios


def drawn(source: random.Random, requests: int, rate: float) -> int:
    return sum(source.random() < rate for _ in range(requests))


def test_nothing_is_said_before_anything_is_seen() -> None:
    assert Ratios().between(0.05) == (0.0, None)


def test_a_fit_is_the_chance_that_the_errors_fall_as_they_fell() -> None:
    ratios = Ratios().plus(Counts(30, 4, 120, 6))
    for fit, ratio in zip(ratios.fits, GRID, strict=True):
        share = ratio * 30 / (ratio * 30 + 120)
        assert fit == pytest.approx(4 * math.log(share) + 6 * math.log(1 - share))


def test_no_errors_leave_every_ratio_possible() -> None:
    assert Ratios().plus(Counts(5000, 0, 95000, 0)).between(0.05) == (0.0, None)


def test_intervals_that_compare_nothing_change_nothing() -> None:
    seen = Ratios().plus(Counts(30, 4, 120, 6))
    assert seen.plus(Counts(0, 0, 500, 9)) == seen
    assert seen.plus(Counts(500, 9, 0, 0)) == seen


def test_the_sequence_closes_in_on_the_ratio_though_the_split_changes() -> None:
    ratios = Ratios()
    for look in range(200):
        n_green, n_blue = (50, 950) if look % 2 else (500, 500)
        ratios = ratios.plus(Counts(n_green, round(0.04 * n_green), n_blue, round(0.02 * n_blue)))
    found = ratios.between(0.05)
    assert found is not None
    low, high = found
    assert high is not None
    assert 1.2 < low <= 2 <= high < 3


def test_the_true_ratio_leaves_the_sequence_at_any_of_many_looks_no_more_often_than_its_level() -> None:
    """160 runs of 40 looks at level 0.2; 50 misses would have a chance below 0.1% if the level were just kept."""
    source, missed = random.Random(7), 0
    for _ in range(160):
        ratios, inside = Ratios(), True
        for _ in range(40):
            rate = source.choice((0.02, 0.2))
            ratios = ratios.plus(Counts(10, drawn(source, 10, 2 * rate), 20, drawn(source, 20, rate)))
            found = ratios.between(0.2)
            inside &= found is not None and found[0] <= 2 and (found[1] is None or found[1] >= 2)
        missed += not inside
    assert missed < 50


def test_a_ratio_that_changes_can_leave_nothing_standing() -> None:
    ratios = Ratios()
    for hits in [0] * 60 + [200] * 30:
        ratios = ratios.plus(Counts(500, hits, 500, 50))
    found = ratios.between(0.05)
    assert found is None or found[1] is not None
