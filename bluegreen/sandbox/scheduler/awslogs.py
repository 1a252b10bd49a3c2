"""What the ``awslogs`` driver does: a container's output becomes events of a stream in CloudWatch Logs.

The output's file stays the first copy (``bluegreen sandbox logs``); this one is for whoever asks CloudWatch Logs. It
is shipped when the container ends and at most once a second before, and bounded: of a burst the newest 64 KiB, of a
stream the newest 500 events, and a stream goes when the sandbox forgets its task.

Sources: ECS developer guide, "Send Amazon ECS logs to CloudWatch" and "Stopped task error messages".
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from bluegreen.clock import Clock
from bluegreen.sandbox.base import ACCOUNT
from bluegreen.sandbox.scheduler.definition import LogDestination

_EVERY_SECONDS = 1.0
_BURST_BYTES = 64 * 1024
_KEPT_EVENTS = 500
_log = logging.getLogger(__name__)


class LogsUnavailableError(Exception):
    """The message is the ``stoppedReason`` that ECS gives."""


class AwsLogs:
    """All streams of the sandbox's containers. All calls come from the scheduler's thread."""

    def __init__(self, region: str, clock: Clock) -> None:
        self._region = region
        self._clock = clock
        self._streams: dict[str, list[LogStream]] = {}

    def open(self, destination: LogDestination, task_id: str, container: str, output: Path) -> LogStream:
        """A new stream, ``prefix/container/task-id``. Raises LogsUnavailableError when there is no such group."""
        if not destination.group:
            raise LogsUnavailableError(_refusal("must specify a value for log opt 'awslogs-group'"))
        backend: Any = get_backend("logs")[ACCOUNT][destination.region or self._region]
        _ensure_group(backend, destination)
        # Without a prefix AWS takes the container's id, which only an EC2 container instance has.
        prefix = destination.prefix
        name = f"{prefix}/{container}/{task_id}" if prefix else f"{task_id}-{container}"
        if name not in backend.groups[destination.group].streams:
            backend.create_log_stream(destination.group, name)
        stream = LogStream(backend, destination.group, name, output, self._clock)
        self._streams.setdefault(task_id, []).append(stream)
        return stream

    def forget(self, task_id: str) -> None:
        for stream in self._streams.pop(task_id, ()):
            stream.remove()


class LogStream:
    """One container's. It follows the file of its output."""

    def __init__(self, backend: Any, group: str, name: str, output: Path, clock: Clock) -> None:
        self.group = group
        self.name = name
        self._backend = backend
        self._output = output
        self._clock = clock
        self._offset = 0
        self._due = 0.0

    def follow(self, now: float, *, ended: bool) -> None:
        """Ship what is new when it is due; when the container ended, all of it, with an unfinished last line."""
        if not ended and now < self._due:
            return
        self._due = now + _EVERY_SECONDS
        lines = self._new_lines(ended)
        if lines:
            self._put(lines)

    def remove(self) -> None:
        group = self._backend.groups.get(self.group)
        if group is not None:
            group.streams.pop(self.name, None)

    # -- private

    def _new_lines(self, ended: bool) -> list[str]:
        try:
            size = self._output.stat().st_size
        except FileNotFoundError:
            return []
        left_out = max(0, size - self._offset - _BURST_BYTES)
        if size <= self._offset:
            return []
        with self._output.open("rb") as file:
            file.seek(self._offset + left_out)
            new = file.read(size - self._offset - left_out)
        whole = len(new) if ended or left_out else new.rfind(b"\n") + 1
        if whole == 0 and len(new) == _BURST_BYTES:
            whole = len(new)
        self._offset += left_out + whole
        told = [f"[sandbox: {left_out} bytes of output were not shipped]"] if left_out else []
        # The driver sends no empty events.
        return told + [line for line in new[:whole].decode(errors="replace").splitlines() if line]

    def _put(self, lines: list[str]) -> None:
        at = int(self._clock.now() * 1000)
        events = [{"timestamp": at, "message": line} for line in lines[-_KEPT_EVENTS:]]
        try:
            self._backend.put_log_events(self.group, self.name, events)
            stream = self._backend.groups[self.group].streams[self.name]
            stream.events = stream.events[-_KEPT_EVENTS:]
        except Exception as error:
            # Somebody deleted the group or the stream: as on AWS, the output is lost and the container runs on.
            _log.info("output of %s was not shipped: %s", self.name, error)


def _ensure_group(backend: Any, destination: LogDestination) -> None:
    if destination.group in backend.groups:
        return
    if not destination.create_group:
        raise LogsUnavailableError(
            _refusal(
                "create stream has been retried 1 times: failed to create Cloudwatch log stream: "
                f"ResourceNotFoundException: The specified log group does not exist. ({destination.group})"
            )
        )
    backend.create_log_group(destination.group, {})


def _refusal(said: str) -> str:
    return f"ResourceInitializationError: failed to validate logger args: {said}"
