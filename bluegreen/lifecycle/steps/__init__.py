"""One file a phase; each observes, decides, acts at most once, and is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.domain.deployment import Phase
from bluegreen.lifecycle.outcome import Outcome
from bluegreen.lifecycle.steps import bake, launch, pending, rollback, shift, teardown, test
from bluegreen.lifecycle.work import Work

Step = Callable[[Work], Outcome]

STEPS: dict[Phase, Step] = {
    Phase.PENDING: pending.run,
    Phase.LAUNCH: launch.run,
    Phase.TEST: test.run,
    Phase.SHIFT: shift.run,
    Phase.BAKE: bake.run,
    Phase.TEARDOWN: teardown.run,
    Phase.ROLLBACK: rollback.run,
}
