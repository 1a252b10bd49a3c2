"""The task metadata endpoint: ``ECS_CONTAINER_METADATA_URI_V4`` answers ``/`` (the container) and ``/task``.

Shape: ECS developer guide, "Task metadata endpoint version 4"; ``/stats`` and the network figures are not imitated.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bluegreen.sandbox.base import ContainerView, Settings, TaskView


class MetadataServer:
    def __init__(self, settings: Settings, tasks: Callable[[], Sequence[TaskView]]) -> None:
        self._server = ThreadingHTTPServer((settings.api_address, 0), _handler(tasks), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        # It polls for its own shutdown, and that is all the time "down" waits for it.
        serve = partial(self._server.serve_forever, poll_interval=0.1)
        self._thread = threading.Thread(target=serve, name="task-metadata", daemon=True)
        self.uri = f"http://{settings.api_address}:{self._server.server_address[1]}"

    def start(self) -> None:
        self._server.server_activate()
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(path: str, tasks: Sequence[TaskView]) -> dict[str, Any] | None:
    """For ``/v4/TASK/CONTAINER[/task]``; None for anything else, and for a task or container that is not there."""
    parts = path.strip("/").split("/")
    if len(parts) not in (3, 4) or parts[0] != "v4" or parts[3:] not in ([], ["task"]):
        return None
    task = next((task for task in tasks if task.task_id == parts[1]), None)
    container = next((item for item in task.containers if item.name == parts[2]), None) if task else None
    if task is None or container is None:
        return None
    return _task(task) if parts[3:] else _container(task, container)


# -- private


def _handler(tasks: Callable[[], Sequence[TaskView]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answer(self.path, tasks())
            body = json.dumps(found or {"error": f"no metadata at {self.path}"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _task(task: TaskView) -> dict[str, Any]:
    family, _, revision = task.task_definition.rpartition("/")[2].partition(":")
    return {
        "Cluster": task.cluster,
        "TaskARN": task.arn,
        "Family": family,
        "Revision": revision,
        "ServiceName": task.service,
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.status,
        "LaunchType": "FARGATE",
        "Containers": [_container(task, item) for item in task.containers],
    }


def _container(task: TaskView, container: ContainerView) -> dict[str, Any]:
    return {
        "DockerId": f"{task.task_id}-{container.name}",
        "Name": container.name,
        "Image": container.image,
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.arn,
        },
        "KnownStatus": container.status,
        "ExitCode": container.exit_code,
        "Health": {"status": container.health},
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.address]}],
    }
