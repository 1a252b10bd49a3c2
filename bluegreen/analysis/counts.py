"""What was counted on both sides: requests, errors, latencies. An interval is what lies between two looks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

SECONDS = tuple(round(0.001 * 1.1**step, 6) for step in range(117))
"""Bounds for raw samples: from 1 ms to a little over a minute, each ten per cent above the one before."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies in buckets. ``bounds`` are upper bounds in seconds, ascending; ``counts`` has one bucket more.

    A request belongs to the first bucket whose bound is not below its latency; the last bucket has no bound. Buckets
    are not cumulative. Raises ValueError for bounds and counts that do not fit together.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError(f"{len(self.bounds)} bounds make {len(self.bounds) + 1} buckets, not {len(self.counts)}")
        if any(low >= high for low, high in zip(self.bounds, self.bounds[1:], strict=False)):
            raise ValueError("a histogram's bounds must ascend")
        if any(count < 0 for count in self.counts):
            raise ValueError("a histogram's counts must not be negative")

    @classmethod
    def of(cls, samples: Iterable[float], bounds: tuple[float, ...] = SECONDS) -> Histogram:
        """``samples`` in seconds."""
        counts = [0] * (len(bounds) + 1)
        for sample in samples:
            counts[bisect_left(bounds, sample)] += 1
        return cls(bounds, tuple(counts))

    @property
    def total(self) -> int:
        return sum(self.counts)

    def slower(self, bound: float) -> int:
        """Requests slower than ``bound``, which is one of ``bounds``; ValueError where it is not."""
        return sum(self.counts[self.bounds.index(bound) + 1 :])

    def plus(self, other: Histogram) -> Histogram:
        """Raises ValueError where the bounds differ: what was counted in other buckets cannot be compared."""
        if self.bounds != other.bounds:
            raise ValueError("histograms with different bounds cannot be added")
        return Histogram(self.bounds, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))


@dataclass(frozen=True, slots=True)
class Side:
    """One side's requests between two looks, ``errors`` among them. ValueError where they are not among them.

    A source that counts an error later than its request gives ``requests=max(requests, errors)``.
    """

    requests: int
    errors: int = 0
    latencies: Histogram | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.requests:
            raise ValueError(f"{self.errors} errors of {self.requests} requests cannot be")


@dataclass(frozen=True, slots=True)
class Interval:
    """Both sides over the same time. The lengths of intervals, and the split, may change from one to the next."""

    green: Side
    blue: Side


@dataclass(frozen=True, slots=True)
class Counts:
    """Two counts and what they are counts of. ``hits``: errors, or requests slower than a threshold."""

    green_requests: int = 0
    green_hits: int = 0
    blue_requests: int = 0
    blue_hits: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(
            self.green_requests + other.green_requests,
            self.green_hits + other.green_hits,
            self.blue_requests + other.blue_requests,
            self.blue_hits + other.blue_hits,
        )

    @property
    def green_rate(self) -> float | None:
        return self.green_hits / self.green_requests if self.green_requests else None

    @property
    def blue_rate(self) -> float | None:
        return self.blue_hits / self.blue_requests if self.blue_requests else None


def errors_of(interval: Interval) -> Counts:
    green, blue = interval.green, interval.blue
    return Counts(green.requests, green.errors, blue.requests, blue.errors)
