"""One task, from PROVISIONING to STOPPED: each ``step`` looks, and does what is due. It never waits.

Source: ECS developer guide, "Task lifecycle states" and "Stopped task error messages".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.clock import Clock
from bluegreen.sandbox.base import ACCOUNT, Nursery, Settings, TaskView
from bluegreen.sandbox.scheduler.awslogs import AwsLogs, LogsUnavailableError
from bluegreen.sandbox.scheduler.container import Container
from bluegreen.sandbox.scheduler.definition import ContainerSpec, pull_error
from bluegreen.sandbox.scheduler.order import (
    Health,
    State,
    Status,
    dead_end,
    failed_essential,
    startable,
    stoppable,
    task_health,
)
from bluegreen.sandbox.scheduler.secrets import SecretMissingError
from bluegreen.sandbox.scheduler.targets import Attachment, Targets

FAILED_TO_START = "TaskFailedToStart"
ESSENTIAL_EXITED = "EssentialContainerExited"
BY_USER = "UserInitiated"
BY_SCHEDULER = "ServiceSchedulerInitiated"
ACTIVE_STATUSES = frozenset({"PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"})


@dataclass(frozen=True, slots=True)
class Ground:
    """What every task stands on. ``environment`` is what every container gets."""

    settings: Settings
    nursery: Nursery
    clock: Clock
    targets: Targets
    logs: AwsLogs
    resolve_secret: Callable[[str], str]
    environment: Mapping[str, str]
    metadata_uri: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wants the task. ``owner`` is the unit's key, empty for RunTask's; ``slot`` is a target group's name."""

    cluster: str
    task_definition: str
    owner: str = ""
    service: str | None = None
    task_set: str | None = None
    revision: str = ""
    deployment: str = ""
    group: str = ""
    slot: str = ""
    attachments: tuple[Attachment, ...] = ()


class Task:
    """``news`` waits to become events of its service: what was done, and to what, without the count."""

    def __init__(
        self,
        ground: Ground,
        origin: Origin,
        specs: tuple[ContainerSpec, ...],
        address: str,
        task_id: str | None = None,
        started_by: str = "",
    ) -> None:
        self.id = task_id or uuid.uuid4().hex
        self.origin = origin
        self.address = address
        self.status = "PROVISIONING"
        self.desired_status = "RUNNING"
        self.stopped_reason: str | None = None
        self.stop_code: str | None = None
        self.created = ground.clock.monotonic()
        self.running_since: float | None = None
        self.news: list[tuple[str, str]] = []
        self.folder = ground.settings.folder / "logs" / self.id
        self._ground = ground
        self._specs = specs
        self._started_by = started_by
        self._attached: list[Attachment] = []
        self._dead = False
        self._secrets: dict[str, dict[str, str]] = {}
        self._created_at = ground.clock.now()
        self._started_at: float | None = None
        self._stopping_at: float | None = None
        self._stopped_at: float | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._containers = {spec.name: Container(spec, ground.nursery, self.log_file(spec.name)) for spec in specs}

    @property
    def arn(self) -> str:
        region = self._ground.settings.region
        return f"arn:aws:ecs:{region}:{ACCOUNT}:task/{self.origin.cluster}/{self.id}"

    @property
    def is_settled(self) -> bool:
        """Nothing is due but to look whether its containers still run."""
        return self.status in ("RUNNING", "STOPPED")

    @property
    def health(self) -> Health:
        return task_health(self._specs, self._states())

    @property
    def container_names(self) -> tuple[str, ...]:
        return tuple(self._containers)

    def log_file(self, container: str) -> Path:
        return self.folder / f"{container}.log"

    def step(self) -> None:
        now = self._ground.clock.monotonic()
        for container in self._containers.values():
            container.poll(now)
        before = None
        while before != self.status:
            before = self.status
            _STEPS[self.status](self, now)

    def request_stop(self, code: str, reason: str) -> None:
        """Deregister, drain, SIGTERM, SIGKILL. The first reason stays."""
        if self.desired_status == "STOPPED":
            return
        self.desired_status = "STOPPED"
        self.stop_code, self.stopped_reason = code, reason
        self._stopping_at = self._ground.clock.now()
        if self.status in ACTIVE_STATUSES:
            self._detach()
            self.status = "DEACTIVATING"

    def kill(self) -> None:
        for container in self._containers.values():
            container.kill()

    def serves(self) -> bool:
        """Running, and healthy in all of its target groups and by its containers' checks."""
        checked = any(spec.essential and spec.health_check for spec in self._specs)
        return (
            self.status == "RUNNING"
            and self.health is (Health.HEALTHY if checked else Health.UNKNOWN)
            and all(self._ground.targets.serves(item, self.address) for item in self._attached)
        )

    def unhealthy_attachment(self) -> Attachment | None:
        states = ((item, self._ground.targets.state(item, self.address)) for item in self._attached)
        return next((item for item, state in states if state == "unhealthy"), None)

    def check_result(self, attachment: Attachment) -> str:
        return self._ground.targets.description(attachment, self.address)

    def view(self) -> TaskView:
        return TaskView(
            task_id=self.id,
            arn=self.arn,
            cluster=self.origin.cluster,
            service=self.origin.service,
            task_set=self.origin.task_set,
            task_definition=self.origin.task_definition,
            address=self.address,
            status=self.status,
            stopped_reason=self.stopped_reason,
            containers=tuple(container.view() for container in self._containers.values()),
            desired_status=self.desired_status,
            health=str(self.health),
            stop_code=self.stop_code,
            started_by=self._started_by or self.origin.deployment,
            group=self.origin.group,
            created_at=self._created_at,
            started_at=self._started_at,
            stopping_at=self._stopping_at,
            stopped_at=self._stopped_at,
        )

    # -- private: one method for each status

    def _provision(self, _now: float) -> None:
        self.status = "PENDING"
        for container in self._containers.values():
            error = pull_error(container.spec.image)
            if error:
                container.reason = error
                self._fail(FAILED_TO_START, error)
                return
        self._pull_secrets()
        if self.desired_status == "RUNNING":
            self._open_logs()

    def _pend(self, now: float) -> None:
        started = True
        while started and not self._has_failed(now):
            names = startable(self._specs, self._states())
            for name in names:
                self._containers[name].start(self._environment(self._containers[name].spec), now)
            started = bool(names)
        if self.status == "PENDING" and all(state.started is not None for state in self._states().values()):
            self.status = "ACTIVATING"

    def _activate(self, now: float) -> None:
        if self._has_failed(now):
            return
        self.status = "RUNNING"
        self.running_since = now
        self._started_at = self._ground.clock.now()
        for item in self.origin.attachments:
            self._attach(item)

    def _run(self, now: float) -> None:
        self._has_failed(now)

    def _deactivate(self, _now: float) -> None:
        # A container that dies meanwhile leaves nothing to drain.
        dead = self._dead or failed_essential(self._specs, self._states()) is not None
        if dead or not any(self._ground.targets.is_draining(item, self.address) for item in self._attached):
            self.status = "STOPPING"

    def _stop(self, now: float) -> None:
        for container in self._containers.values():
            container.never_start()
        for name in stoppable(self._specs, self._states()):
            self._containers[name].terminate(now)
        if all(state.status is Status.STOPPED for state in self._states().values()):
            self.status = "DEPROVISIONING"

    def _deprovision(self, _now: float) -> None:
        self.status = "STOPPED"
        self._stopped_at = self._ground.clock.now()

    def _rest(self, _now: float) -> None:
        return

    # -- private: what they are made of

    def _has_failed(self, now: float) -> bool:
        states = self._states()
        name = failed_essential(self._specs, states)
        if name is not None:
            reason = self._containers[name].reason
            self._fail(FAILED_TO_START if reason else ESSENTIAL_EXITED, reason or "Essential container in task exited")
        elif states and all(state.status is Status.STOPPED for state in states.values()):
            self._fail(ESSENTIAL_EXITED, "All containers in task exited")
        elif self.status == "PENDING" and (hopeless := dead_end(self._specs, states, now)):
            self._fail(FAILED_TO_START, hopeless)
        return self.desired_status == "STOPPED"

    def _fail(self, code: str, reason: str) -> None:
        """A dead task leaves its target groups, but nobody waits for it to drain."""
        self._dead = True
        self.request_stop(code, reason)

    def _pull_secrets(self) -> None:
        for spec in self._specs:
            try:
                self._secrets[spec.name] = {
                    name: self._ground.resolve_secret(value_from) for name, value_from in spec.secrets
                }
            except SecretMissingError as error:
                self._fail(
                    FAILED_TO_START,
                    f"ResourceInitializationError: unable to pull secrets or registry auth: {error}",
                )
                return

    def _open_logs(self) -> None:
        for name, container in self._containers.items():
            if container.spec.log is None:
                continue
            try:
                container.log = self._ground.logs.open(container.spec.log, self.id, name, self.log_file(name))
            except LogsUnavailableError as error:
                self._fail(FAILED_TO_START, str(error))
                return

    def _attach(self, item: Attachment) -> None:
        reason = self._ground.targets.register(item, self.address)
        if reason is None:
            self._attached.append(item)
            self.news.append(("registered", f"targets in (target-group {item.target_group})"))
        else:
            where = f"targets in (target-group {item.target_group}) with (error {reason})"
            self.news.append(("failed to register", where))

    def _detach(self) -> None:
        for item in self._attached:
            self._ground.targets.deregister(item, self.address)
            self.news.append(("deregistered", f"targets in (target-group {item.target_group})"))
        if self._attached and not self._dead:
            self.news.append(("has begun draining connections on", "tasks."))

    def _states(self) -> dict[str, State]:
        return {name: container.state for name, container in self._containers.items()}

    def _environment(self, spec: ContainerSpec) -> dict[str, str]:
        names = {
            "IMAGE": spec.image,
            "TASK_ID": self.id,
            "SERVICE": self.origin.service or "",
            "CONTAINER": spec.name,
            "SLOT": self.origin.slot,
            "ADDRESS": self.address,
        }
        fixed = {
            **self._ground.environment,
            **{f"BLUEGREEN_{name}": value for name, value in names.items()},
            "BIND_ADDRESS": self.address,
            "HOST": self.address,
            "ECS_CONTAINER_METADATA_URI_V4": f"{self._ground.metadata_uri}/v4/{self.id}/{spec.name}",
        }
        if spec.ports:
            fixed["PORT"] = str(spec.ports[0])
        return {**fixed, **dict(spec.environment), **self._secrets.get(spec.name, {})}


_STEPS: dict[str, Callable[[Task, float], None]] = {
    "PROVISIONING": Task._provision,
    "PENDING": Task._pend,
    "ACTIVATING": Task._activate,
    "RUNNING": Task._run,
    "DEACTIVATING": Task._deactivate,
    "STOPPING": Task._stop,
    "DEPROVISIONING": Task._deprovision,
    "STOPPED": Task._rest,
}
