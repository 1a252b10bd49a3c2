"""Services and task sets: compare what they want with their tasks, start, stop, back off, and tell it in events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bluegreen.clock import Clock
from bluegreen.sandbox.scheduler.desired import Unit
from bluegreen.sandbox.scheduler.events import ServiceEvents
from bluegreen.sandbox.scheduler.order import Health
from bluegreen.sandbox.scheduler.plan import (
    SHORT_LIFE_SECONDS,
    Actual,
    Decision,
    Stage,
    Throttle,
    after_failure,
    decide,
)
from bluegreen.sandbox.scheduler.task import ACTIVE_STATUSES, BY_SCHEDULER, ESSENTIAL_EXITED, FAILED_TO_START, Task

_WARN_AFTER_FAILURES = 3
_STEADY_SECONDS = 1.0
_BY_ITSELF = frozenset({FAILED_TO_START, ESSENTIAL_EXITED})


@dataclass(slots=True)
class Memory:
    """What is remembered of one unit from pass to pass."""

    throttle: Throttle = field(default_factory=Throttle)
    steady: bool = False
    failed_tasks: int = 0
    mourned: set[str] = field(default_factory=set)
    warned: str = ""


class Services:
    def __init__(self, clock: Clock, start_task: Callable[[Unit], Task]) -> None:
        self._clock = clock
        self._start_task = start_task
        self._events = ServiceEvents(clock)
        self._memories: dict[str, Memory] = {}

    def follow(self, units: Mapping[str, Unit], tasks: Sequence[Task]) -> bool:
        """True when a task was started or stopped."""
        self._abandon(units, [task for task in tasks if task.origin.owner])
        owned: dict[str, list[Task]] = {key: [] for key in units}
        for task in tasks:
            if task.origin.owner in owned:
                owned[task.origin.owner].append(task)
        changed = [self._follow_unit(unit, owned[key]) for key, unit in units.items()]
        return any(changed)

    # -- private

    def _abandon(self, units: Mapping[str, Unit], tasks: Sequence[Task]) -> None:
        """The tasks of a service or task set that was deleted drain away."""
        for task in tasks:
            if task.origin.owner not in units:
                task.request_stop(BY_SCHEDULER, "Scaling activity initiated by (deleted service or task set)")
                task.news.clear()
        self._memories = {key: memory for key, memory in self._memories.items() if key in units}

    def _follow_unit(self, unit: Unit, tasks: list[Task]) -> bool:
        memory = self._memories.setdefault(unit.key, Memory())
        if memory.throttle.revision != unit.wanted.revision:
            memory.throttle = Throttle(unit.wanted.revision)
            memory.failed_tasks, memory.warned = 0, ""
        self._mourn(unit, memory, tasks)
        self._stop_unhealthy(unit, tasks)
        actual = [_actual(task) for task in tasks if task.status != "STOPPED"]
        decision = decide(unit.wanted, actual)
        stopped = self._stop(unit, tasks, decision)
        started = self._start(unit, memory, decision)
        self._tell(unit, memory, [*tasks, *started])
        return bool(started or stopped)

    def _mourn(self, unit: Unit, memory: Memory, tasks: Sequence[Task]) -> None:
        """Tasks that ended by themselves: count those that hardly lived, and be patient with the next ones."""
        now = self._clock.monotonic()
        for task in tasks:
            if task.desired_status != "STOPPED" or task.id in memory.mourned:
                continue
            memory.mourned.add(task.id)
            if task.stop_code not in _BY_ITSELF or task.origin.revision != unit.wanted.revision:
                continue
            memory.failed_tasks += 1
            self._events.failed_tasks(unit.service, memory.failed_tasks)
            if task.running_since is None or now - task.running_since < SHORT_LIFE_SECONDS:
                memory.throttle = after_failure(memory.throttle, unit.wanted.revision, task.created, now)
        memory.mourned &= {task.id for task in tasks}
        if memory.throttle.failures and any(_has_lived(task, unit, now) for task in tasks):
            memory.throttle = Throttle(unit.wanted.revision)

    def _stop_unhealthy(self, unit: Unit, tasks: Sequence[Task]) -> None:
        now = self._clock.monotonic()
        for task in tasks:
            if task.status != "RUNNING" or task.running_since is None:
                continue
            if task.health is Health.UNHEALTHY:
                self._events.add(unit.service, f"(task {task.id}) failed container health checks.")
                task.request_stop(BY_SCHEDULER, "Task failed container health checks")
            elif now - task.running_since >= unit.grace and (attachment := task.unhealthy_attachment()):
                where = f"(target-group {attachment.target_group})"
                why = f"(reason {task.check_result(attachment)})"
                self._events.add(
                    unit.service, f"(task {task.id}) (port {attachment.port}) is unhealthy in {where} due to {why}."
                )
                task.request_stop(BY_SCHEDULER, f"Task failed ELB health checks in {where}")

    def _stop(self, unit: Unit, tasks: Sequence[Task], decision: Decision) -> list[str]:
        by_id = {task.id: task for task in tasks}
        for task_id in decision.stop:
            reason = f"Scaling activity initiated by (deployment {unit.origin.deployment})"
            by_id[task_id].request_stop(BY_SCHEDULER, reason)
        if decision.stop:
            self._events.stopped(unit.service, decision.stop)
        return list(decision.stop)

    def _start(self, unit: Unit, memory: Memory, decision: Decision) -> list[Task]:
        if not decision.start or not memory.throttle.allows(self._clock.monotonic()):
            return []
        if unit.error:
            self._warn(unit, memory, f"was unable to place a task. Reason: {unit.error}.")
            return []
        started = [self._start_task(unit) for _ in range(decision.start)]
        self._events.started(unit.service, [task.id for task in started])
        return started

    def _tell(self, unit: Unit, memory: Memory, tasks: Sequence[Task]) -> None:
        for (what, where), count in Counter(news for task in tasks for news in task.news).items():
            self._events.add(unit.service, f"{what} {count} {where}")
        for task in tasks:
            task.news.clear()
        if memory.throttle.failures >= _WARN_AFTER_FAILURES:
            self._warn(unit, memory, "is unable to consistently start tasks successfully.")
        steady = _is_steady(unit, tasks, self._clock.monotonic())
        if steady and not memory.steady:
            self._events.rollout(unit.service, completed=True)
            self._events.add(unit.service, "has reached a steady state.")
        elif any(task.origin.revision != unit.wanted.revision for task in tasks if task.status in ACTIVE_STATUSES):
            self._events.rollout(unit.service, completed=False)
        memory.steady = steady

    def _warn(self, unit: Unit, memory: Memory, message: str) -> None:
        if memory.warned != message:
            memory.warned = message
            self._events.add(unit.service, message)


def _actual(task: Task) -> Actual:
    if task.status not in ACTIVE_STATUSES:
        stage = Stage.STOPPING
    else:
        stage = Stage.RUNNING if task.status == "RUNNING" else Stage.STARTING
    return Actual(task.id, task.origin.revision, stage, task.serves(), task.created)


def _has_lived(task: Task, unit: Unit, now: float) -> bool:
    return (
        task.status == "RUNNING"
        and task.origin.revision == unit.wanted.revision
        and task.running_since is not None
        and now - task.running_since >= SHORT_LIFE_SECONDS
    )


def _is_steady(unit: Unit, tasks: Sequence[Task], now: float) -> bool:
    """As ECS has it: all run, and did not only just begin to. A target that is still ``initial`` is no obstacle."""
    there = [task for task in tasks if task.status != "STOPPED"]
    return len(there) == unit.wanted.count and all(
        task.origin.revision == unit.wanted.revision
        and task.status == "RUNNING"
        and task.running_since is not None
        and now - task.running_since >= _STEADY_SECONDS
        and task.unhealthy_attachment() is None
        for task in there
    )
