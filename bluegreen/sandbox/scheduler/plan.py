"""How many tasks to start and which to stop: ECS's service scheduler as pure decisions.

Rolling update and scale-in: ECS developer guide, "Amazon ECS task scheduling" and "Rolling update". Back-off: "Service
throttle logic"; AWS waits up to 27 minutes between attempts, the sandbox up to one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

SHORT_LIFE_SECONDS = 10.0
"""A task that ended by itself sooner than this after RUNNING counts as one that failed to start."""

_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0


class Stage(Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Wanted:
    """``revision`` is whatever makes tasks interchangeable; percentages are of ``count``."""

    count: int
    revision: str
    minimum_percent: int = 100
    maximum_percent: int = 200


@dataclass(frozen=True, slots=True)
class Actual:
    """``healthy``: running, and healthy in its target groups and by its containers' checks."""

    task_id: str
    revision: str
    stage: Stage
    healthy: bool
    created: float


@dataclass(frozen=True, slots=True)
class Decision:
    start: int = 0
    stop: tuple[str, ...] = ()


def decide(wanted: Wanted, actual: Sequence[Actual]) -> Decision:
    """One step towards ``wanted``. Repeating it with what it led to converges."""
    live = [task for task in actual if task.stage is not Stage.STOPPING]
    current = [task for task in live if task.revision == wanted.revision]
    old = [task for task in live if task.revision != wanted.revision]
    surplus = _least_valued_first(current)[: max(0, len(current) - wanted.count)]
    start = max(0, wanted.count - len(current))
    if not old:
        return Decision(start, tuple(task.task_id for task in surplus))
    ceiling = wanted.count * wanted.maximum_percent // 100
    retired = _retire(old, current, math.ceil(wanted.count * wanted.minimum_percent / 100))
    start = min(start, max(0, ceiling - len(live)))
    return Decision(start, tuple(task.task_id for task in [*retired, *surplus]))


def percent_of(count: int, percent: float) -> int:
    """A task set's computed desired count: always rounded up."""
    return math.ceil(round(count * percent / 100, 6))


@dataclass(frozen=True, slots=True)
class Throttle:
    """How patiently a service that keeps failing is started again. Times are the clock's monotonic seconds."""

    revision: str = ""
    failures: int = 0
    not_before: float = float("-inf")

    def allows(self, now: float) -> bool:
        return now >= self.not_before


def after_failure(throttle: Throttle, revision: str, created: float, now: float) -> Throttle:
    """Tasks that were started together and fail together are one failure."""
    if throttle.revision != revision:
        throttle = Throttle(revision)
    if created < throttle.not_before:
        return throttle
    failures = throttle.failures + 1
    return replace(throttle, failures=failures, not_before=now + back_off(failures))


def back_off(failures: int) -> float:
    """Seconds until the next attempt: 1, 2, 4 … 60."""
    return float(min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(failures - 1, 16)))


# -- private


def _retire(old: Sequence[Actual], current: Sequence[Actual], least_healthy: int) -> list[Actual]:
    """Old tasks that serve nobody go at once; healthy ones only as far as enough others are healthy."""
    useless = [task for task in old if not task.healthy]
    healthy = [task for task in old if task.healthy]
    spare = sum(task.healthy for task in [*old, *current]) - least_healthy
    return useless + _least_valued_first(healthy)[: max(0, spare)]


def _least_valued_first(tasks: Sequence[Actual]) -> list[Actual]:
    order = {Stage.STARTING: 0, Stage.RUNNING: 1}
    return sorted(tasks, key=lambda task: (task.healthy, order[task.stage], -task.created))
