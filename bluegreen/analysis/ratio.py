"""A confidence sequence for how many times blue's rate green's rate is.

For each ratio of a grid the money of a bettor against "green = ratio * blue" is known; a ratio belongs to the
sequence while that money is below 1/alpha. The bettor bets on the ratio estimated from the intervals before (so its
money is a likelihood ratio whose numerator was fixed in advance), and given all errors of an interval, an error falls
on green with odds ratio * n_green / n_blue: intervals of different splits combine. All true ratios stay inside for
ever with probability 1 - alpha; this supposes that there *is* one ratio for the whole step. Rates may move.

Sources: Lindon and Malek, arXiv 2011.03567, section 4 (time-inhomogeneous Bernoulli and Poisson processes); Howard et
al., Annals of Statistics 2021 (confidence sequences by inversion).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bluegreen.analysis.counts import Counts

GRID = tuple(2 ** (step / 4) for step in range(-16, 29))
"""From 1/16 to 128."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """``bet`` and ``fits`` are log likelihoods: of the bettor's estimates, and of each ratio of GRID.

    ``green`` are green's hits, ``expected`` those that blue's rate would have given to green's requests.
    """

    green: int = 0
    expected: float = 0.0
    bet: float = 0.0
    fits: tuple[float, ...] = (0.0,) * len(GRID)

    def plus(self, seen: Counts) -> Ratios:
        """Intervals in which one side had no requests compare nothing, and change nothing."""
        if not seen.green_requests or not seen.blue_requests:
            return self
        weight = seen.green_requests / seen.blue_requests
        return Ratios(
            self.green + seen.green_hits,
            self.expected + weight * seen.blue_hits,
            self.bet + _fit(seen, weight, (self.green + 0.5) / (self.expected + 0.5)),
            tuple(fit + _fit(seen, weight, ratio) for fit, ratio in zip(self.fits, GRID, strict=True)),
        )

    def between(self, alpha: float) -> tuple[float, float | None] | None:
        """The least and the greatest ratio that stand at level ``alpha``; widened to the grid, None: no upper bound.

        None where no ratio stands: then green's rate is no fixed multiple of blue's.
        """
        inside = [at for at, fit in enumerate(self.fits) if self.bet - fit < -math.log(alpha)]
        if not inside:
            return None
        low = GRID[inside[0] - 1] if inside[0] else 0.0
        return low, (GRID[inside[-1] + 1] if inside[-1] + 1 < len(GRID) else None)


# Private


def _fit(seen: Counts, weight: float, ratio: float) -> float:
    odds = weight * ratio
    return seen.green_hits * math.log(odds) - (seen.green_hits + seen.blue_hits) * math.log1p(odds)
