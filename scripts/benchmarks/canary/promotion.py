"""The other verdict: how soon a healthy canary is shown to be good enough, and how often a bad one is."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

from bluegreen.analysis.comparison import Levels, Limits
from scripts.benchmarks.canary.judge import judged
from scripts.benchmarks.canary.traffic import LOOK, World, hour

CELLS = tuple((rps, base) for rps in (10, 100, 1000) for base in (0.0, 0.001, 0.01))
BETA = 0.05


def promoted(rps: float, base: float, runs: int) -> dict[str, Any]:
    """At the usual settings: green as good as blue, and green exactly at the margin, where it should not be."""
    limits = Limits()
    edge = limits.margin.limit(base) - base
    found: dict[str, Any] = {"rps": rps, "base": base}
    for name, world in (("healthy", World(rps, base)), ("edge", World(rps, base, plus=edge))):
        counted = hour(world, runs, np.random.default_rng(zlib.crc32(repr(("promoted", world)).encode())))
        _, fine = judged(counted, limits, Levels(beta=BETA))
        above = fine >= -math.log(BETA)
        seconds = np.where(above.any(axis=1), (above.argmax(axis=1) + 1.0) * LOOK, np.inf)
        median = float(np.median(seconds))
        found[name] = {
            "share": float(above.any(axis=1).mean()),
            "seconds": median if math.isfinite(median) else None,
            "requests": median * rps * 0.05 if math.isfinite(median) else None,
        }
    return found
