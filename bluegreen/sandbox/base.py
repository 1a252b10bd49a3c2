"""The seams between the sandbox's rooms: the API, the task scheduler, the load balancer, the nursery.

The emulator's own backends (in this process) are the one source of truth for what was *asked for*; the
scheduler and the balancer make it happen and say what they *saw*. They speak to each other only here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Settings:
    """What one sandbox is made of. ``subnet`` is N in 127.N.0.0/16: every sandbox has its own."""

    name: str
    folder: Path
    region: str
    subnet: int
    api_port: int

    @property
    def api_address(self) -> str:
        return f"127.{self.subnet}.0.1"

    def load_balancer_address(self, index: int) -> str:
        """``index`` counts load balancers from 0."""
        return f"127.{self.subnet}.1.{index + 1}"

    def task_address(self, index: int) -> str:
        """``index`` counts tasks from 0 and may be used again once a task is gone; up to 60,000."""
        return f"127.{self.subnet}.{16 + index // 250}.{1 + index % 250}"


@dataclass(frozen=True, slots=True)
class TargetState:
    """What DescribeTargetHealth answers for one target. ``state`` and ``reason`` are AWS's own words."""

    address: str
    port: int
    state: str
    reason: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ListenerAddress:
    load_balancer: str
    port: int
    url: str


@dataclass(frozen=True, slots=True)
class ContainerView:
    name: str
    image: str
    status: str
    health: str
    exit_code: int | None
    reason: str | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task as DescribeTasks should answer it. Stopped tasks stay visible: the last 200, for an hour.

    ``status`` is ECS's lastStatus, from PROVISIONING to STOPPED. Times are seconds since the epoch.
    ``stop_code`` is AWS's word: TaskFailedToStart, EssentialContainerExited, UserInitiated or
    ServiceSchedulerInitiated. ``health`` is HEALTHY, UNHEALTHY or UNKNOWN, from the essential containers' checks.
    """

    task_id: str
    arn: str
    cluster: str
    service: str | None
    task_set: str | None
    task_definition: str
    address: str
    status: str
    stopped_reason: str | None
    containers: tuple[ContainerView, ...]
    desired_status: str = "RUNNING"
    health: str = "UNKNOWN"
    stop_code: str | None = None
    started_by: str = ""
    group: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None


class Balancer(Protocol):
    """Follows moto's ELBv2 backend.

    The tag ``bluegreen:sandbox-interval`` of a target group (seconds, a float) overrides HealthCheckIntervalSeconds,
    which AWS keeps at five or more; on AWS the tag means nothing.
    """

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def reconcile(self) -> None:
        """Make the proxy follow the ELBv2 backend now; returns once it serves that (at most one second)."""
        ...

    def target_health(self, target_group_arn: str) -> Sequence[TargetState]: ...

    def is_draining(self, target_group_arn: str, address: str, port: int) -> bool:
        """True from deregistration until the deregistration delay is over, or no request is left in flight."""
        ...

    def listeners(self) -> Sequence[ListenerAddress]: ...


class Scheduler(Protocol):
    """Follows moto's ECS backend.

    Read from a service object beyond what moto keeps itself (a missing one has ECS's default):
    ``health_check_grace_period_seconds`` (int, 0), ``deployment_configuration`` (the API's own dict:
    minimumHealthyPercent 100, maximumPercent 200). A changed ``task_definition`` or ``deployments[0]["id"]``
    (forceNewDeployment) replaces every task, so a change of the desired count must keep that id.
    Written to a service object: ``events`` (newest first, at most 100), and in ``deployments[0]``
    ``failedTasks``, ``rolloutState`` and ``rolloutStateReason``. Tasks in ``backend.tasks`` are RunTask's; those whose
    ``started_by`` is the account (moto makes them for a task set) are ignored.
    """

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def wake(self) -> None:
        """The ECS backend changed: look again now. Returns at once."""
        ...

    def tasks(self) -> Sequence[TaskView]: ...

    def stop_task(self, task_id: str, reason: str) -> None:
        """What StopTask asks for: deregister, drain, SIGTERM, and SIGKILL after stopTimeout.

        Returns once ``tasks`` shows it.
        """
        ...

    def kill(self, task_id: str) -> None:
        """A dead target on request: SIGKILL to every container of the task."""
        ...

    def logs(self, *, service: str | None = None, task_id: str | None = None, lines: int = 100) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process the nursery started. ``pid`` is also its process group."""

    pid: int


class Nursery(Protocol):
    """Starts every child of the sandbox, so that all of them die with it, even by ``kill -9``."""

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        folder: Path | None = None,
    ) -> Spawned:
        """Start ``command`` in a new session, stdout and stderr appended to ``output``.

        Raises FileNotFoundError or PermissionError when it cannot be executed.
        """
        ...

    def signal(self, pid: int, number: int) -> None:
        """Signal the whole process group; a process that is gone is no error."""
        ...

    def exit_code(self, pid: int) -> int | None:
        """None while it runs; the exit code, or 128 + N when signal N ended it (ECS reports 137 for SIGKILL)."""
        ...

    def stop(self) -> None:
        """Kill every child and grandchild and remove the sandbox's folder; returns once both are gone."""
        ...
