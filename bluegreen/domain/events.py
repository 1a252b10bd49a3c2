"""The facts of a deployment, in order. What is shown, stored, and reported is made of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.deployment import Phase


class Kind(StrEnum):
    STARTED = "started"
    PHASE = "phase"
    RELEASE = "release"
    LAUNCHED = "launched"
    HEALTH = "health"
    SPLIT = "split"
    TEST_ROUTE = "test_route"
    HOOK_STARTED = "hook_started"
    HOOK_ENDED = "hook_ended"
    ASKED = "asked"
    GATE = "gate"
    WAITING = "waiting"
    HOLD = "hold"
    RESUMED = "resumed"
    PAUSED = "paused"
    PROMOTED = "promoted"
    SCALED = "scaled"
    TAKEOVER = "takeover"
    ROLLBACK = "rollback"
    SAFE = "safe"
    WARNING = "warning"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Event:
    """``message`` is for a person, one line. ``data`` holds the same in JSON-ready values."""

    at: float
    deployment: str
    service: str
    phase: Phase
    kind: Kind
    message: str
    data: dict[str, object] = field(default_factory=dict)
