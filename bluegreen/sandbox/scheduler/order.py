"""The order of a task's containers, and what their health makes of the task. Pure.

Sources: ECS developer guide, "Container dependency", "startTimeout", "Container health checks"; Docker's HEALTHCHECK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bluegreen.sandbox.scheduler.definition import Condition, ContainerSpec, Dependency, HealthCheck


class Status(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class Health(StrEnum):
    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"


@dataclass(frozen=True, slots=True)
class State:
    """``started`` is the clock's monotonic seconds; None for a container that was never started."""

    status: Status = Status.PENDING
    health: Health = Health.UNKNOWN
    exit_code: int | None = None
    started: float | None = None
    failed_checks: int = 0


def startable(specs: Sequence[ContainerSpec], states: Mapping[str, State]) -> list[str]:
    return [
        spec.name
        for spec in specs
        if states[spec.name].status is Status.PENDING
        and all(_is_met(item, states[item.container]) for item in spec.depends_on)
    ]


def dead_end(specs: Sequence[ContainerSpec], states: Mapping[str, State], now: float) -> str | None:
    """Why a container that still waits can never start; None while there is hope."""
    timeouts = {spec.name: spec.start_timeout for spec in specs}
    for spec in specs:
        if states[spec.name].status is not Status.PENDING:
            continue
        for item in spec.depends_on:
            reason = _why_never(item, states[item.container], timeouts[item.container], now)
            if reason:
                return f"Container {spec.name} cannot start: its dependency {item.container} {reason}"
    return None


def stoppable(specs: Sequence[ContainerSpec], states: Mapping[str, State]) -> list[str]:
    """Running containers that no running container depends on: ECS stops in the reverse order of the start."""
    running = {name for name, state in states.items() if state.status is Status.RUNNING}
    needed = {item.container for spec in specs if spec.name in running for item in spec.depends_on}
    return [spec.name for spec in specs if spec.name in running - needed]


def failed_essential(specs: Sequence[ContainerSpec], states: Mapping[str, State]) -> str | None:
    return next((spec.name for spec in specs if spec.essential and states[spec.name].status is Status.STOPPED), None)


def task_health(specs: Sequence[ContainerSpec], states: Mapping[str, State]) -> Health:
    """UNHEALTHY when one essential container is; HEALTHY when all essential ones with a check are."""
    checked = [states[spec.name].health for spec in specs if spec.essential and spec.health_check]
    if Health.UNHEALTHY in checked:
        return Health.UNHEALTHY
    return Health.HEALTHY if checked and set(checked) == {Health.HEALTHY} else Health.UNKNOWN


def after_check(check: HealthCheck, state: State, *, passed: bool, now: float) -> State:
    """Failures within the start period do not count, unless the container was healthy before."""
    if passed:
        return replace(state, health=Health.HEALTHY, failed_checks=0)
    age = now - (now if state.started is None else state.started)
    if state.health is Health.UNKNOWN and age < check.start_period:
        return state
    failed = state.failed_checks + 1
    return replace(state, failed_checks=failed, health=Health.UNHEALTHY if failed >= check.retries else state.health)


# -- private


def _is_met(item: Dependency, state: State) -> bool:
    match item.condition:
        case Condition.START:
            return state.started is not None
        case Condition.COMPLETE:
            return state.status is Status.STOPPED
        case Condition.SUCCESS:
            return state.status is Status.STOPPED and state.exit_code == 0
        case Condition.HEALTHY:
            return state.status is Status.RUNNING and state.health is Health.HEALTHY


def _why_never(item: Dependency, state: State, timeout: float, now: float) -> str | None:
    if _is_met(item, state):
        return None
    if state.status is Status.STOPPED and item.condition is not Condition.START:
        return f"exited with code {state.exit_code} and never reached {item.condition}"
    if state.started is not None and now - state.started >= timeout:
        return f"did not reach {item.condition} within its startTimeout of {timeout:g} s"
    return None
