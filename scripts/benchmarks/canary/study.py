"""The cells of the study: what each rule does in each world. Every cell has its own seed and can be repeated."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bluegreen.analysis.comparison import Levels, Limits
from scripts.benchmarks.canary import latency, promotion
from scripts.benchmarks.canary.judge import Floats, check, judged, limits_of
from scripts.benchmarks.canary.rivals import RULES, Rule, rates
from scripts.benchmarks.canary.traffic import LOOK, Counted, World, hour

OURS = "bluegreen's verdict"
MINUTES = "the same, minute values"
"""The verdict fed once a minute, as a source with one-minute values does: what its lead owes to looking often."""

ALPHA = 0.01
"""The false-abort rate to which every rule is set."""

INTERVALS = (1, 2, 3)
"""How many must speak against green, in the table of false aborts; the usual two everywhere else."""

ONSET = 360
BAD = {
    "×2": {"factor": 2.0},
    "×5": {"factor": 5.0},
    "+1 point": {"plus": 0.01},
    "×5 after 30 min": {"factor": 5.0, "onset": ONSET},
}
WEATHERS = ("flat", "wave", "bursts", "doubled", "incidents")
BOUND = limits_of(relative=0.5, absolute=0.0)
"""The margin is relative alone here: with the usual absolute tenth of a point, twice 0.1% would lie within it."""


@dataclass(frozen=True)
class Size:
    healthy: int
    bad: int


def run(size: Size, workers: int) -> dict[str, Any]:
    """The whole study, JSON-ready."""
    hard = [(rps, base, size) for rps in (1000, 100, 10) for base in (0.01, 0.001)]
    slow = [(rps, size.bad) for rps in (1000, 100, 10)]
    flat = [World(rps, base) for rps in (1, 10, 100, 1000) for base in (0.01, 0.001)]
    storms = [World(rps, 0.01, weather=each) for each in WEATHERS[1:] for rps in (1, 10, 100, 1000)]
    with ProcessPoolExecutor(workers) as pool:
        caught = [pool.submit(errors, *each) for each in hard]
        tails = [pool.submit(latency.tails, *each) for each in slow]
        nominal = [pool.submit(false_aborts, world, size.healthy) for world in (*flat, *storms)]
        ends = [pool.submit(promotion.promoted, *each, size.healthy) for each in promotion.CELLS]
        return {
            "runs": {"healthy": size.healthy, "bad": size.bad},
            "nominal": [each.result() for each in nominal],
            "errors": [each.result() for each in caught],
            "latency": [each.result() for each in tails],
            "promotion": [each.result() for each in ends],
            "silence": silence(),
        }


def false_aborts(world: World, runs: int) -> dict[str, Any]:
    """Of bluegreen's verdict, at its usual settings and against its nominal level."""
    counted = hour(world, runs, _random("nominal", world))
    aborted = {str(each): _aborted(judged(counted, Limits(), Levels(ALPHA, intervals=each))[0]) for each in INTERVALS}
    return {"rps": world.rps, "base": world.base, "weather": world.weather, "runs": runs, "aborted": aborted}


def errors(rps: float, base: float, size: Size) -> dict[str, Any]:
    """Every rule at equal false-abort rates and as it is usually set: healthy, bad, and in bad weather."""
    world = World(rps, base)
    counted = hour(world, size.healthy, _random("calibrate", world))
    for levels in (Levels(), Levels(intervals=1)):
        check(counted, BOUND, levels)
    found = scores(counted)
    thresholds = {name: calibrated(score[:, -1], ALPHA) for name, score in found.items()}
    usual = {**dict.fromkeys((OURS, MINUTES), -math.log(ALPHA)), **{rule.name: rule.usual(base) for rule in RULES}}
    again = hour(world, size.healthy, _random("evaluate", world))
    healthy = {"flat": _false(again, thresholds, usual)}
    for weather in WEATHERS[1:] if rps == 100 else ():
        stormy = replace(world, weather=weather)
        healthy[weather] = _false(hour(stormy, size.healthy, _random("storm", stormy)), thresholds, usual)
    bad = {}
    for name, fault in BAD.items():
        ill = replace(world, **fault)
        bad[name] = _times(hour(ill, size.bad, _random("bad", ill)), thresholds, usual, ill.onset)
    return {"rps": rps, "base": base, "thresholds": thresholds, "healthy": healthy, "bad": bad}


def scores(counted: Counted, enough: float = math.inf) -> dict[str, Floats]:
    """By rule; bluegreen's has a column for each look, the others' one for each minute."""
    found = {OURS: judged(counted, BOUND, enough=enough)[0]}
    minutes = counted.by_minute()
    found[MINUTES] = judged(minutes, BOUND, enough=enough)[0]
    green, blue = rates(minutes.green_hits, minutes.green), rates(minutes.blue_hits, minutes.blue)
    for rule in RULES:
        found[rule.name] = rule.score(green, blue)
    return found


def calibrated(ends: Floats, level: float) -> float:
    """The least threshold above which at most ``level`` of the healthy runs end."""
    return float(np.sort(ends)[::-1][int(level * len(ends))])


def first_above(score: Floats, threshold: float) -> Floats:
    """Seconds from the beginning to the first look above it; infinite where there is none."""
    above = score > threshold
    period = 3600 / score.shape[1]
    return np.where(above.any(axis=1), (above.argmax(axis=1) + 1) * period, np.inf)


def summary(seconds: Floats, green: Floats | None, onset: int = 0) -> dict[str, Any]:
    """``seconds`` to the abort of each run. Runs that aborted before the fault began are left out."""
    late = seconds > onset * LOOK
    since = seconds[late] - onset * LOOK
    median = float(np.median(since)) if len(since) else math.inf
    found: dict[str, Any] = {"caught": float(np.isfinite(since).mean()) if len(since) else None, "seconds": median}
    if green is not None and math.isfinite(median):
        arrived = green.cumsum(axis=1).mean(axis=0)
        found["requests"] = float(arrived[int(onset + median / LOOK) - 1] - (arrived[onset - 1] if onset else 0))
    if not math.isfinite(median):
        found["seconds"] = None
    return found


def silence() -> dict[str, str]:
    """What each rule makes of an hour without a single request; bluegreen's is asked, not told."""
    from bluegreen.analysis import Interval, Settings, Side, State, update, verdict

    state, settings = State(), Settings()
    for _ in range(720):
        state = update(state, Interval(Side(0), Side(0)), settings)
    answers = {OURS: f"{verdict(state, settings).kind}: {verdict(state, settings).reason}"}
    nothing = np.full((1, 60), np.nan)
    for rule in RULES:
        score = rule.score(_told(nothing, rule), nothing)
        answers[rule.name] = "aborts" if np.isfinite(first_above(score, rule.usual(0.01)))[0] else "passes in silence"
    return answers


# Private


def _random(*name: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(name).encode()))


def _told(green: Floats, rule: Rule) -> Floats:
    return np.nan_to_num(green, nan=1.0) if rule.no_data_fails else green


def _aborted(worse: Floats) -> float:
    return float((worse[:, -1] >= -math.log(ALPHA)).mean())


def _false(counted: Counted, thresholds: dict[str, float], usual: dict[str, float]) -> dict[str, Any]:
    equal, told = scores(counted), scores_as_told(counted)
    return {
        name: {
            "equal": float((equal[name][:, -1] > thresholds[name]).mean()),
            "usual": float((told.get(name, equal[name])[:, -1] > usual[name]).mean()),
        }
        for name in equal
    }


def scores_as_told(counted: Counted) -> dict[str, Floats]:
    """Of the rules for which a minute without data is a failed check, as their users run them."""
    minutes = counted.by_minute()
    green, blue = rates(minutes.green_hits, minutes.green), rates(minutes.blue_hits, minutes.blue)
    return {rule.name: rule.score(_told(green, rule), blue) for rule in RULES if rule.no_data_fails}


def _times(counted: Counted, thresholds: dict[str, float], usual: dict[str, float], onset: int) -> dict[str, Any]:
    enough = max(usual[OURS], thresholds[OURS], thresholds[MINUTES])
    equal, told = scores(counted, enough=enough), scores_as_told(counted)
    green = counted.green.astype(float)
    return {
        name: {
            "equal": summary(first_above(equal[name], thresholds[name]), green, onset),
            "usual": summary(first_above(told.get(name, equal[name]), usual[name]), green, onset),
        }
        for name in equal
    }


def names() -> Iterable[str]:
    return (OURS, MINUTES, *(rule.name for rule in RULES))
