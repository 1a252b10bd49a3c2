"""One container as a real process: start, health checks, exit, SIGTERM and then SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bluegreen.sandbox.base import ContainerView, Nursery
from bluegreen.sandbox.scheduler.awslogs import LogStream
from bluegreen.sandbox.scheduler.definition import ContainerSpec, HealthCheck, substitute
from bluegreen.sandbox.scheduler.order import State, Status, after_check

# -P: a module in the container's working directory must not hide one of the stand-in's.
_STAND_IN = [sys.executable, "-P", "-m", "bluegreen.sandbox.standin"]
_NOWHERE = Path(os.devnull)


class Container:
    """Driven by ``poll``; times are the clock's monotonic seconds."""

    def __init__(self, spec: ContainerSpec, nursery: Nursery, output: Path) -> None:
        self.spec = spec
        self.state = State()
        self.reason: str | None = None
        self.log: LogStream | None = None
        self._nursery = nursery
        self._output = output
        self._environment: Mapping[str, str] = {}
        self._pid: int | None = None
        self._kill_at: float | None = None
        self._check = Check(spec.health_check, nursery) if spec.health_check else None

    def start(self, environment: Mapping[str, str], now: float) -> None:
        """``reason`` says CannotStartContainerError when it cannot be executed."""
        self._environment = environment
        command = substitute(self.spec.command, environment) or _STAND_IN
        try:
            spawned = self._nursery.spawn(
                command, environment=environment, output=self._output, folder=self.spec.folder
            )
        except OSError as error:
            self.reason = _cannot_start(command[0], error)
            self.state = replace(self.state, status=Status.STOPPED, started=now)
            return
        self._pid = spawned.pid
        self.state = replace(self.state, status=Status.RUNNING, started=now)

    def poll(self, now: float) -> None:
        if self.state.status is not Status.RUNNING or self._pid is None:
            return
        ended = self._look(self._pid, now)
        if self.log:
            self.log.follow(now, ended=ended)

    def terminate(self, now: float) -> None:
        """SIGTERM once; ``poll`` sends SIGKILL when stopTimeout is over."""
        if self._pid is None or self._kill_at is not None:
            return
        self._kill_at = now + self.spec.stop_timeout
        self._nursery.signal(self._pid, signal.SIGTERM)

    def kill(self) -> None:
        if self._pid is not None and self.state.status is Status.RUNNING:
            self._nursery.signal(self._pid, signal.SIGKILL)

    def never_start(self) -> None:
        """The task stops before this container's turn came."""
        if self.state.status is Status.PENDING:
            self.state = replace(self.state, status=Status.STOPPED)

    def view(self) -> ContainerView:
        return ContainerView(
            name=self.spec.name,
            image=self.spec.image,
            status=str(self.state.status),
            health=str(self.state.health),
            exit_code=self.state.exit_code,
            reason=self.reason,
            pid=self._pid if self.state.status is Status.RUNNING else None,
        )

    # -- private

    def _look(self, pid: int, now: float) -> bool:
        """True when it ended."""
        code = self._nursery.exit_code(pid)
        if code is not None:
            self.state = replace(self.state, status=Status.STOPPED, exit_code=code)
            if self._check:
                self._check.abandon()
        elif self._kill_at is not None:
            if now >= self._kill_at:
                self._nursery.signal(pid, signal.SIGKILL)
                self._kill_at = now + self.spec.stop_timeout
        elif self._check:
            self.state = self._check.poll(self.state, self._environment, self.spec.folder, now)
        return code is not None


class Check:
    """Runs one health check after another; an interval lies before the first and between two, as in Docker."""

    def __init__(self, check: HealthCheck, nursery: Nursery) -> None:
        self._check = check
        self._nursery = nursery
        self._pid: int | None = None
        self._began = 0.0
        self._ended: float | None = None

    def poll(self, state: State, environment: Mapping[str, str], folder: Path | None, now: float) -> State:
        if self._pid is None:
            last = state.started if self._ended is None else self._ended
            due = last is not None and now >= last + self._check.interval
            return self._begin(state, environment, folder, now) if due else state
        code = self._nursery.exit_code(self._pid)
        if code is None and now - self._began < self._check.timeout:
            return state
        self.abandon()
        self._ended = now
        return after_check(self._check, state, passed=code == 0, now=now)

    def abandon(self) -> None:
        if self._pid is not None:
            self._nursery.signal(self._pid, signal.SIGKILL)
            self._pid = None

    def _begin(self, state: State, environment: Mapping[str, str], folder: Path | None, now: float) -> State:
        command = substitute(self._check.command, environment)
        self._began = now
        try:
            self._pid = self._nursery.spawn(command, environment=environment, output=_NOWHERE, folder=folder).pid
        except OSError:
            self._ended = now
            return after_check(self._check, state, passed=False, now=now)
        return state


# -- private


def _cannot_start(program: str, error: OSError) -> str:
    what = "executable file not found in $PATH" if isinstance(error, FileNotFoundError) else error.strerror
    return (
        "CannotStartContainerError: Error response from daemon: failed to create task for container: "
        f'exec: "{program}": {what}'
    )
