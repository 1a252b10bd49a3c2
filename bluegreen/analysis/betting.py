"""Evidence against a claim about two rates that is valid whenever it is looked at.

A claim is a half-plane of rates: ``green <= limit`` or ``green >= limit``, with ``limit = blue * m + a``. Against it a
stake s is bet on every interval. With n requests and x hits (errors) a side, the bet multiplies the money by

    (1 + s)^x_green * (1 - s * m * n_green / n_blue)^x_blue * exp(-s * a * n_green)

Since 1 + z <= exp(z), its expectation is at most exp(s * n_green * (green - m * blue - a)), where green and blue are
the mean rates of that interval. That is at most 1 while the claim is true: for s > 0 against ``green <= limit``, for
s < 0 against ``green >= limit``. So the money is a supermartingale that starts at 1, and by Ville's inequality the
chance that it *ever* reaches 1/alpha is at most alpha, however often one looks, whatever the split is and however the
rates move, as long as s is chosen before the interval's errors are seen. Without an absolute margin it is the
likelihood ratio of green's share of the errors, given all errors: the conditional test of Lindon and Malek.

Sources: Lindon and Malek, Anytime-valid inference for multinomial count data, arXiv 2011.03567; Turner and Grünwald,
Exact anytime-valid confidence intervals for contingency tables, arXiv 2203.09785 (half-planes); Howard, Ramdas,
McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics 2021
(mixtures, sub-Poisson bounds); Herbster and Warmuth, Tracking the best expert, 1998 (the fixed share).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.analysis.counts import Counts


@dataclass(frozen=True, slots=True)
class Margin:
    """How far above blue's rate is still fine: ``blue * (1 + relative) + absolute``. Rates are from 0 to 1."""

    relative: float = 0.0
    absolute: float = 0.0

    def __post_init__(self) -> None:
        if not (self.relative >= 0 and 0 <= self.absolute < 1):
            raise ValueError("a margin is not negative, and its absolute part is below 1")

    def limit(self, blue: float) -> float:
        return blue * (1 + self.relative) + self.absolute


@dataclass(frozen=True, slots=True)
class Wealth:
    """The money of one bettor. ``log`` is the logarithm of what it has now, ``peak`` the greatest that ever was.

    ``shares`` says how it is spread over the bets of its book; empty: as the book opens.
    """

    log: float = 0.0
    peak: float = 0.0
    shares: tuple[float, ...] = ()

    @property
    def p_value(self) -> float:
        """Always valid: under the claim the chance that it is ever as small as p is at most p."""
        return min(1.0, math.exp(-self.peak))


@dataclass(frozen=True, slots=True)
class Book:
    """The alternatives that are bet on, with their first shares; what is left of 1 is kept as cash.

    An alternative is a pair (``of_blue``, ``of_limit``): green's rate is that much of blue's rate plus that much of the
    limit. After each interval ``moved`` of the money is spread anew, so that a release that turns bad late is still
    caught: without it the money would be lost by then.
    """

    alternatives: tuple[tuple[float, float], ...]
    shares: tuple[float, ...]
    moved: float = 0.002

    def rates(self, blue: float, limit: float) -> list[float]:
        return [of_blue * blue + of_limit * limit for of_blue, of_limit in self.alternatives]


WORSE = Book(
    alternatives=((0, 1.3), (0, 1.6), (0, 2.0), (0, 3.0), (0, 5.0), (0, 10.0), (0, 30.0)),
    shares=(0.10, 0.15, 0.20, 0.20, 0.15, 0.10, 0.05),
)
"""Against ``green <= limit``: green's rate is this many times the limit."""

NOT_WORSE = Book(alternatives=((1, 0), (0.5, 0), (0.6, 0.4)), shares=(0.60, 0.15, 0.20))
"""Against ``green >= limit``: green is like blue, half of it, or somewhat above it."""


def played(wealth: Wealth, book: Book, seen: Counts, margin: Margin, blue: float, most: float = math.inf) -> Wealth:
    """The wealth after one interval. ``blue`` is blue's rate as estimated *before* it; it bears on power alone.

    ``most``: the logarithm of the most that one interval may multiply the money by. To give some away is always fair.
    """
    if not seen.green_requests:
        return wealth
    rates = book.rates(blue, margin.limit(blue))
    gains = [gain(seen, margin, best_stake(seen, margin, blue, rate)) for rate in rates]
    return _spread(wealth, book, [0.0, *gains], most)


def gain(seen: Counts, margin: Margin, stake: float) -> float:
    """The logarithm of what the stake multiplies its money by (the formula at the head of this module)."""
    gained = seen.green_hits * math.log1p(stake) - stake * margin.absolute * seen.green_requests
    if seen.blue_hits:
        gained += seen.blue_hits * math.log1p(-stake * _weight(seen, margin))
    return gained


def best_stake(seen: Counts, margin: Margin, blue: float, green: float) -> float:
    """The stake that makes the money grow fastest if the rates are ``blue`` and ``green``; only requests are looked at.

    It is ``green / limit(q) - 1``, with q the rate of blue's that makes the claim's boundary most like the two rates
    (the projection of Turner and Grünwald, for Poisson counts): the root of a quadratic equation. 0 where nothing can
    be learned, for instance without requests on blue.
    """
    n_green, n_blue, m, a = seen.green_requests, seen.blue_requests, 1 + margin.relative, margin.absolute
    square = m * (n_blue + m * n_green)
    linear = n_blue * (m * blue - a) + m * n_green * (green - a)
    q = (linear + math.sqrt(linear * linear + 4 * square * n_blue * blue * a)) / (2 * square)
    boundary = m * max(q, 0.0) + a
    stake = green / boundary - 1 if boundary > 0 else 0.0
    return min(stake, _ALMOST / _weight(seen, margin)) if n_blue else min(stake, 0.0)


# Private

_ALMOST = 1 - 1e-9
"""No bet may lose all of the money: rounding must not make it so."""


def _weight(seen: Counts, margin: Margin) -> float:
    return (1 + margin.relative) * seen.green_requests / seen.blue_requests


def _spread(wealth: Wealth, book: Book, gains: Sequence[float], most: float) -> Wealth:
    """The bets' gains, and the fixed share; the first of the bets is cash."""
    opening = (1 - sum(book.shares), *book.shares)
    grown = [math.log(share) + gained for share, gained in zip(wealth.shares or opening, gains, strict=True)]
    top = max(grown)
    total = top + math.log(sum(math.exp(each - top) for each in grown))
    shares = (
        (1 - book.moved) * math.exp(each - total) + book.moved * first
        for each, first in zip(grown, opening, strict=True)
    )
    log = wealth.log + min(total, most)
    return Wealth(log, max(wealth.peak, log), tuple(shares))
