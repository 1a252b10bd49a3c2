"""The last lines a container said: they tell why it stopped better than its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bluegreen.aws.clients import Clients
from bluegreen.errors import BluegreenError


class LogTail(Protocol):
    def tail(self, container: Mapping[str, Any], task_id: str, runtime_id: str | None, lines: int) -> tuple[str, ...]:
        """The newest ``lines`` of one container of one task, oldest first; none when they cannot be had.

        ``container`` is its container definition. Never raises the BluegreenError family.
        """
        ...


class AwsLogTail:
    """Reads what the ``awslogs`` driver wrote to CloudWatch Logs. Source: ECS guide, "Using the awslogs driver"."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def tail(self, container: Mapping[str, Any], task_id: str, runtime_id: str | None, lines: int) -> tuple[str, ...]:
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        stream = _stream(container, options, task_id, runtime_id)
        region = options.get("awslogs-region", self._clients.region)
        if configuration.get("logDriver") != "awslogs" or stream is None or region != self._clients.region:
            return ()
        return self._events(options.get("awslogs-group", ""), stream, lines)

    def _events(self, group: str, stream: str, lines: int) -> tuple[str, ...]:
        method = self._clients.logs.get_log_events
        try:
            answer = self._clients.read(
                method, logGroupName=group, logStreamName=stream, limit=lines, startFromHead=False
            )
        except BluegreenError:
            return ()
        return tuple(str(event["message"]).rstrip("\n") for event in answer["events"][-lines:])


def _stream(
    container: Mapping[str, Any], options: Mapping[str, str], task_id: str, runtime_id: str | None
) -> str | None:
    prefix = options.get("awslogs-stream-prefix")
    return f"{prefix}/{container['name']}/{task_id}" if prefix else runtime_id
