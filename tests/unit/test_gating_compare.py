"""A comparison within a deployment: its evidence is in the record, and no request counts twice, whoever drives."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bluegreen.analysis import Interval, Side
from bluegreen.domain.deployment import Deployment, GateRecord, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import GateSpec, ShiftStep
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.errors import HeldError
from bluegreen.hooks.compare import CompareGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.settings_compare import CompareSettings
from tests.stage import NEW, SPEC, Crash, Stage

HEALTHY = Interval(Side(500, 5), Side(9500, 95))
BAD = Interval(Side(500, 25), Side(9500, 95))
SILENT = Interval(Side(0), Side(0))
SHIFT = (ShiftStep(5, 120, at_most=3600), ShiftStep(100, 0))


class Same:
    """A source of the same interval for ever."""

    def __init__(self, each: Interval) -> None:
        self.each = each

    def intervals(self, start: float, end: float) -> list[Interval]:
        return [self.each] * round((end - start) / 60)


def staged(each: Interval, **changes: Any) -> Stage:
    stage = Stage(replace(SPEC, gates=(GateSpec("versus", "compare"),), **{"shift": SHIFT, **changes}))
    settings = CompareSettings.model_validate({"latency": False})
    gate = CompareGate(settings, Same(each), Surroundings({}, Path("/"), stage.clock))
    stage.gates["versus"] = cast(Any, gate)
    return stage


def run(stage: Stage) -> Deployment:
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


def versus(stage: Stage) -> GateRecord:
    return next(gate for gate in stage.latest().gates if gate.name == "versus")


def test_a_good_verdict_ends_the_canary_and_is_told() -> None:
    stage = staged(HEALTHY)
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    shift = next(span for span in ended.spans if span.phase is Phase.SHIFT)
    assert (shift.ended_at or 0) - shift.began_at < 1800, "an hour was allowed"
    told = [event for event in stage.recorder.events if event.kind is Kind.GATE]
    assert [event.data["state"] for event in told] == ["ok"]
    assert "green is not worse than blue by more than the margin" in told[0].message
    assert versus(stage).detail in told[0].message


def test_a_bad_verdict_turns_the_canary_back_with_its_evidence() -> None:
    stage = staged(BAD)
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback
    assert ended.rollback.reason.startswith("gate versus fired: errors: green 5%, blue 1%: green is worse than blue (")
    assert versus(stage).state == "firing"
    assert versus(stage).numbers["errors_p_worse"] == pytest.approx(0.01)


def test_nobody_to_compare_with_is_inconclusive() -> None:
    stage = staged(SILENT)
    with pytest.raises(HeldError, match="no data: green had no requests"):
        run(stage)
    assert stage.weights() == {"orders-1": 95, "orders-2": 5}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_wherever_a_driver_dies_every_request_counts_once(number: int, moment: str) -> None:
    stage = staged(HEALTHY)
    saves = 0

    def die(when: str, name: str) -> None:
        nonlocal saves
        if name != "store.save" or when != moment or stage.phase() is not Phase.SHIFT:
            return
        saves += 1
        if saves == number:
            stage.memory.release(stage.memory.service("orders").lease)  # type: ignore[arg-type]
            raise Crash

    stage.on_call = die
    with pytest.raises(Crash):
        run(stage)
    since = stage.latest().watched_since
    stage.clock.sleep(400)
    assert resume(stage.session(), "orders", stage.recorder).phase is Phase.SUCCEEDED
    kept, numbers = versus(stage).memory, versus(stage).numbers
    spanned = (cast(float, kept["until"]) - cast(float, kept["began"])) / 60
    assert numbers["intervals"] == spanned
    assert (numbers["errors_green_of"], numbers["errors_blue"]) == (500 * spanned, 95 * spanned)
    if since is not None:
        assert kept["began"] == math.ceil(since / 60) * 60, "what was learned before it died is not lost"


def test_the_evidence_goes_on_over_the_steps_so_that_alpha_holds_for_the_deployment() -> None:
    steps = (ShiftStep(5, 300), ShiftStep(20, 300), ShiftStep(50, 3000), ShiftStep(100, 0))
    stage = staged(HEALTHY, shift=steps)
    assert run(stage).phase is Phase.SUCCEEDED
    assert versus(stage).numbers["intervals"] > 50
