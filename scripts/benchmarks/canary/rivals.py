"""The other rules, each as a score that only grows: it aborts at the first look where the score exceeds a threshold.

So one simulation serves every threshold, the usual one and the one that aborts as few healthy releases as wanted. All
look once a minute, at the minute that has just ended, as they do at their users'; what they are is told in RULES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Score = Callable[[Floats, Floats], Floats]
"""Green's and blue's value of each minute, runs × minutes (NaN: no requests), to the score after each minute."""


def kth_largest(values: Floats, k: int) -> Floats:
    """The k-th largest value so far: k checks were above any threshold below it."""
    known = np.nan_to_num(values, nan=-np.inf)
    top = np.full((len(values), k), -np.inf)
    scores = np.empty_like(known)
    for at in range(known.shape[1]):
        lowest = top.argmin(axis=1)
        rows = np.arange(len(top))
        top[rows, lowest] = np.maximum(top[rows, lowest], known[:, at])
        scores[:, at] = top.min(axis=1)
    return scores


def two_of_three(values: Floats) -> Floats:
    known = np.nan_to_num(values, nan=-np.inf)
    padded = np.pad(known, ((0, 0), (2, 0)), constant_values=-np.inf)
    windows = np.stack([padded[:, shift : shift + known.shape[1]] for shift in range(3)], axis=2)
    return np.maximum.accumulate(np.sort(windows, axis=2)[:, :, 1], axis=1)


def mann_whitney(green: Floats, blue: Floats, tolerance: float = 0.25) -> Floats:
    """The z at which the lower end of the interval for the shift, green minus blue, leaves the tolerated zone.

    Kayenta calls a metric high when the lower end of the 98% interval is above a quarter of the Hodges-Lehmann
    estimate: when the rank test still rejects with blue moved up by that much, at z above 2.326. A minute without
    requests counts as 0. Ties at 0 are corrected for in the variance.
    """
    green, blue = np.nan_to_num(green).astype(np.float32), np.nan_to_num(blue).astype(np.float32)
    scores = np.full(green.shape, -np.inf)
    for n in range(3, green.shape[1] + 1):
        differences = (green[:, :n, None] - blue[:, None, :n]).reshape(len(green), -1)
        estimate = np.partition(differences, n * n // 2, axis=1)[:, n * n // 2]
        above = (differences > tolerance * np.abs(estimate)[:, None]).sum(axis=1)
        zeros = (green[:, :n] == 0).sum(axis=1)
        spread = np.sqrt(n * n / 12 * (2 * n + 1 - (zeros**3 - zeros) / (2 * n * (2 * n - 1))))
        scores[:, n - 1] = (above - n * n / 2) / spread
    return np.maximum.accumulate(scores, axis=1)


@dataclass(frozen=True)
class Rule:
    """``usual``: its threshold for error rates as people set it, given blue's true rate. ``words``: that, in words."""

    name: str
    score: Score
    usual: Callable[[float], float]
    words: str
    no_data_fails: bool = False


RULES = (
    Rule(
        "threshold, 5 failed checks",
        lambda green, _: kth_largest(green, 5),
        lambda _: 0.01,
        "Flagger's rule: success rate below 99% over a minute, five failed checks; no data is a failed check",
        no_data_fails=True,
    ),
    Rule(
        "failureLimit 3",
        lambda green, _: kth_largest(green, 4),
        lambda _: 0.05,
        "Argo's rule: success rate below 95% in more than three measurements",
    ),
    Rule(
        "alarm, 2 of 3 minutes",
        lambda green, _: two_of_three(green),
        lambda base: 2 * base,
        "a CloudWatch alarm on green's error rate, one-minute periods, two of three above twice blue's true rate",
    ),
    Rule(
        "Mann–Whitney, 98%",
        mann_whitney,
        lambda _: 2.326,
        "Kayenta's judge: rank test on the minutes' rates, 98%, tolerance 0.25, judged again each minute",
    ),
)


def rates(hits: NDArray[np.int64], requests: NDArray[np.int64]) -> Floats:
    return np.where(requests > 0, hits / np.maximum(requests, 1), np.nan)
