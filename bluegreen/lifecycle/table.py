"""The lifecycle, as one table. The diagram in docs/lifecycle.md is drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.deployment import Phase


class Trigger(StrEnum):
    LAUNCH = "launch"
    TEST = "test"
    SHIFT = "shift"
    BAKE = "bake"
    TEAR_DOWN = "tear_down"
    SUCCEED = "succeed"
    ROLL_BACK = "roll_back"
    END_ROLLBACK = "end_rollback"


@dataclass(frozen=True, slots=True)
class Move:
    trigger: Trigger
    source: Phase
    dest: Phase
    when: str


MOVES = (
    Move(Trigger.LAUNCH, Phase.PENDING, Phase.LAUNCH, "the release is registered"),
    Move(Trigger.TEST, Phase.LAUNCH, Phase.TEST, "green is healthy in its target group, and settled"),
    Move(Trigger.SHIFT, Phase.TEST, Phase.SHIFT, "the tests passed through the test route"),
    Move(Trigger.BAKE, Phase.SHIFT, Phase.BAKE, "green has all traffic"),
    Move(Trigger.TEAR_DOWN, Phase.BAKE, Phase.TEARDOWN, "the bake time passed and every gate is quiet"),
    Move(Trigger.SUCCEED, Phase.TEARDOWN, Phase.SUCCEEDED, "blue is drained and scaled in"),
    *(
        Move(Trigger.ROLL_BACK, phase, Phase.ROLLBACK, "a step rejected the release, or someone rolls it back")
        for phase in (Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN)
    ),
    Move(
        Trigger.END_ROLLBACK, Phase.ROLLBACK, Phase.ROLLED_BACK, "blue has all traffic; green is drained and scaled in"
    ),
)

ONWARD = {move.source: move.trigger for move in MOVES if move.trigger is not Trigger.ROLL_BACK}
"""What a phase's step triggers when it is done."""
