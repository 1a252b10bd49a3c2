"""A rollback is timed: what tells facts is imported when the record names somebody to tell, and not before SAFE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bluegreen.clock import Clock
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.health import Observation
from bluegreen.notify.base import Reporter

if TYPE_CHECKING:
    from bluegreen.notify.telling import Build, Telling

HOLD_BACK = 5.0
"""Seconds for which facts wait at most for a rollback to be SAFE."""


FAREWELL = 5.0
"""Seconds for which the end of a command waits at most for facts that are still on their way."""


class ToldLazily:
    """A Reporter around another one. Until somebody is to be told it only keeps the events."""

    def __init__(self, inner: Reporter, build: Build, clock: Clock) -> None:
        self._inner = inner
        self._build = build
        self._clock = clock
        self._early: list[Event] = []
        self._telling: Telling | None = None

    def event(self, event: Event) -> None:
        if self._telling is None:
            self._early.append(event)
        else:
            self._telling.event(event)
        self._inner.event(event)

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        self._inner.observed(deployment, observation)
        if self._telling is None and deployment.spec.notify and not self._is_in_a_hurry(deployment):
            self._begin()
        if self._telling is not None:
            self._telling.observed(deployment, observation)

    def close(self, deployment: Deployment | None, seconds: float = FAREWELL) -> tuple[str, ...]:
        """At the end of the command: wait a little for what is on its way. Answers what could not be told."""
        if self._telling is None and deployment is not None and deployment.spec.notify and self._early:
            self._begin()
        return self._telling.close(deployment, seconds) if self._telling is not None else ()

    # Private

    def _begin(self) -> None:
        from bluegreen.notify.telling import Telling

        self._telling = Telling(self._build, self._clock)
        for event in self._early:
            self._telling.event(event)
        self._early = []

    def _is_in_a_hurry(self, d: Deployment) -> bool:
        facts = d.rollback
        if facts is None or facts.safe_at is not None or d.hold is not None or d.ended:
            return False
        return self._clock.now() - facts.requested_at < HOLD_BACK
