"""What the emulator's ECS backend asks for: units (services and task sets) that want tasks, and RunTask's tasks.

Reads under the API's threads without their lock, so every collection is copied before it is walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.backends import get_backend

from bluegreen.sandbox.base import ACCOUNT
from bluegreen.sandbox.scheduler.plan import Wanted, percent_of
from bluegreen.sandbox.scheduler.targets import Attachment
from bluegreen.sandbox.scheduler.task import Origin


@dataclass(frozen=True, slots=True)
class Unit:
    """A service, or a task set of one. ``service`` is moto's own object; ``grace`` is seconds.

    ``error`` says why no task can be started: the task definition is gone.
    """

    key: str
    wanted: Wanted
    origin: Origin
    grace: float
    service: Any
    containers: Sequence[Mapping[str, Any]] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Single:
    """One task of RunTask. ``stop_reason`` is what StopTask said, None while nobody called it."""

    task_id: str
    origin: Origin
    overrides: Mapping[str, Any]
    started_by: str
    containers: Sequence[Mapping[str, Any]] = ()
    error: str | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Desired:
    units: Mapping[str, Unit] = field(default_factory=dict)
    singles: Sequence[Single] = ()


def read_desired(region: str) -> Desired:
    backend: Any = get_backend("ecs")[ACCOUNT][region]
    active = [service for service in list(backend.services.values()) if service.status == "ACTIVE"]
    units = [unit for service in active for unit in _units(backend, service)]
    tasks = [task for tasks in list(backend.tasks.values()) for task in list(tasks.values())]
    singles = [_single(backend, task) for task in tasks if task.started_by != ACCOUNT]
    return Desired({unit.key: unit for unit in units}, singles)


# -- private


def _units(backend: Any, service: Any) -> list[Unit]:
    # A service that was deleted and made again under the same name is another one.
    key = f"{service.arn}#{id(service)}"
    if service.deployment_controller.get("type", "ECS") == "ECS":
        return [_service_unit(backend, service, key)]
    task_sets = list(service.task_sets)
    if service.task_definition and not task_sets and service.deployment_controller["type"] != "EXTERNAL":
        return [_service_unit(backend, service, key)]
    return [_task_set_unit(backend, service, task_set, key) for task_set in task_sets]


def _service_unit(backend: Any, service: Any, key: str) -> Unit:
    configuration = getattr(service, "deployment_configuration", None) or {}
    deployments = list(service.deployments or [])
    deployment = str(deployments[0]["id"]) if deployments else ""
    arn, containers, error = _definition(backend, service.task_definition)
    attachments = _attachments(service.load_balancers)
    wanted = Wanted(
        count=int(service.desired_count or 0),
        revision="|".join([arn, deployment, *map(repr, attachments)]),
        minimum_percent=int(configuration.get("minimumHealthyPercent", 100)),
        maximum_percent=int(configuration.get("maximumPercent", 200)),
    )
    origin = _origin(service, arn, key, wanted.revision, attachments, deployment, None)
    return Unit(key, wanted, origin, _grace(service), service, containers, error)


def _task_set_unit(backend: Any, service: Any, task_set: Any, service_key: str) -> Unit:
    key = f"{service_key}#{task_set.task_set_arn}"
    arn, containers, error = _definition(backend, task_set.task_definition)
    attachments = _attachments(task_set.load_balancers)
    count = percent_of(int(service.desired_count or 0), float(task_set.scale.get("value", 100)))
    wanted = Wanted(count=count, revision="|".join([arn, *map(repr, attachments)]))
    origin = _origin(service, arn, key, wanted.revision, attachments, task_set.id, task_set.task_set_arn)
    return Unit(key, wanted, origin, _grace(service), service, containers, error)


def _origin(
    service: Any,
    definition: str,
    key: str,
    revision: str,
    attachments: tuple[Attachment, ...],
    deployment: str,
    task_set: str | None,
) -> Origin:
    return Origin(
        cluster=service.cluster_name,
        task_definition=definition,
        owner=key,
        service=service.name,
        task_set=task_set,
        revision=revision,
        deployment=deployment,
        group=f"service:{service.name}",
        slot=_target_group_name(attachments[0].target_group) if attachments else service.name,
        attachments=attachments,
    )


def _single(backend: Any, task: Any) -> Single:
    arn, containers, error = _definition(backend, task.task_definition_arn)
    stopped = task.desired_status == "STOPPED"
    return Single(
        task_id=task.id,
        origin=Origin(cluster=task.cluster_name, task_definition=arn, group=task.group),
        overrides=task.overrides or {},
        started_by=task.started_by,
        containers=containers,
        error=error,
        stop_reason=(task.stopped_reason or "Task stopped by user") if stopped else None,
    )


def _definition(backend: Any, name: str | None) -> tuple[str, Sequence[Mapping[str, Any]], str | None]:
    try:
        definition = backend.describe_task_definition(name or "")
    except Exception:
        # moto's exceptions share no base class of their own; whatever it is, there is no such definition.
        return name or "", (), f"The task definition {name} does not exist"
    return definition.arn, list(definition.container_definitions), None


def _attachments(entries: Sequence[Mapping[str, Any]] | None) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(entry["targetGroupArn"], entry.get("containerName", ""), int(entry["containerPort"]))
        for entry in list(entries or [])
        if entry.get("targetGroupArn") and entry.get("containerPort")
    )


def _grace(service: Any) -> float:
    return float(getattr(service, "health_check_grace_period_seconds", None) or 0)


def _target_group_name(arn: str) -> str:
    return arn.rsplit("/", 2)[-2]
