"""What a gate's word does: nothing goes on because a gate failed to measure, and nobody is asked the same twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bluegreen.domain.deployment import Deployment, HoldKind, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.facts import FACTS
from bluegreen.domain.service import Control
from bluegreen.domain.spec import Consequence, Deadlines, GateSpec, ShiftStep, Undecided
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.errors import ConfigurationError, HeldError, HookUnavailableError, RefusedError
from bluegreen.hooks.base import Reading, Watch
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.settings_gates import MeasuredSettings
from bluegreen.lifecycle.preflight import judge
from bluegreen.lifecycle.survey import survey
from bluegreen.lifecycle.watch.gate_facts import gate_facts
from tests.stage import NEW, SPEC, ScriptedGate, Stage

TWO_MINUTES = (ShiftStep(5, 60, at_most=120), ShiftStep(100, 0))


def staged(*gates: GateSpec, **changes: Any) -> Stage:
    return Stage(replace(SPEC, gates=gates, **changes))


def says(stage: Stage, name: str, read: Any) -> ScriptedGate:
    """``read`` answers readings or their states; an exception is raised."""

    def check() -> Reading:
        found = read()
        if isinstance(found, Exception):
            raise found
        return Reading(found, f"scripted {found}") if isinstance(found, str) else found

    return stage.gates.setdefault(name, ScriptedGate(check))


def in_turn(*states: Any) -> Any:
    answers: Iterator[Any] = itertools.chain(states, itertools.repeat(states[-1]))
    return lambda: next(answers)


def run(stage: Stage) -> Deployment:
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


def held(stage: Stage) -> Deployment:
    with pytest.raises(HeldError):
        run(stage)
    return stage.latest()


def go_on(stage: Stage, wish: Control = Control.RESUME) -> Deployment:
    control(stage.session(), "orders", wish)
    return resume(stage.session(), "orders", stage.recorder)


def seconds_in(d: Deployment, phase: Phase) -> float:
    return sum((span.ended_at or 0) - span.began_at for span in d.spans if span.phase is phase)


def test_an_inconclusive_gate_holds_for_a_person_with_its_numbers_and_the_way_out() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", lambda: "ok" if stage.phase() is not Phase.SHIFT else "inconclusive")
    hold = held(stage).hold
    assert hold is not None
    assert hold.kind is HoldKind.INCONCLUSIVE
    assert hold.reason == "gate errors cannot tell: scripted inconclusive"
    for way in ("bluegreen resume orders", "bluegreen promote orders", "bluegreen rollback orders"):
        assert way in hold.way_out
    assert stage.weights() == {"orders-1": 95, "orders-2": 5}


@pytest.mark.parametrize("wish", [Control.RESUME, Control.PROMOTE])
def test_what_a_person_let_pass_holds_no_more(wish: Control) -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", lambda: "inconclusive" if stage.phase() is Phase.SHIFT else "ok")
    held(stage)
    assert go_on(stage, wish).phase is Phase.SUCCEEDED


def test_a_wish_to_promote_is_not_lost_to_the_resume_that_drives_it() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", lambda: "inconclusive" if stage.phase() is Phase.SHIFT else "ok")
    held(stage)
    control(stage.session(), "orders", Control.PROMOTE)
    ended = go_on(stage)
    assert ended.promoted
    assert ended.phase is Phase.SUCCEEDED
    assert seconds_in(ended, Phase.BAKE) < 60


def test_what_a_person_let_pass_still_turns_back_when_it_fires() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", in_turn("ok", "ok", "inconclusive", "inconclusive", "firing"))
    held(stage)
    assert go_on(stage).phase is Phase.ROLLED_BACK


def test_what_a_person_let_pass_asks_again_once_it_was_ok() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", in_turn("ok", "ok", "inconclusive", "inconclusive", "ok", "inconclusive"))
    held(stage)
    with pytest.raises(HeldError, match="gate errors cannot tell"):
        go_on(stage)


def test_the_bake_asks_anew() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", lambda: "ok" if stage.phase() in (None, Phase.PENDING) else "inconclusive")
    held(stage)
    with pytest.raises(HeldError):
        go_on(stage)
    assert stage.phase() is Phase.BAKE
    assert go_on(stage).phase is Phase.SUCCEEDED


def test_the_time_a_person_takes_counts_for_no_deadline() -> None:
    stage = staged(GateSpec("errors", "metric"), deadlines=Deadlines(shift=60, hold=None))
    says(stage, "errors", lambda: "inconclusive" if stage.phase() is Phase.SHIFT else "ok")
    held(stage)
    stage.clock.sleep(50_000)
    assert go_on(stage).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("meaning", "end"), [(Undecided.GO_ON, Phase.SUCCEEDED), (Undecided.ROLL_BACK, Phase.ROLLED_BACK)]
)
def test_what_inconclusive_means_is_configured(meaning: Undecided, end: Phase) -> None:
    stage = staged(GateSpec("errors", "metric", inconclusive=meaning))
    says(stage, "errors", lambda: "inconclusive")
    assert run(stage).phase is end


def test_what_goes_on_without_a_verdict_says_so() -> None:
    stage = staged(GateSpec("versus", "compare", inconclusive=Undecided.GO_ON))
    says(stage, "versus", lambda: Reading("not_yet", "too few", done=stage.phase() is Phase.BAKE))
    run(stage)
    told = [event.message for event in stage.recorder.events if event.kind is Kind.WARNING]
    assert told == ["gate versus cannot tell: too few; it goes on, as inconclusive: go_on says"]


def test_a_gate_that_fires_decides_before_one_that_cannot_tell() -> None:
    stage = staged(GateSpec("first", "metric"), GateSpec("second", "alarm"))
    says(stage, "first", lambda: "inconclusive")
    says(stage, "second", lambda: "firing" if stage.phase() is Phase.SHIFT else "ok")
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback
    assert "gate second fired" in ended.rollback.reason


def test_green_does_not_pass_its_first_step_before_every_gate_has_measured() -> None:
    stage = staged(GateSpec("errors", "metric"))
    shifted: list[float] = []

    def read() -> str:
        since = stage.latest().watched_since if stage.phase() is Phase.SHIFT else None
        if since is not None:
            shifted.append(since)
        return "no_data" if since is not None and stage.clock.now() - since < 150 else "ok"

    says(stage, "errors", read)
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert 150 <= seconds_in(ended, Phase.SHIFT) < 165, "60 s were configured"


def test_a_release_does_not_succeed_because_every_measurement_failed_to_measure() -> None:
    stage = staged(GateSpec("errors", "metric"), deadlines=Deadlines(no_data=120))
    says(stage, "errors", lambda: "no_data")
    hold = held(stage).hold
    assert hold is not None
    assert hold.kind is HoldKind.INCONCLUSIVE
    assert stage.clock.now() - hold.since < 1
    assert hold.since - (stage.latest().watched_since or 0) == pytest.approx(60 + 120, abs=5)
    assert stage.weights() == {"orders-1": 95, "orders-2": 5}


def test_the_bake_does_not_end_on_the_word_of_a_gate_that_fell_silent_before_it() -> None:
    stage = staged(GateSpec("errors", "metric"), deadlines=Deadlines(no_data=120))
    says(stage, "errors", lambda: "no_data" if stage.phase() is Phase.BAKE else "ok")
    assert held(stage).phase is Phase.BAKE
    assert "orders-1" in {slot for slot, service in stage.compute.services.items() if service.desired}


def test_one_real_measurement_is_enough_whatever_comes_after() -> None:
    stage = staged(GateSpec("errors", "metric"))
    count = itertools.count()
    says(stage, "errors", lambda: "ok" if next(count) % 3 == 0 else "no_data")
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert seconds_in(ended, Phase.SHIFT) < 70


def test_a_gate_that_cannot_be_asked_is_no_measurement_either() -> None:
    stage = staged(GateSpec("errors", "metric"), deadlines=Deadlines(blind=90))
    says(stage, "errors", lambda: HookUnavailableError("gone") if stage.phase() is Phase.SHIFT else "ok")
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert seconds_in(ended, Phase.SHIFT) >= 90


def test_a_gate_that_cannot_be_built_where_the_driver_runs_cannot_be_asked_from_there() -> None:
    stage = staged(GateSpec("errors", "metric"), deadlines=Deadlines(blind=90, on_hold=Consequence.HOLD))
    missing = ConfigurationError("gate errors: url: the environment has no variable PROMETHEUS")
    says(stage, "errors", lambda: missing if stage.phase() is Phase.SHIFT else "ok")
    hold = held(stage).hold
    assert hold is not None
    assert hold.kind is HoldKind.UNAVAILABLE
    assert "the environment has no variable PROMETHEUS" in hold.reason


def test_a_step_does_not_wait_for_a_gate_that_is_to_be_measured_later_but_the_bake_does() -> None:
    stage = staged(GateSpec("errors", "metric"), bake=60)
    measured: list[float] = []

    def measure(watch: Watch) -> float:
        measured.append(stage.clock.now() - (watch.first or 0))
        return 1.0

    settings = MeasuredSettings.model_validate({"max": 5, "initial_delay": "10m"})
    gate = MeasuredGate("errors", settings, measure, Surroundings({}, Path("/"), stage.clock))
    stage.gates["errors"] = cast(Any, gate)
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert seconds_in(ended, Phase.SHIFT) < 70
    assert seconds_in(ended, Phase.BAKE) >= 530
    assert min(at for at in measured if at < 1e6) == pytest.approx(600, abs=6)


def test_the_first_step_needs_no_more_time_for_gates_that_are_quiet() -> None:
    stage = staged(GateSpec("errors", "metric"), shift=(ShiftStep(5, 0), ShiftStep(100, 0)), bake=0)
    says(stage, "errors", lambda: "ok")
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert seconds_in(ended, Phase.SHIFT) == 0


def test_a_driver_that_takes_over_tells_a_gate_what_the_one_before_it_knew() -> None:
    stage = staged(GateSpec("errors", "metric"))
    kept = Reading("inconclusive", "so far", memory={"seen": [1, 2]})
    gate = says(stage, "errors", lambda: kept if stage.phase() is Phase.SHIFT else "ok")
    held(stage)
    gate.told.clear()
    go_on(stage)
    assert gate.told[0].memory == {"seen": [1, 2]}


def test_the_record_is_written_once_a_minute_at_most_for_numbers_that_move() -> None:
    stage = staged(GateSpec("errors", "metric"))
    values = itertools.count()
    says(stage, "errors", lambda: Reading("ok", f"is {next(values)}"))
    plain = Stage(SPEC)
    run(plain), run(stage)
    minutes = (SPEC.bake + SPEC.shift[0].wait) / 60
    assert len(saves(stage)) <= len(saves(plain)) + 3 + minutes, (
        "one for each beginning: before the shift, in it, in the bake"
    )


def saves(stage: Stage) -> list[str]:
    return [call for call in stage.calls if call == "store.save"]


def watched(stage: Stage, gate: ScriptedGate) -> Iterable[Watch]:
    return [watch for watch in gate.told if watch.since is not None]


def test_comparisons_are_told_when_both_sides_have_traffic() -> None:
    stage = staged(GateSpec("versus", "compare"))
    gate = says(stage, "versus", lambda: "ok")
    run(stage)
    assert [watch.comparing for watch in gate.told if watch.since is None] == [False, False]
    told = [watch.comparing for watch in watched(stage, gate)]
    assert told == sorted(told, reverse=True)
    assert {True, False} == set(told)


def until_verdict(stage: Stage, after: float, state: str) -> None:
    def read() -> str:
        if stage.phase() is Phase.BAKE:
            return "ok"
        since = stage.latest().watched_since if stage.phase() is Phase.SHIFT else None
        return state if since is not None and stage.clock.now() - since >= after else "not_yet"

    says(stage, "versus", read)


@pytest.mark.parametrize(("after", "took"), [(10, 60), (90, 90)])
def test_a_step_ends_with_the_verdict_but_not_before_its_least_time(after: float, took: float) -> None:
    stage = staged(GateSpec("versus", "compare"), shift=TWO_MINUTES)
    until_verdict(stage, after, "ok")
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert took <= seconds_in(ended, Phase.SHIFT) < took + 6


def test_a_bad_verdict_ends_the_step_at_once() -> None:
    stage = staged(GateSpec("versus", "compare"), shift=TWO_MINUTES)
    until_verdict(stage, 10, "firing")
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert seconds_in(ended, Phase.SHIFT) < 20


def test_no_verdict_within_the_bound_is_inconclusive() -> None:
    stage = staged(GateSpec("versus", "compare"), shift=TWO_MINUTES)
    until_verdict(stage, 1e9, "ok")
    hold = held(stage).hold
    assert hold is not None
    assert hold.kind is HoldKind.INCONCLUSIVE
    assert hold.since - (stage.latest().watched_since or 0) == pytest.approx(120, abs=1)
    assert go_on(stage).phase is Phase.SUCCEEDED


def test_a_plain_canary_waits_its_time_and_asks_if_there_is_no_verdict_by_then() -> None:
    stage = staged(GateSpec("versus", "compare"))
    until_verdict(stage, 1e9, "ok")
    assert held(stage).hold is not None
    assert stage.clock.now() - (stage.latest().watched_since or 0) == pytest.approx(60, abs=1)


def test_of_many_steps_only_the_last_before_all_traffic_asks_for_a_verdict() -> None:
    steps = (ShiftStep(5, 10), ShiftStep(20, 10), ShiftStep(50, 10), ShiftStep(100, 0))
    stage = staged(GateSpec("versus", "compare"), shift=steps)
    until_verdict(stage, 1e9, "ok")
    assert held(stage).step == 2


def test_what_a_verdict_still_needs_is_shown_while_it_is_waited_for() -> None:
    stage = staged(GateSpec("versus", "compare"), shift=TWO_MINUTES)
    shown: list[str] = []

    def read() -> Any:
        if stage.phase() is Phase.SHIFT and (waiting := stage.latest().waiting):
            shown.append(waiting.reason)
        return Reading("not_yet", "needs about 1,200 more requests on green, about 3 min")

    says(stage, "versus", read)
    held(stage)
    assert any("gate versus: needs about 1,200 more requests on green, about 3 min; at most" in text for text in shown)


def test_a_gate_without_a_verdict_left_to_give_is_not_waited_for() -> None:
    stage = staged(GateSpec("versus", "compare", inconclusive=Undecided.GO_ON))
    says(stage, "versus", lambda: Reading("not_yet", "over", done=stage.phase() is Phase.BAKE))
    assert run(stage).phase is Phase.SUCCEEDED


def test_before_anything_changes_a_gate_is_read_as_soon_as_it_can_be_told_what_it_names() -> None:
    told = "${green_target_group} ${blue} ${load_balancer}"
    stage = staged(
        GateSpec("plain", "alarm", {"alarm": "a"}),
        GateSpec("green", "metric", {"metrics": {"m": {"dimensions": {"TargetGroup": told}}}}),
        GateSpec("release", "prometheus", {"query": "x{release='${release}'}"}),
        GateSpec("versus", "compare"),
    )
    gates = {spec.name: says(stage, spec.name, lambda: "ok") for spec in stage.spec.gates}
    found = survey(stage.session().world(stage.recorder), stage.spec, NEW)
    assert {name: len(gate.told) for name, gate in gates.items()} == {"plain": 1, "green": 1, "release": 0, "versus": 1}
    assert set(found.gates) == {"plain", "green", "versus"}


def test_a_gate_is_told_the_deployments_slots_as_cloudwatchs_dimensions_have_them() -> None:
    stage = staged(GateSpec("errors", "metric"))
    says(stage, "errors", lambda: "ok")
    facts = gate_facts(run(stage))
    assert set(facts) == set(FACTS)
    assert facts["green"] == "orders-2"
    assert facts["green_target_group"] == stage.two.target_group_arn.rpartition(":")[2]
    assert facts["load_balancer"] == "/".join(stage.latest().routes[0].arn.rpartition(":")[2].split("/")[1:4])
    assert facts["release"] == (stage.latest().release or stage.latest().previous).id


def test_a_gate_that_cannot_be_read_refuses_the_deployment_before_anything_is_changed() -> None:
    stage = staged(GateSpec("versus", "compare"))
    says(stage, "versus", lambda: HookUnavailableError("CloudWatch: not allowed: cloudwatch:GetMetricData"))
    problems = judge(survey(stage.session().world(stage.recorder), stage.spec, NEW))
    assert [(each.severity, each.where) for each in problems] == [("refuse", "gate versus")]
    assert "GetMetricData" in problems[0].message
    with pytest.raises(RefusedError):
        run(stage)
    assert stage.phase() is None
