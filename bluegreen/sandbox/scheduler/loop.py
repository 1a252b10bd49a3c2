"""The scheduler's thread: read what is wanted, let every task take a step, start and stop tasks, tell.

All state belongs to that thread. Others leave a request in a queue, or read the views it published last.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bluegreen.clock import Clock
from bluegreen.errors import NotFoundError
from bluegreen.sandbox.base import Balancer, Nursery, Settings, TaskView
from bluegreen.sandbox.scheduler.awslogs import AwsLogs
from bluegreen.sandbox.scheduler.definition import read_containers
from bluegreen.sandbox.scheduler.desired import Desired, Single, Unit, read_desired
from bluegreen.sandbox.scheduler.metadata import MetadataServer
from bluegreen.sandbox.scheduler.output import prefix, tail
from bluegreen.sandbox.scheduler.secrets import resolve_secret
from bluegreen.sandbox.scheduler.service import Services
from bluegreen.sandbox.scheduler.targets import Targets
from bluegreen.sandbox.scheduler.task import BY_USER, FAILED_TO_START, Ground, Origin, Task

_BUSY_SECONDS = 0.02
_IDLE_SECONDS = 0.15
_NOTED_SECONDS = 1.0
_KEPT_STOPPED = 200
_KEPT_SECONDS = 3600.0
_ADDRESSES = 60_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """``reason`` None asks for SIGKILL. ``noted`` is set once the published views show it."""

    task_id: str
    reason: str | None
    noted: threading.Event


class EcsScheduler:
    """See ``Scheduler`` in base.py."""

    def __init__(self, settings: Settings, balancer: Balancer, nursery: Nursery, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._targets = Targets(settings, balancer, clock)
        self._logs = AwsLogs(settings.region, clock)
        self._metadata = MetadataServer(settings, self.tasks)
        self._ground = Ground(
            settings=settings,
            nursery=nursery,
            clock=clock,
            targets=self._targets,
            logs=self._logs,
            resolve_secret=partial(resolve_secret, settings.region),
            environment=_base_environment(settings),
            metadata_uri=self._metadata.uri,
        )
        self._services = Services(clock, self._start_task)
        self._tasks: dict[str, Task] = {}
        self._stopped: dict[str, TaskView] = {}
        self._views: tuple[TaskView, ...] = ()
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
        self._next_address = 0
        self._awake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="ecs-scheduler", daemon=True)

    def start(self) -> None:
        self._metadata.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; the processes are the nursery's to end."""
        self._ending = True
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
            self._metadata.stop()

    def wake(self) -> None:
        self._awake.set()

    def tasks(self) -> Sequence[TaskView]:
        return self._views

    def stop_task(self, task_id: str, reason: str) -> None:
        self._ask(task_id, reason)

    def kill(self, task_id: str) -> None:
        self._ask(task_id, None)

    def logs(self, *, service: str | None = None, task_id: str | None = None, lines: int = 100) -> Sequence[str]:
        """The last ``lines`` lines of each container, oldest task first, so that no container hides another."""
        found: list[str] = []
        for view in sorted(self._views, key=lambda view: view.created_at):
            if service not in (None, view.service) or not view.task_id.startswith(task_id or ""):
                continue
            for container in view.containers:
                path = self._settings.folder / "logs" / view.task_id / f"{container.name}.log"
                start = prefix(view.service, view.task_id, container.name)
                found += [f"{start}{line}" for line in tail(path, lines)]
        return found

    # -- private

    def _ask(self, task_id: str, reason: str | None) -> None:
        short = task_id.rsplit("/", 1)[-1]
        if not any(view.task_id == short for view in self._views):
            raise NotFoundError(f"the sandbox has no task {short}", hint="bluegreen sandbox status lists them")
        asked = Asked(short, reason, threading.Event())
        self._asked.put(asked)
        self._awake.set()
        asked.noted.wait(_NOTED_SECONDS)

    def _run(self) -> None:
        while not self._ending:
            self._awake.clear()
            try:
                busy = self._pass()
            except Exception:
                # One bad moment (a target group deleted under our hands) must not end the scheduler.
                log.exception("the scheduler's pass failed; it looks again")
                busy = False
            self._awake.wait(_BUSY_SECONDS if busy else _IDLE_SECONDS)

    def _pass(self) -> bool:
        """True while something is under way. A task that was started takes its first step at once."""
        desired = read_desired(self._settings.region)
        asked = self._obey()
        self._follow_singles(desired.singles)
        # Before any task looks whether it has drained, the balancer must know that it was taken out.
        self._targets.flush()
        for task in list(self._tasks.values()):
            task.step()
        if changed := self._services.follow(desired.units, list(self._tasks.values())):
            self._awake.set()
        changed |= self._targets.flush()
        self._bury(desired)
        self._publish()
        for item in asked:
            item.noted.set()
        return changed or not all(task.is_settled for task in self._tasks.values())

    def _obey(self) -> list[Asked]:
        all_asked = [self._asked.get() for _ in range(self._asked.qsize())]
        for asked in all_asked:
            task = self._tasks.get(asked.task_id)
            if task is None:
                continue
            if asked.reason is None:
                task.kill()
            else:
                task.request_stop(BY_USER, asked.reason)
        return all_asked

    def _follow_singles(self, singles: Sequence[Single]) -> None:
        for single in singles:
            task = self._tasks.get(single.task_id)
            if task is None and single.task_id not in self._stopped:
                task = self._start_single(single)
            if task is not None and single.stop_reason is not None:
                task.request_stop(BY_USER, single.stop_reason)

    def _start_single(self, single: Single) -> Task:
        return self._make(
            single.origin, single.containers, single.error, single.overrides, single.task_id, single.started_by
        )

    def _start_task(self, unit: Unit) -> Task:
        return self._make(unit.origin, unit.containers, unit.error)

    def _make(
        self,
        origin: Origin,
        definitions: Sequence[Mapping[str, Any]],
        error: str | None,
        overrides: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        started_by: str = "",
    ) -> Task:
        try:
            specs = read_containers(definitions, overrides)
        except (KeyError, TypeError, ValueError) as problem:
            specs, error = (), f"The task definition cannot be run: {problem}"
        task = Task(self._ground, origin, specs, self._free_address(), task_id, started_by)
        if error:
            task.request_stop(FAILED_TO_START, error)
        self._tasks[task.id] = task
        return task

    def _free_address(self) -> str:
        """In turn, so that an address rests as long as possible before it is used again."""
        taken = {task.address for task in self._tasks.values()}
        while True:
            address = self._settings.task_address(self._next_address)
            self._next_address = (self._next_address + 1) % _ADDRESSES
            if address not in taken:
                return address

    def _bury(self, desired: Desired) -> None:
        for task in [task for task in self._tasks.values() if task.status == "STOPPED"]:
            self._stopped[task.id] = task.view()
            del self._tasks[task.id]
        asked_for = {single.task_id for single in desired.singles}
        oldest = self._clock.now() - _KEPT_SECONDS
        spare = len(self._stopped) - _KEPT_STOPPED
        for index, view in enumerate(list(self._stopped.values())):
            # A task of RunTask that moto still lists would be started again if it were forgotten.
            if view.task_id not in asked_for and (index < spare or (view.stopped_at or 0) < oldest):
                del self._stopped[view.task_id]
                self._logs.forget(view.task_id)
                shutil.rmtree(self._settings.folder / "logs" / view.task_id, ignore_errors=True)

    def _publish(self) -> None:
        self._views = (*(task.view() for task in self._tasks.values()), *self._stopped.values())


def _base_environment(settings: Settings) -> dict[str, str]:
    host = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **host,
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ENDPOINT_URL": f"http://{settings.api_address}:{settings.api_port}",
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
    }
