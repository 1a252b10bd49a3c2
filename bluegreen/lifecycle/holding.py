"""How long a deployment that holds may wait for a person. Pure."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.spec import Consequence


def decides_itself_at(d: Deployment) -> float | None:
    """Epoch seconds at which it is rolled back because nobody has decided; None where it holds on, or does not hold."""
    limit = d.spec.deadlines.hold
    if d.hold is None or limit is None or not may_turn_back(d):
        return None
    return d.hold.since + limit if d.spec.deadlines.on_hold is Consequence.ROLL_BACK else None


def nobody_decided(d: Deployment, now: float) -> str | None:
    """Why it is rolled back now; None while there is time."""
    at = decides_itself_at(d)
    if at is None or now < at or d.hold is None:
        return None
    seconds = at - d.hold.since
    within = f"{seconds:g} s" if seconds < 7200 else f"{seconds / 3600:.3g} h"
    return f"nobody decided within {within}: {d.hold.reason}"


def may_turn_back(d: Deployment) -> bool:
    return d.phase not in (Phase.ROLLBACK, Phase.TEARDOWN) and not d.ended
