"""When gates are looked at: every ``gate_interval``, however often the driver ticks, and before what cannot wait."""

from __future__ import annotations

import itertools
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.spec import Deadlines, GateSpec, HookPoint, HookSpec, ShiftStep, Spec
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Reading, Verdict, Watch
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.settings_gates import MeasuredSettings
from tests.stage import NEW, SPEC, Crash, ScriptedGate, ScriptedHook, Stage

LONG = replace(SPEC, gates=(GateSpec("errors", "metric"),), shift=(ShiftStep(5, 900), ShiftStep(100, 0)), bake=1800)


class Looks:
    """A quiet gate that notes, of each look, when it was, in which phase, and green's weight."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.at: list[tuple[float, Phase | None, int]] = []
        stage.gates["errors"] = ScriptedGate(self._look)

    def _look(self) -> Reading:
        self.at.append((self.stage.clock.now(), self.stage.phase(), self.stage.weights().get("orders-2", 0)))
        return Reading("ok", "fine")

    def pauses(self, phase: Phase) -> list[float]:
        """Between the looks of one phase while green has traffic."""
        moments = [at for at, seen, weight in self.at if seen is phase and weight]
        return [round(later - earlier, 3) for earlier, later in pairwise(moments)]


class Long:
    """A hook that runs for a minute and wants to be asked again every 50 ms."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.until = 0.0

    def start(self, call: HookCall) -> Verdict:
        self.until = self.stage.clock.now() + 60
        return self.poll("h")

    def poll(self, handle: str) -> Verdict:
        return Passed("fine") if self.stage.clock.now() >= self.until else Pending(handle, 0.05)

    def cancel(self, handle: str) -> None: ...


def run(stage: Stage) -> Deployment:
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


@pytest.mark.parametrize("interval", [5.0, 7.0, 45.0, 120.0])
def test_a_gate_is_looked_at_every_gate_interval_however_often_the_driver_ticks(interval: float) -> None:
    stage = Stage(replace(LONG, gate_interval=interval))
    looks = Looks(stage)
    assert run(stage).phase is Phase.SUCCEEDED
    for phase in (Phase.SHIFT, Phase.BAKE):
        *regular, last = looks.pauses(phase)
        assert set(regular) <= {0.0, interval}, phase
        assert last <= interval
        assert len(regular) >= 890 / interval - 1


@pytest.mark.parametrize(
    "point", [HookPoint.AFTER_STEP, HookPoint.AFTER_SHIFT, HookPoint.BAKE, HookPoint.BEFORE_TEARDOWN]
)
def test_a_hook_that_is_polled_often_makes_no_gate_be_looked_at_more_often(point: HookPoint) -> None:
    hook = HookSpec(point, "long", "http", timeout=100.0)
    stage = Stage(replace(LONG, gate_interval=30.0, hooks=(hook,), shift=(ShiftStep(5, 0), ShiftStep(100, 0)), bake=60))
    looks = Looks(stage)
    long: Any = Long(stage)
    stage.hooks["long"] = long
    assert run(stage).phase is Phase.SUCCEEDED
    assert len(looks.at) < 20


def test_a_hook_that_waits_for_its_retry_keeps_no_look_back() -> None:
    hook = HookSpec(HookPoint.AFTER_STEP, "smoke", "http", retries=1, backoff=300.0)
    stage = Stage(replace(LONG, hooks=(hook,), gate_interval=5.0, shift=(ShiftStep(5, 0), ShiftStep(100, 0))))
    looks = Looks(stage)
    stage.hooks["smoke"] = ScriptedHook([Failed("not yet"), Passed("fine")])
    assert run(stage).phase is Phase.SUCCEEDED
    assert max(looks.pauses(Phase.SHIFT)) <= 5.0
    assert len(looks.pauses(Phase.SHIFT)) >= 59


def test_green_gets_no_more_traffic_and_blue_is_not_given_up_without_a_look_at_that_moment() -> None:
    spec = replace(LONG, gate_interval=1000.0, shift=(ShiftStep(5, 90), ShiftStep(50, 90), ShiftStep(100, 0)), bake=90)
    stage = Stage(spec)
    looks = Looks(stage)
    moved: list[float] = []
    stage.on_call = lambda when, name: (
        moved.append(stage.clock.now()) if (when, name) == ("after", "router.modify") else None
    )
    ended = run(stage)
    baked = next(span for span in ended.spans if span.phase is Phase.BAKE)
    assert ended.phase is Phase.SUCCEEDED
    assert {*moved[-3:], baked.ended_at} <= {at for at, _, _ in looks.at}


def test_a_gate_that_fires_only_when_green_is_to_get_more_keeps_it_from_that() -> None:
    stage = Stage(replace(LONG, gate_interval=1000.0, shift=(ShiftStep(5, 90), ShiftStep(100, 0))))

    def read() -> Reading:
        since = stage.latest().watched_since if stage.phase() is Phase.SHIFT else None
        late = since is not None and stage.clock.now() - since >= 90
        return Reading("firing" if late else "ok", "fine")

    stage.gates["errors"] = ScriptedGate(read)
    assert run(stage).phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}


@pytest.mark.parametrize("interval", [10.0, 61.0, 120.0, 400.0])
def test_failures_add_up_however_seldom_gates_are_looked_at(interval: float) -> None:
    stage = Stage(replace(LONG, gate_interval=interval))
    settings = MeasuredSettings(max=0.01, failure_limit=1)

    def measure(watch: Watch) -> float:
        return 0.0 if watch.since is None else 0.5

    measured: Any = MeasuredGate("errors", settings, measure, Surroundings({}, Path("."), stage.clock))
    stage.gates["errors"] = measured
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "2 of 2 measurements failed" in ended.rollback.reason
    assert ended.watched_since is not None
    assert ended.rollback.requested_at - ended.watched_since <= 10 + interval


def test_a_gate_that_measured_something_just_before_its_time_was_over_is_heard() -> None:
    spec = replace(LONG, gate_interval=1000.0, shift=(ShiftStep(5, 90), ShiftStep(100, 0)))
    stage = Stage(replace(spec, deadlines=Deadlines(no_data=300)))

    def read() -> Reading:
        since = stage.latest().watched_since if stage.phase() is Phase.SHIFT else None
        mute = since is not None and stage.clock.now() - since < 385
        return Reading("no_data" if mute else "ok", "scripted")

    stage.gates["errors"] = ScriptedGate(read)
    assert run(stage).phase is Phase.SUCCEEDED


def test_who_takes_over_from_a_driver_that_died_looks_at_once() -> None:
    stage = Stage(replace(LONG, gate_interval=600.0))
    looks = Looks(stage)

    def die(when: str, name: str) -> None:
        if stage.phase() is Phase.BAKE and stage.clock.now() > looks.at[-1][0] + 100:
            stage.on_call = lambda when, name: None
            raise Crash

    stage.on_call = die
    with pytest.raises(Crash):
        run(stage)
    stage.clock.sleep(200)
    again, before = stage.clock.now(), len(looks.at)
    assert resume(stage.session("resume"), "orders", stage.recorder).phase is Phase.SUCCEEDED
    assert looks.at[before][0] == again


def seen_in_the_record(spec: Spec) -> list[float]:
    """How old the numbers in the record were, in looks' order, at every call to the world while green had traffic."""
    stage = Stage(spec)
    values = itertools.count()
    measured: list[float] = []

    def read() -> Reading:
        measured.append(stage.clock.now())
        return Reading("ok", "fine", {"value": float(next(values))})

    stage.gates["errors"] = ScriptedGate(read)
    ages: list[float] = []

    def look(when: str, name: str) -> None:
        d = stage.latest() if stage.phase() in (Phase.SHIFT, Phase.BAKE) else None
        if d is not None and d.gates and d.gates[0].numbers:
            ages.append(stage.clock.now() - measured[int(d.gates[0].numbers["value"])])

    stage.on_call = look
    ended = run(stage)
    assert ended.gates[0].numbers == {"value": float(len(measured) - 1)}
    return ages


def test_the_numbers_that_others_read_in_the_record_are_about_a_minute_old_at_most_and_those_at_the_end_the_last() -> (
    None
):
    ages = seen_in_the_record(replace(LONG, gate_interval=5.0))
    assert len(ages) > 100
    assert max(ages) <= 66
