"""A canary that is slower: p99 ×1.5, against the same rules on each minute's p99.

Latencies are log-normal (p99 300 ms, sigma 0.6) and counted in the buckets of bluegreen.analysis; green's are all
half as long again. The others' p99 is read from finer counts than a load balancer's users have: the same buckets,
interpolated, of every single request.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bluegreen.analysis import SECONDS, TAIL, Levels
from bluegreen.analysis.counts import Histogram
from bluegreen.analysis.latency import slow_bound
from scripts.benchmarks.canary.judge import Floats, Panel
from scripts.benchmarks.canary.rivals import RULES
from scripts.benchmarks.canary.traffic import LOOK, LOOKS, MINUTE, SHARE

P99, SIGMA, SLOWER = 0.3, 0.6, 1.5
BOUNDS = np.array([each for each in SECONDS if 0.1 < each < 3.0])
SLOW_ALPHA = 0.01


def tails(rps: float, runs: int) -> dict[str, Any]:
    """Every rule, set to equal false-abort rates on healthy runs; seconds until the slow green is caught."""
    from scripts.benchmarks.canary.study import OURS, calibrated, first_above, summary

    found = _scores(rps, runs, 1.0, "calibrate")
    thresholds = {name: calibrated(score[:, -1], SLOW_ALPHA) for name, score in found.items()}
    again, slow = _scores(rps, runs, 1.0, "evaluate"), _scores(rps, runs, SLOWER, "slow")
    green = np.full((1, LOOKS), rps * SHARE * LOOK)
    return {
        "rps": rps,
        "nominal": float((again[OURS][:, -1] >= -math.log(SLOW_ALPHA)).mean()),
        "usual": summary(first_above(slow[OURS], -math.log(SLOW_ALPHA)), green),
        "rules": {
            name: {
                "healthy": float((again[name][:, -1] > thresholds[name]).mean()),
                **summary(first_above(slow[name], thresholds[name]), green),
            }
            for name in found
        },
    }


# Private


def _scores(rps: float, runs: int, slower: float, name: str) -> dict[str, Floats]:
    from scripts.benchmarks.canary.study import OURS

    random = np.random.default_rng(zlib.crc32(repr((name, rps, slower)).encode()))
    panel = Panel(runs, TAIL, Levels())
    worse, p99 = np.zeros((runs, LOOKS)), np.full((2, runs, LOOKS // MINUTE), np.nan)
    learned = np.zeros((runs, len(BOUNDS) + 1), dtype=np.int64)
    minute = np.zeros((2, *learned.shape), dtype=np.int64)
    for at in range(LOOKS):
        green = random.multinomial(random.poisson(rps * LOOK * SHARE, runs), _buckets(slower))
        blue = random.multinomial(random.poisson(rps * LOOK * (1 - SHARE), runs), _buckets(1.0))
        panel.see(_seen(green, blue, learned))
        worse[:, at] = panel.worse.peak
        learned += blue
        minute += (green, blue)
        if at % MINUTE == MINUTE - 1:
            p99[:, :, at // MINUTE] = _p99(minute)
            minute[:] = 0
    return {OURS: worse, **{rule.name: rule.score(p99[0], p99[1]) for rule in RULES}}


def _buckets(slower: float) -> Floats:
    """The chance of each bucket."""
    location = math.log(P99) - 2.3263 * SIGMA + math.log(slower)
    below = [0.5 * math.erfc(-(math.log(bound) - location) / SIGMA / math.sqrt(2)) for bound in BOUNDS]
    return np.diff(np.array([0.0, *below, 1.0]))


def _seen(green: NDArray[np.int64], blue: NDArray[np.int64], learned: NDArray[np.int64]) -> tuple[Floats, ...]:
    """Counts above the threshold that the earlier looks gave; nothing where they gave none."""
    at, known = _slow_bounds(learned)
    above = np.arange(len(BOUNDS) + 1) > at[:, None]
    pairs = ((side.sum(axis=1), (side * above).sum(axis=1)) for side in (green, blue))
    return tuple(np.where(known, each, 0).astype(float) for pair in pairs for each in pair)


def _slow_bounds(learned: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The place of ``slow_bound`` in BOUNDS for each run, and where there is one; two runs are asked of the library."""
    total = learned.sum(axis=1, keepdims=True)
    above = total - learned.cumsum(axis=1)[:, :-1]
    inside = (above > 0) & (above < total) & (total * 0.01 >= 2 - 1e-9)
    distance = np.where(inside, np.abs(np.log(np.maximum(above, 1) / np.maximum(total, 1) / 0.01)), np.inf)
    at, known = distance.argmin(axis=1), inside.any(axis=1)
    for run in (0, len(learned) - 1):
        told = slow_bound(Histogram(tuple(BOUNDS), tuple(learned[run].tolist())), 0.99)
        if told != (BOUNDS[at[run]] if known[run] else None):
            raise RuntimeError(f"the library takes {told} s as threshold, the arrays {BOUNDS[at[run]]} s")
    return at, known


def _p99(minute: NDArray[np.int64]) -> Floats:
    """Of each side and run, interpolated within its bucket; NaN without requests."""
    total = minute.sum(axis=2)
    wanted = 0.99 * total
    below = minute.cumsum(axis=2)
    at = (below >= wanted[:, :, None]).argmax(axis=2)
    edges = np.concatenate([[0.0], BOUNDS, [3.0]])
    inside = np.take_along_axis(minute, at[:, :, None], 2)[:, :, 0]
    before = np.take_along_axis(below, at[:, :, None], 2)[:, :, 0] - inside
    part = (wanted - before) / np.maximum(inside, 1)
    return np.where(total > 0, edges[at] + part * (edges[at + 1] - edges[at]), np.nan)
