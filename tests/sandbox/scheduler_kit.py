"""A running scheduler over moto's backends, real processes and a fake balancer. For the scheduler's own tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from moto.backends import get_backend

from bluegreen.clock import SystemClock
from bluegreen.sandbox.base import ACCOUNT, Nursery, Scheduler, Settings, TaskView
from bluegreen.sandbox.nursery import start_nursery
from bluegreen.sandbox.scheduler import create_scheduler
from bluegreen.sandbox.scheduler.fakes import FakeBalancer

REGION = "eu-west-1"
Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = 10.0) -> Found:
    """The first truthy answer; fails with the last one."""
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + seconds
    while not (found := look()):
        assert clock.monotonic() < end, f"not within {seconds:g} s: {found!r}"
        pause.wait(0.01)
    return found


@dataclass
class Kit:
    settings: Settings
    nursery: Nursery
    balancer: FakeBalancer
    scheduler: Scheduler

    @property
    def ecs(self) -> Any:
        return get_backend("ecs")[ACCOUNT][REGION]

    @property
    def elb(self) -> Any:
        return get_backend("elbv2")[ACCOUNT][REGION]

    def target_group(self, name: str) -> str:
        group = self.elb.create_target_group(
            name,
            vpc_id=next(iter(get_backend("ec2")[ACCOUNT][REGION].vpcs)),
            protocol="HTTP",
            protocol_version="HTTP1",
            port="80",
            target_type="ip",
            healthcheck_protocol="HTTP",
        )
        return str(group.arn)

    def define(self, family: str, *containers: dict[str, Any]) -> str:
        full = [{"image": "registry/app:1", "memory": 64, **container} for container in containers]
        return str(self.ecs.register_task_definition(family, full).arn)

    def service(self, name: str, definition: str, count: int, target_group: str | None = None, **more: Any) -> Any:
        balancers = [{"targetGroupArn": target_group, "containerName": "app", "containerPort": 8000}]
        service = self.ecs.create_service(
            "main", name, count, definition, load_balancers=balancers if target_group else None, **more
        )
        self.scheduler.wake()
        return service

    def shipped(self, group: str, stream: str) -> list[str]:
        """The messages that CloudWatch Logs has; none for a stream that is not there."""
        found = get_backend("logs")[ACCOUNT][REGION].groups[group].streams.get(stream)
        return [event.message for event in found.events] if found else []

    def update(self, name: str, **properties: Any) -> None:
        self.ecs.update_service({"cluster": "main", "service": name, **properties})
        self.scheduler.wake()

    def tasks(self, service: str | None = None, status: str | None = None) -> Sequence[TaskView]:
        return [
            task for task in self.scheduler.tasks() if service in (None, task.service) and status in (None, task.status)
        ]

    def running(self, service: str, count: int) -> Sequence[TaskView]:
        """Exactly ``count`` tasks, all RUNNING, once it is so."""

        def look() -> Sequence[TaskView]:
            there = [task for task in self.tasks(service) if task.status != "STOPPED"]
            return there if len(there) == count and all(task.status == "RUNNING" for task in there) else ()

        return eventually(look)

    def stopped(self, service: str, count: int = 1) -> Sequence[TaskView]:
        def look() -> Sequence[TaskView]:
            there = self.tasks(service, "STOPPED")
            return there if len(there) >= count else ()

        return eventually(look)

    def registered(self, target_group: str) -> set[tuple[str, int]]:
        targets = list(self.elb.target_groups[target_group].targets.values())
        return {(target["Id"], int(target["Port"])) for target in targets}

    def written(self, task: TaskView, container: str = "app") -> str:
        return "\n".join(line for line in self.scheduler.logs(task_id=task.task_id) if f"/{container} | " in line)


def _claim_subnet() -> tuple[int, socket.socket]:
    """A subnet that no other test process uses, for as long as the socket is open."""
    for subnet in range(200, 250):
        try:
            return subnet, socket.create_server((f"127.{subnet}.255.1", 47_000), reuse_port=False)
        except OSError:
            continue
    raise AssertionError("no free subnet from 127.200 to 127.249")


@contextmanager
def scheduler_kit(folder: Path) -> Iterator[Kit]:
    subnet, claim = _claim_subnet()
    settings = Settings("test", folder / "box", REGION, subnet, 4566)
    for name in ("ecs", "elbv2", "ssm", "secretsmanager", "ec2", "logs"):
        get_backend(name)[ACCOUNT][REGION].reset()
    get_backend("ecs")[ACCOUNT][REGION].create_cluster("main")
    nursery, balancer = start_nursery(settings), FakeBalancer(REGION)
    scheduler = create_scheduler(settings, balancer, nursery, SystemClock())
    scheduler.start()
    try:
        yield Kit(settings, nursery, balancer, scheduler)
    finally:
        scheduler.stop()
        nursery.stop()
        claim.close()
