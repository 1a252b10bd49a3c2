"""Reporters: what is seen while a deployment runs. None raises; a closed pipe or terminal never stops a deployment.

On a terminal: a live view. Without one: a line for each fact, and a sign of life every half minute.
``-o json``: a JSON object for each fact on stdout.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from bluegreen.cli.app import App
from bluegreen.cli.terminal import is_terminal, show, show_json
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.health import Observation
from bluegreen.report.data import event_data
from bluegreen.report.facts import event_line, heartbeat_line

HEARTBEAT = 30.0
"""Seconds without a fact after which a line says what is waited for."""

_log = logging.getLogger("bluegreen.progress")


class Progress(Protocol):
    """A Reporter that remembers what it saw last, for the summary."""

    deployment: Deployment | None
    observation: Observation

    def event(self, event: Event) -> None: ...

    def observed(self, deployment: Deployment, observation: Observation) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def choose(app: App, *, live: bool = True) -> Progress:
    """``live``: draw on a terminal. A rollback does not: drawing costs it the time of an import."""
    if app.json:
        return JsonLines()
    if live and is_terminal(app, sys.stderr):
        from bluegreen.cli.live import LiveView

        return LiveView(app)
    return Lines(app)


class Remembering:
    """What the kinds have in common."""

    def __init__(self) -> None:
        self.deployment: Deployment | None = None
        self.observation = Observation()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        """A tick looks only at what its phase needs; what it did not look at is shown as last seen."""
        before = self.observation
        self.deployment = deployment
        self.observation = Observation(
            {**before.slots, **observation.slots},
            {**before.live, **observation.live},
            {**before.gates, **observation.gates},
        )


class Lines(Remembering):
    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app
        self._spoke_at = app.clock.now()

    def event(self, event: Event) -> None:
        self._speak(lambda: show(self._app, [event_line(event)], err=True))

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        super().observed(deployment, observation)
        now = self._app.clock.now()
        if not deployment.ended and now - self._spoke_at >= HEARTBEAT:
            self._speak(lambda: show(self._app, [heartbeat_line(deployment, observation, now)], err=True))

    def _speak(self, write: Callable[[], None]) -> None:
        self._spoke_at = self._app.clock.now()
        quietly(write)


class JsonLines(Remembering):
    def event(self, event: Event) -> None:
        quietly(lambda: show_json(event_data(event), line=True))


def quietly(write: Callable[[], object]) -> None:
    """Writing failed: the reader is gone, and the deployment goes on."""
    try:
        write()
    except (OSError, ValueError):
        _log.warning("progress could not be written", exc_info=True)
