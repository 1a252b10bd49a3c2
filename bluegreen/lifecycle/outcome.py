"""What a step answers: a closed set, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.deployment import HoldKind


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again in ``seconds``. ``until`` (epoch seconds) is given where a time, not an observation, ends the wait."""

    reason: str
    seconds: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A person must decide; ``way_out`` is what to type. ``gates``: by name, those that could not tell."""

    kind: HoldKind
    reason: str
    way_out: str
    gates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """The release may not go on: back to blue."""

    reason: str


Outcome = Done | Wait | Hold | Reject
