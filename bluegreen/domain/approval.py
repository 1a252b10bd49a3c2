"""What a person said when a deployment asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decision:
    """``key`` names the question within its deployment. ``at``: epoch seconds. Once given, it stands."""

    key: str
    approved: bool
    by: str
    at: float
    reason: str = ""


def question(point: str, step: int, hook: str, attempt: int) -> str:
    """The key of what one attempt of a hook asks."""
    return f"{point}/{step}/{attempt}/{hook}"
