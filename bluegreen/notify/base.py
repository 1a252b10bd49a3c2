"""The seams outward: progress for the one who watches, facts for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.health import Observation
from bluegreen.domain.spec import Moment


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


@dataclass(frozen=True, slots=True)
class Fact:
    """What others are told. ``at``: epoch seconds. ``message`` is one line for a person, without secrets.

    ``release`` and ``previous`` are how a person knows the new release and the one before it. ``data`` holds the same
    as the message in JSON-ready values; for ``held`` its ``way_out`` is what to type.
    """

    moment: Moment
    at: float
    service: str
    cluster: str
    deployment: str
    phase: str
    message: str
    release: str = ""
    previous: str = ""
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it for a chat, in one line or two."""
        way_out = str(self.data.get("way_out") or "")
        return f"{self.service}: {self.message}" + (f"\nway out: {way_out}" if way_out else "")


class Notifier(Protocol):
    def tell(self, fact: Fact) -> None:
        """Within its timeout; in a thread of its own. Raises whatever it likes: the deployment does not notice."""
        ...
