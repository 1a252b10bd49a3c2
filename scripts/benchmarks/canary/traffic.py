"""An hour of a canary, many times over: requests and errors of both sides between looks, as a balancer counts them.

Arrays are runs × looks. Requests are Poisson around the traffic's rate, errors binomial. What is common to both sides
(a wave, a burst) moves both rates at once; what a world says of green alone is the release's own fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LOOK = 5
"""Seconds between looks."""
LOOKS = 720
MINUTE = 12
SHARE = 0.05
"""Green's share of the traffic."""

Grid = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """``rps``: requests a second, both sides together. ``base``: blue's error rate. Green's: times ``factor``, plus
    ``plus``. ``weather``: flat, wave (traffic and errors swing by 80%), bursts (both sides ×20 for half a minute, six
    times an hour), doubled (both sides fail twice as often from the tenth minute on), incidents (one task of one side
    fails half of its requests for ten seconds; green is one task of twenty). ``onset``: the first bad look."""

    rps: float
    base: float
    factor: float = 1.0
    plus: float = 0.0
    weather: str = "flat"
    onset: int = 0

    @property
    def healthy(self) -> World:
        return replace(self, factor=1.0, plus=0.0, onset=0)


@dataclass(frozen=True)
class Counted:
    green: Grid
    green_hits: Grid
    blue: Grid
    blue_hits: Grid

    def by_minute(self) -> Counted:
        return Counted(*(_minutes(each) for each in (self.green, self.green_hits, self.blue, self.blue_hits)))


def hour(world: World, runs: int, rng: np.random.Generator) -> Counted:
    level, blue = _weather(world, runs, rng)
    at = np.arange(LOOKS)
    bad = np.where(at >= world.onset, blue * world.factor + world.plus, blue)
    green = _incidents(bad, runs, rng, tasks=1) if world.weather == "incidents" else bad
    blue = _incidents(blue, runs, rng, tasks=19) if world.weather == "incidents" else blue
    mean = world.rps * LOOK * level
    n_green, n_blue = rng.poisson(mean * SHARE, (runs, LOOKS)), rng.poisson(mean * (1 - SHARE), (runs, LOOKS))
    return Counted(
        n_green, rng.binomial(n_green, np.clip(green, 0, 1)), n_blue, rng.binomial(n_blue, np.clip(blue, 0, 1))
    )  # fmt: skip


# Private


def _weather(world: World, runs: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The traffic's level, and blue's error rate."""
    level, rate = np.ones((runs, LOOKS)), np.full((runs, LOOKS), world.base)
    at = np.arange(LOOKS)
    if world.weather == "wave":
        swing = 1 + 0.8 * np.sin(2 * np.pi * (at / LOOKS + rng.random((runs, 1))))
        return swing, rate * swing
    if world.weather == "bursts":
        lasting = 30 // LOOK
        starts = rng.random((runs, LOOKS)) < 6 / LOOKS
        inside = sum(np.roll(starts, shift, axis=1) for shift in range(lasting)) > 0
        return level, np.where(inside, np.minimum(20 * rate, 0.5), rate)
    if world.weather == "doubled":
        return level, np.where(at >= 10 * MINUTE, 2 * rate, rate)
    return level, rate


def _incidents(rate: NDArray[np.float64], runs: int, rng: np.random.Generator, tasks: int) -> NDArray[np.float64]:
    """Each task has one in an hour, on average. It begins in the middle of a look: ten seconds touch three."""
    failing = np.zeros((runs, LOOKS))
    for _ in range(tasks):
        starts = rng.random((runs, LOOKS)) < 1 / LOOKS
        touched = 0.5 * starts + np.roll(starts, 1, axis=1) + 0.5 * np.roll(starts, 2, axis=1)
        failing += np.minimum(touched, 1) / tasks
    return rate + 0.5 * failing


def _minutes(each: Grid) -> Grid:
    return each.reshape(len(each), -1, MINUTE).sum(axis=2)
