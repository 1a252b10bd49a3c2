"""Is green slower? Counted, not averaged: how many requests of each side are slower than blue's usual p99.

The threshold is taken from blue's requests of earlier intervals, so it is settled before an interval is seen; then the
slow requests of *both* sides in that interval are two counts like errors are, and the same test judges them. That
blue's p99 is only estimated costs no validity: blue's own share above the threshold is counted too, and not supposed
to be 1%. The claim tested is "no larger a share of green's requests than of blue's is slower than the threshold", at
every time; a common slowdown of both sides is not held against green. The threshold is a bound of the histogram's
buckets: what is slower within one bucket is not seen.

It is a test of stochastic order at one place, the tail. Source: Lindon, Sanden and Shirikian, Rapid regression
detection in software deployments through sequential testing, arXiv 2205.14762, who test all places at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bluegreen.analysis.comparison import Comparison, Levels, Limits
from bluegreen.analysis.counts import Counts, Histogram, Interval


@dataclass(frozen=True, slots=True)
class Slowness:
    """``blue``: all of blue's latencies so far. ``threshold``: seconds, the last one used, for a person to read."""

    comparison: Comparison = field(default_factory=Comparison)
    blue: Histogram | None = None
    threshold: float | None = None

    def plus(self, interval: Interval, quantile: float, limits: Limits, levels: Levels) -> Slowness:
        """An interval without blue's latencies teaches nothing; one before a threshold is known only teaches it."""
        green, blue = interval.green.latencies, interval.blue.latencies
        if blue is None and green is None:
            return self
        blue = blue or _none_like(green)
        threshold = slow_bound(self.blue, quantile) if self.blue else None
        learned = self.blue.plus(blue) if self.blue else blue
        if threshold is None:
            return Slowness(self.comparison, learned, None)
        seen = _slow(green or _none_like(blue), blue, threshold)
        return Slowness(self.comparison.plus(seen, limits, levels), learned, threshold)


def slow_bound(blue: Histogram, quantile: float) -> float | None:
    """The bound whose share of slower requests is most like ``1 - quantile``, by ratio.

    None while fewer than two requests would be expected above it, or where no bound has requests on both sides.
    """
    total, wanted = blue.total, 1 - quantile
    if total * wanted < 2:
        return None
    above, best, found = total, math.inf, None
    for bound, count in zip(blue.bounds, blue.counts, strict=False):
        above -= count
        if 0 < above < total and abs(math.log(above / total / wanted)) < best:
            best, found = abs(math.log(above / total / wanted)), bound
    return found


# Private


def _slow(green: Histogram, blue: Histogram, threshold: float) -> Counts:
    return Counts(green.total, green.slower(threshold), blue.total, blue.slower(threshold))


def _none_like(other: Histogram | None) -> Histogram:
    assert other is not None
    return Histogram(other.bounds, (0,) * len(other.counts))
