"""Waiting until a new sandbox serves: every service has its desired count healthy in its target groups."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from moto.ecs.models import Service

from bluegreen.clock import Clock
from bluegreen.errors import DeadlineError
from bluegreen.sandbox.base import Balancer, Scheduler, TaskView
from bluegreen.sandbox.status import belongs

_POLL_SECONDS = 0.05
_TRIES = 3
_LOG_LINES = 8


def wait_until_healthy(
    services: Sequence[Service],
    scheduler: Scheduler,
    balancer: Balancer,
    clock: Clock,
    *,
    seconds: float,
    progress: Callable[[str], None],
) -> None:
    """Raises DeadlineError with the reason and the last lines of the log, as soon as it is clear or at the deadline."""
    deadline = clock.monotonic() + seconds
    for service in services:
        if _runs_task_sets(service):
            progress(f"service {service.name}: its tasks come with its task sets")
    waiting = [service for service in services if not _runs_task_sets(service)]
    while waiting:
        for service in list(waiting):
            if shortfall(service, scheduler.tasks(), balancer) is None:
                waiting.remove(service)
                progress(f"service {service.name}: {service.desired_count} healthy")
            elif _gives_up(service, scheduler.tasks()):
                raise _never_healthy(service, scheduler, balancer, "its tasks keep stopping")
        if waiting and clock.monotonic() >= deadline:
            raise _never_healthy(waiting[0], scheduler, balancer, f"not within {seconds:g} s")
        if waiting:
            clock.sleep(_POLL_SECONDS)


def wait_until_open(balancer: Balancer, clock: Clock, *, seconds: float) -> None:
    """Every listener takes connections. Raises DeadlineError naming the first that does not."""
    deadline = clock.monotonic() + seconds
    for listener in balancer.listeners():
        address = urlsplit(listener.url)
        while not _accepts(address.hostname or "", address.port or 80):
            if clock.monotonic() >= deadline:
                raise DeadlineError(
                    f"the listener {listener.load_balancer}:{listener.port} takes no connections on {listener.url}",
                    hint="see whether another program has this port; the load balancer's log tells more",
                )
            clock.sleep(_POLL_SECONDS)


def shortfall(service: Service, tasks: Sequence[TaskView], balancer: Balancer) -> str | None:
    """Why the service is not there yet, or None when it is."""
    running = sum(task.status == "RUNNING" for task in tasks if belongs(task, service))
    if running < service.desired_count:
        return f"{running} of {service.desired_count} tasks are running"
    groups = [item["targetGroupArn"] for item in service.load_balancers if item.get("targetGroupArn")]
    for arn in groups if service.desired_count else []:
        states = balancer.target_health(arn)
        healthy = sum(state.state == "healthy" for state in states)
        if healthy < service.desired_count:
            seen = ", ".join(f"{s.address}:{s.port} {s.state} {s.reason or ''}".strip() for s in states) or "no target"
            return f"{healthy} of {service.desired_count} targets are healthy in {arn.split('/')[1]} ({seen})"
    return None


def _runs_task_sets(service: Service) -> bool:
    """A template makes none of them: who has an EXTERNAL controller makes them by the API, later."""
    return bool(service.deployment_controller.get("type") == "EXTERNAL")


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _gives_up(service: Service, tasks: Sequence[TaskView]) -> bool:
    mine = [task for task in tasks if belongs(task, service)]
    failed = [task for task in mine if task.status == "STOPPED" and task.stop_code != "ServiceSchedulerInitiated"]
    return len(failed) >= _TRIES and not any(task.status == "RUNNING" for task in mine)


def _never_healthy(service: Service, scheduler: Scheduler, balancer: Balancer, why: str) -> DeadlineError:
    tasks = [task for task in scheduler.tasks() if belongs(task, service)]
    reasons = [shortfall(service, tasks, balancer) or "it was healthy for a moment only"]
    stopped = [task for task in tasks if task.stopped_reason]
    if stopped:
        last = max(stopped, key=lambda task: task.stopped_at or 0.0)
        ends = [f"{c.name} exit code {c.exit_code}" for c in last.containers if c.exit_code is not None]
        reasons.append(f"last task stopped: {last.stopped_reason}" + (f" ({', '.join(ends)})" if ends else ""))
    log = scheduler.logs(service=service.name, lines=_LOG_LINES)
    text = f"service {service.name} did not become healthy: {why}; " + "; ".join(reasons)
    if log:
        text += "\nits last log lines:\n" + "\n".join(f"  {line}" for line in log)
    return DeadlineError(text, hint="correct the task definition in the template and run `bluegreen sandbox up` again")
