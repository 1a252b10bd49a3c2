"""What ECS answers: what was asked for as the backend keeps it, and what runs as the scheduler sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import Service, TaskSet
from moto.ecs.responses import EC2ContainerServiceResponse

from bluegreen.sandbox.api.ecs import EcsBackend
from bluegreen.sandbox.api.ecs_views import service_view, task_set_view, task_view
from bluegreen.sandbox.base import Scheduler, TaskView

_SERVICES_A_CALL = 10
_TASKS_A_CALL = 100


class EcsResponse(EC2ContainerServiceResponse):
    """The emulator's answers, told by what the scheduler sees."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    @property
    def backend(self) -> EcsBackend:
        backend = self.ecs_backend
        assert isinstance(backend, EcsBackend), "the sandbox answers ECS in its own region only"
        return backend

    def create_service(self) -> ActionResult:
        service = self.backend.make_service(dict(self._get_params()))
        return ActionResult({"service": self._view(service)})

    def update_service(self) -> ActionResult:
        service = self.backend.change_service(dict(self._get_params()))
        return ActionResult({"service": self._view(service)})

    def delete_service(self) -> ActionResult:
        super().delete_service()
        service = self.backend._get_service(self._get_param("cluster", "default"), self._name("service"))
        return ActionResult({"service": self._view(service)})

    def describe_services(self) -> ActionResult:
        names = self._get_param("services", [])
        if not names:
            raise InvalidParameterException("Services cannot be empty.")
        if len(names) > _SERVICES_A_CALL:
            raise InvalidParameterException("Services cannot have more than 10 elements.")
        services, failures = self.backend.describe_services(self._get_param("cluster", "default"), names)
        return ActionResult({"services": [self._view(s) for s in services], "failures": failures})

    def list_services(self) -> ActionResult:
        result: dict[str, Any] = super().list_services().result  # type: ignore[assignment]
        gone = {s.arn for s in self.backend.services.values() if s.status == "INACTIVE"}
        return ActionResult({"serviceArns": [arn for arn in result["serviceArns"] if arn not in gone]})

    def list_tasks(self) -> ActionResult:
        cluster = self.backend._get_cluster(self._get_param("cluster", "default")).name
        wanted = self._get_param("desiredStatus") or "RUNNING"
        tasks = [task for task in self._tasks(cluster) if task.desired_status == wanted]
        service = self._get_param("serviceName")
        if service:
            name = self.backend._get_service(cluster, service.split("/")[-1]).name
            tasks = [task for task in tasks if task.service == name]
        family = self._get_param("family")
        if family:
            tasks = [task for task in tasks if _family(task.task_definition) == family]
        started_by = self._get_param("startedBy")
        if started_by:
            tasks = [task for task in tasks if task.started_by == started_by]
        return ActionResult({"taskArns": [task.arn for task in tasks]})

    def describe_tasks(self) -> ActionResult:
        cluster = self.backend._get_cluster(self._get_param("cluster", "default")).name
        wanted = self._get_param("tasks", [])
        if not wanted:
            raise InvalidParameterException("Tasks cannot be empty.")
        if len(wanted) > _TASKS_A_CALL:
            raise InvalidParameterException("Tasks cannot have more than 100 elements.")
        known = {task.task_id: task for task in self._tasks(cluster)}
        found = [known[_id(name)] for name in wanted if _id(name) in known]
        missing = [{"arn": name, "reason": "MISSING"} for name in wanted if _id(name) not in known]
        return ActionResult({"tasks": [self._task_view(task) for task in found], "failures": missing})

    def stop_task(self) -> ActionResult:
        cluster = self.backend._get_cluster(self._get_param("cluster", "default")).name
        wanted = _id(self._get_param("task"))
        reason = self._get_param("reason") or "Task stopped by user"
        if not any(task.task_id == wanted for task in self._tasks(cluster)):
            raise InvalidParameterException("The referenced task was not found.")
        self._scheduler.stop_task(wanted, reason)
        task = next(task for task in self._tasks(cluster) if task.task_id == wanted)
        return ActionResult({"task": self._task_view(task)})

    def describe_clusters(self) -> ActionResult:
        result: dict[str, Any] = super().describe_clusters().result  # type: ignore[assignment]
        for cluster in result["clusters"]:
            tasks = self._tasks(cluster.name)
            cluster.running_tasks_count = sum(task.status == "RUNNING" for task in tasks)
            cluster.pending_tasks_count = sum(_is_pending(task) for task in tasks)
            services = [s for s in self.backend.services.values() if s.cluster_name == cluster.name]
            cluster.active_services_count = sum(s.status == "ACTIVE" for s in services)
        return ActionResult(result)

    def create_task_set(self) -> ActionResult:
        return self._task_set_result(super().create_task_set())

    def update_task_set(self) -> ActionResult:
        return self._task_set_result(super().update_task_set())

    def delete_task_set(self) -> ActionResult:
        return self._task_set_result(super().delete_task_set())

    def update_service_primary_task_set(self) -> ActionResult:
        return self._task_set_result(super().update_service_primary_task_set())

    def describe_task_sets(self) -> ActionResult:
        result: dict[str, Any] = super().describe_task_sets().result  # type: ignore[assignment]
        return ActionResult({"taskSets": [self._task_set(item) for item in result["taskSets"]], "failures": []})

    # -- private

    def _name(self, parameter: str) -> str:
        return str(self._get_param(parameter)).split("/")[-1]

    def _tasks(self, cluster: str) -> Sequence[TaskView]:
        return [task for task in self._scheduler.tasks() if task.cluster.split("/")[-1] == cluster]

    def _view(self, service: Service) -> dict[str, Any]:
        return service_view(service, self._tasks(service.cluster_name))

    def _task_view(self, task: TaskView) -> dict[str, Any]:
        return task_view(task, self.backend.describe_task_definition(task.task_definition))

    def _task_set_result(self, result: ActionResult) -> ActionResult:
        content: dict[str, Any] = result.result  # type: ignore[assignment]
        return ActionResult({"taskSet": self._task_set(content["taskSet"])})

    def _task_set(self, task_set: TaskSet) -> dict[str, Any]:
        services = [s for s in self.backend.services.values() if s.arn == task_set.service_arn]
        desired = services[0].desired_count if services else 0
        tasks = self._tasks(task_set.cluster_arn.split("/")[-1])
        return task_set_view(task_set, desired, tasks)


def _family(task_definition_arn: str) -> str:
    return task_definition_arn.split("/")[-1].split(":")[0]


def _id(name: str) -> str:
    return name.split("/")[-1]


def _is_pending(task: TaskView) -> bool:
    return task.status in {"PROVISIONING", "PENDING", "ACTIVATING"}
