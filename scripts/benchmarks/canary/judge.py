"""bluegreen's own verdict for many runs at once: the arithmetic of bluegreen/analysis on arrays.

``check`` replays some runs through the real thing and fails where a single verdict differs: the figures are of the
code that is shipped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bluegreen.analysis import Counts
from bluegreen.analysis.betting import NOT_WORSE, WORSE, Book, Margin
from bluegreen.analysis.comparison import Comparison, Levels, Limits
from scripts.benchmarks.canary.traffic import Counted

Floats = NDArray[np.float64]
TINY = 1e-300


class Bettor:
    """Wealth of many runs, against the limit of one book."""

    def __init__(self, book: Book, runs: int, most: float = math.inf) -> None:
        self.book, self.most = book, most
        self.opening = np.array([1 - sum(book.shares), *book.shares])
        self.shares = np.tile(self.opening, (runs, 1))
        self.log, self.peak = np.zeros(runs), np.zeros(runs)

    def play(self, seen: tuple[Floats, ...], m: Floats, a: Floats, blue: Floats) -> None:
        n_green, x_green, n_blue, x_blue = (each[:, None] for each in seen)
        m, a, blue = m[:, None], a[:, None], blue[:, None]
        of_blue, of_limit = np.array(self.book.alternatives).T
        green = of_blue * blue + of_limit * (blue * m + a)
        weight = m * n_green / np.maximum(n_blue, TINY)
        stake = _best_stake(n_green, n_blue, m, a, blue, green)
        stake = np.where(n_blue > 0, np.minimum(stake, (1 - 1e-9) / np.maximum(weight, TINY)), np.minimum(stake, 0))
        with np.errstate(invalid="ignore"):
            lost = np.where(x_blue > 0, x_blue * np.log1p(np.maximum(-stake * weight, -1 + 1e-12)), 0.0)
        gains = x_green * np.log1p(stake) - stake * a * n_green + lost
        grown = self.shares * np.exp(np.hstack([np.zeros_like(n_green), gains]))
        total = grown.sum(axis=1)
        played = seen[0] > 0
        self.log = np.where(played, self.log + np.minimum(np.log(total), self.most), self.log)
        self.peak = np.maximum(self.peak, self.log)
        moved = self.book.moved
        self.shares = np.where(
            played[:, None], (1 - moved) * grown / total[:, None] + moved * self.opening, self.shares
        )  # fmt: skip


def judged(
    counted: Counted, limits: Limits, levels: Levels | None = None, enough: float = math.inf
) -> tuple[Floats, Floats]:
    """The peaks of the two bettors' log wealth after every look, runs × looks: worse, not worse.

    It ends early, the last column repeated, when every run has more than ``enough`` against green.
    """
    grids = [each.astype(float) for each in (counted.green, counted.green_hits, counted.blue, counted.blue_hits)]
    runs, looks = grids[0].shape
    panel = Panel(runs, limits, levels or Levels())
    worse, fine = np.zeros((runs, looks)), np.zeros((runs, looks))
    for at in range(looks):
        panel.see(tuple(each[:, at] for each in grids))
        worse[:, at], fine[:, at] = panel.worse.peak, panel.fine.peak
        if panel.worse.peak.min() > enough:
            worse[:, at:], fine[:, at:] = worse[:, [at]], fine[:, [at]]
            break
    return worse, fine


class Panel:
    """bluegreen.analysis.comparison for many runs."""

    def __init__(self, runs: int, limits: Limits, levels: Levels) -> None:
        self.limits, self.shown = limits, -math.log(levels.beta)
        self.worse, self.fine = Bettor(WORSE, runs, levels.most), Bettor(NOT_WORSE, runs)
        self.n_blue, self.x_blue = np.zeros(runs), np.zeros(runs)

    def see(self, seen: tuple[Floats, ...]) -> None:
        blue = (self.x_blue + 0.5) / (self.n_blue + 100)
        shown = self.fine.peak >= self.shown
        tolerated, margin = self.limits.tolerated, self.limits.margin
        m = np.where(shown, 1 + margin.relative, 1 + tolerated.relative)
        a = np.where(shown, margin.absolute, tolerated.absolute)
        self.worse.play(seen, m, a, blue)
        self.fine.play(seen, np.full_like(m, 1 + margin.relative), np.full_like(a, margin.absolute), blue)
        self.n_blue += seen[2]
        self.x_blue += seen[3]


def check(counted: Counted, limits: Limits, levels: Levels, runs: int = 2) -> None:
    """Raises RuntimeError where the arrays and the library disagree about a run."""
    worse, fine = judged(Counted(*(getattr(counted, name)[:runs] for name in _FIELDS)), limits, levels)
    for run in range(runs):
        comparison = Comparison()
        for look in range(counted.green.shape[1]):
            seen = Counts(*(int(getattr(counted, name)[run, look]) for name in _FIELDS))
            comparison = comparison.plus(seen, limits, levels)
            for own, other in ((comparison.worse, worse), (comparison.not_worse, fine)):
                if abs(own.peak - other[run, look]) > 1e-6:
                    raise RuntimeError(f"look {look}: the library has {own.peak}, the arrays {other[run, look]}")


def limits_of(tolerated: float = 0.0, relative: float = 0.5, absolute: float = 0.001) -> Limits:
    return Limits(Margin(tolerated), Margin(relative, absolute))


# Private

_FIELDS = ("green", "green_hits", "blue", "blue_hits")


def _best_stake(n_green: Floats, n_blue: Floats, m: Floats, a: Floats, blue: Floats, green: Floats) -> Floats:
    square = m * (n_blue + m * n_green)
    linear = n_blue * (m * blue - a) + m * n_green * (green - a)
    q = (linear + np.sqrt(linear * linear + 4 * square * n_blue * blue * a)) / np.maximum(2 * square, TINY)
    boundary = m * np.maximum(q, 0.0) + a
    return np.where(boundary > 0, green / np.maximum(boundary, TINY) - 1, 0.0)
