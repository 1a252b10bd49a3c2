"""What a service tells about itself: its events, newest first, and its deployment's state.

Wording: ECS developer guide, "Amazon ECS service event messages".
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bluegreen.clock import Clock

_KEPT = 100


class ServiceEvents:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def add(self, service: Any, message: str) -> None:
        """``message`` follows the service's name in parentheses."""
        event = {
            "id": str(uuid.uuid4()),
            "createdAt": datetime.fromtimestamp(self._clock.now(), UTC),
            "message": f"(service {service.name}) {message}",
        }
        # A new list: an API thread may be walking the old one.
        service.events = [event, *service.events[: _KEPT - 1]]

    def started(self, service: Any, task_ids: Sequence[str]) -> None:
        self.add(service, f"has started {len(task_ids)} tasks: {_tasks(task_ids)}.")

    def stopped(self, service: Any, task_ids: Sequence[str]) -> None:
        self.add(service, f"has stopped {len(task_ids)} running tasks: {_tasks(task_ids)}.")

    def rollout(self, service: Any, *, completed: bool) -> None:
        deployment = service.deployments[0] if service.deployments else None
        state = "COMPLETED" if completed else "IN_PROGRESS"
        if deployment is None or deployment.get("rolloutState") == state:
            return
        deployment["rolloutState"] = state
        how = "completed" if completed else "in progress"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} {how}."
        if completed:
            self.add(service, f"(deployment {deployment['id']}) deployment completed.")

    def failed_tasks(self, service: Any, count: int) -> None:
        if service.deployments:
            service.deployments[0]["failedTasks"] = count


def _tasks(task_ids: Sequence[str]) -> str:
    return " ".join(f"(task {task_id})" for task_id in task_ids)
