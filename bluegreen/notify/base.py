"""The seams outward: progress for the one who watches, facts for others."""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.health import Observation


class Reporter(Protocol):
    """Must not raise: a broken terminal never stops a deployment."""

    def event(self, event: Event) -> None: ...

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        """After each tick, with what it saw."""
        ...


class Silent:
    def event(self, event: Event) -> None:
        pass

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        pass
