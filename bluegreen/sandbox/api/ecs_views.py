"""ECS's answers as plain data: a service, a task set and a task as the API describes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from moto.ecs.models import Service, TaskDefinition, TaskSet

from bluegreen.sandbox.base import ContainerView, TaskView

_STARTING = {"PROVISIONING", "PENDING", "ACTIVATING"}
_DEPLOYMENT_DEFAULTS = {"maximumPercent": 200, "minimumHealthyPercent": 100}


def service_view(service: Service, tasks: Sequence[TaskView]) -> dict[str, Any]:
    """``tasks`` are those of the service's cluster. Counts are what runs, not what was asked for."""
    mine = [task for task in tasks if task.service == service.name]
    running, pending = counts(mine)
    return {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": _status(service, mine),
        "desiredCount": service.desired_count,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": service.launch_type,
        "platformVersion": service.platform_version,
        "platformFamily": "Linux" if service.launch_type == "FARGATE" else None,
        "taskDefinition": service.task_definition,
        "loadBalancers": service.load_balancers,
        "serviceRegistries": service.service_registries,
        "networkConfiguration": service.network_configuration or None,
        "healthCheckGracePeriodSeconds": _grace(service),
        "schedulingStrategy": service.scheduling_strategy,
        "deploymentController": service.deployment_controller,
        "deploymentConfiguration": {
            **_DEPLOYMENT_DEFAULTS,
            **(getattr(service, "deployment_configuration", None) or {}),
        },
        "deployments": _deployments(service, mine),
        "taskSets": [task_set_view(item, service.desired_count, mine) for item in service.task_sets],
        "events": list(service.events),
        "createdAt": getattr(service, "created_at", None),
        "roleArn": service.role_arn,
        "propagateTags": service.propagate_tags,
        "capacityProviderStrategy": getattr(service, "capacity_provider_strategy", None),
        "enableExecuteCommand": bool(getattr(service, "enable_execute_command", False)),
        "enableECSManagedTags": bool(getattr(service, "enable_ecs_managed_tags", False)),
        "placementConstraints": getattr(service, "placement_constraints", None) or [],
        "placementStrategy": getattr(service, "placement_strategy", None) or [],
        "tags": service.tags,
    }


def task_set_view(task_set: TaskSet, desired_count: int, tasks: Sequence[TaskView]) -> dict[str, Any]:
    mine = [task for task in tasks if task.task_set in {task_set.task_set_arn, task_set.id}]
    running, pending = counts(mine)
    wanted = computed_desired_count(task_set, desired_count)
    steady = running == wanted and not pending
    return {
        "id": task_set.id,
        "taskSetArn": task_set.task_set_arn,
        "serviceArn": task_set.service_arn,
        "clusterArn": task_set.cluster_arn,
        "externalId": task_set.external_id or None,
        "status": task_set.status,
        "taskDefinition": task_set.task_definition,
        "computedDesiredCount": wanted,
        "runningCount": running,
        "pendingCount": pending,
        "createdAt": task_set.createdAt,
        "updatedAt": task_set.updatedAt,
        "launchType": task_set.launch_type,
        "platformVersion": task_set.platform_version,
        "networkConfiguration": task_set.network_configuration,
        "loadBalancers": task_set.load_balancers,
        "serviceRegistries": task_set.service_registries,
        "scale": task_set.scale,
        "stabilityStatus": "STEADY_STATE" if steady else "STABILIZING",
        "stabilityStatusAt": task_set.stabilityStatusAt,
        "tags": task_set.tags,
    }


def computed_desired_count(task_set: TaskSet, desired_count: int) -> int:
    """ECS rounds a task set's share up (API reference, TaskSet.computedDesiredCount)."""
    share = float(task_set.scale.get("value", 100.0))
    return -int(-desired_count * share // 100)


def task_view(task: TaskView, definition: TaskDefinition) -> dict[str, Any]:
    return {
        "taskArn": task.arn,
        "clusterArn": _cluster_arn(task),
        "taskDefinitionArn": definition.arn,
        "lastStatus": task.status,
        "desiredStatus": task.desired_status,
        "healthStatus": task.health,
        "group": task.group or (f"service:{task.service}" if task.service else None),
        "startedBy": task.started_by or None,
        "launchType": "FARGATE" if "FARGATE" in (definition.requires_compatibilities or []) else "EC2",
        "cpu": definition.cpu,
        "memory": definition.memory,
        "createdAt": _moment(task.created_at),
        "startedAt": _moment(task.started_at),
        "stoppingAt": _moment(task.stopping_at),
        "stoppedAt": _moment(task.stopped_at),
        "stoppedReason": task.stopped_reason,
        "stopCode": task.stop_code,
        "attachments": [_interface(task)],
        "containers": [_container(task, container) for container in task.containers],
        "connectivity": "CONNECTED" if task.status == "RUNNING" else None,
    }


def counts(tasks: Sequence[TaskView]) -> tuple[int, int]:
    """Running and pending."""
    return sum(task.status == "RUNNING" for task in tasks), sum(task.status in _STARTING for task in tasks)


def _status(service: Service, tasks: Sequence[TaskView]) -> str:
    if service.status == "INACTIVE" and any(task.status != "STOPPED" for task in tasks):
        return "DRAINING"
    return str(service.status)


def _grace(service: Service) -> int | None:
    seconds = getattr(service, "health_check_grace_period_seconds", None)
    return int(seconds) if seconds is not None else (0 if service.load_balancers else None)


def _deployments(service: Service, tasks: Sequence[TaskView]) -> list[dict[str, Any]]:
    shown = []
    for place, deployment in enumerate(service.deployments):
        mine = [task for task in tasks if task.task_definition == deployment["taskDefinition"]]
        running, pending = counts(mine)
        primary = place == 0
        same = not primary and deployment["taskDefinition"] == service.task_definition
        if not primary and (same or not running + pending):
            continue
        view = {**deployment, "runningCount": running, "pendingCount": pending}
        view["desiredCount"] = service.desired_count if primary else 0
        view["networkConfiguration"] = deployment.get("networkConfiguration") or None
        shown.append(view)
    return shown


def _cluster_arn(task: TaskView) -> str:
    if task.cluster.startswith("arn:"):
        return task.cluster
    return f"{task.arn.split(':task/')[0]}:cluster/{task.cluster}"


def _interface(task: TaskView) -> dict[str, Any]:
    details = [{"name": "privateIPv4Address", "value": task.address}]
    status = "DELETED" if task.status == "STOPPED" else "ATTACHED"
    return {"id": f"eni-{task.task_id}", "type": "ElasticNetworkInterface", "status": status, "details": details}


def _container(task: TaskView, container: ContainerView) -> dict[str, Any]:
    return {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.name}",
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container.status,
        "healthStatus": container.health,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "runtimeId": str(container.pid) if container.pid is not None else None,
        "networkInterfaces": [{"attachmentId": f"eni-{task.task_id}", "privateIpv4Address": task.address}],
    }


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
