"""What a sandbox is doing now: listeners, services, tasks and target groups, as `status -o json` prints them."""

from __future__ import annotations

from typing import Any

from moto.ecs.models import Service, ecs_backends
from moto.elbv2.models import elbv2_backends

from bluegreen.sandbox.api.ecs_views import counts
from bluegreen.sandbox.base import ACCOUNT, Balancer, ContainerView, Scheduler, Settings, TaskView


def describe(settings: Settings, scheduler: Scheduler, balancer: Balancer) -> dict[str, Any]:
    """Plain data, in a form that scripts may rely on (docs/sandbox.md)."""
    tasks = scheduler.tasks()
    return {
        "name": settings.name,
        "region": settings.region,
        "endpoint": f"http://{settings.api_address}:{settings.api_port}",
        "folder": str(settings.folder),
        "listeners": [
            {"load_balancer": item.load_balancer, "port": item.port, "url": item.url} for item in balancer.listeners()
        ],
        "services": [_service(service, tasks) for service in services(settings.region)],
        "tasks": [_task(task) for task in tasks],
        "target_groups": _target_groups(settings.region, balancer),
    }


def services(region: str) -> list[Service]:
    return [item for item in list(ecs_backends[ACCOUNT][region].services.values()) if item.status == "ACTIVE"]


def _service(service: Service, tasks: Any) -> dict[str, Any]:
    running, pending = counts([task for task in tasks if belongs(task, service)])
    return {
        "cluster": service.cluster_name,
        "service": service.name,
        "task_definition": (service.task_definition or "").split("/")[-1],
        "desired": service.desired_count,
        "running": running,
        "pending": pending,
        "target_groups": [
            item["targetGroupArn"].split("/")[1] for item in service.load_balancers if "targetGroupArn" in item
        ],
    }


def belongs(task: TaskView, service: Service) -> bool:
    return task.service == service.name and task.cluster.split("/")[-1] == service.cluster_name


def _task(task: TaskView) -> dict[str, Any]:
    return {
        "task": task.task_id,
        "cluster": task.cluster.split("/")[-1],
        "service": task.service,
        "task_set": task.task_set,
        "task_definition": task.task_definition.split("/")[-1],
        "address": task.address,
        "state": task.status,
        "stopped_reason": task.stopped_reason,
        "containers": [_container(item) for item in task.containers],
    }


def _container(container: ContainerView) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "state": container.status,
        "health": container.health,
        "exit_code": container.exit_code,
        "reason": container.reason,
        "pid": container.pid,
    }


def _target_groups(region: str, balancer: Balancer) -> list[dict[str, Any]]:
    shown = []
    for group in list(elbv2_backends[ACCOUNT][region].target_groups.values()):
        states = balancer.target_health(group.arn)
        targets = [
            {"address": state.address, "port": state.port, "health": state.state, "reason": state.reason}
            for state in states
        ]
        healthy = sum(state.state == "healthy" for state in states)
        shown.append({"target_group": group.name, "arn": group.arn, "healthy": healthy, "targets": targets})
    return shown
