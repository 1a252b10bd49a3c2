"""What green, or a metrics server, may answer: none of it ends a driver while users are on green."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.spec import Deadlines, GateSpec, HookPoint, HookSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import HookLostError, HookUnavailableError, PreemptedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Reading, Verdict, Watch
from bluegreen.hooks.kept import KeptGate, KeptHook
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.settings_gates import MeasuredSettings
from bluegreen.redact import Redactor
from bluegreen.store.codec import encode_deployment
from tests.stage import NEW, SPEC, ScriptedGate, ScriptedHook, Stage

CALL = HookCall(HookPoint.TEST, "smoke", 1, 9.0)
HALF = "a \ud800 b"
NOTHING: Any = {"a": float("inf"), "b": float("nan"), "c": 10**400, "d": 1}
SECRET = "hunter2hunter2"


def hook(answer: Verdict | Exception) -> KeptHook:
    return KeptHook(ScriptedHook([answer]), "hook smoke (test): http", Redactor([SECRET]))


def gate(read: Callable[[], Reading]) -> KeptGate:
    return KeptGate(ScriptedGate(read), "gate g: metric", Redactor([SECRET]))


def raising(error: Exception) -> Callable[[], Any]:
    def read() -> Reading:
        raise error

    return read


@pytest.mark.parametrize("error", [KeyError("value"), RecursionError("deep"), OverflowError(f"of {SECRET}")])
def test_what_nobody_expected_of_a_kind_of_ours_could_not_be_asked_and_tells_no_secret(error: Exception) -> None:
    asked: list[Callable[[], object]] = [
        lambda: hook(error).start(CALL),
        lambda: hook(error).poll("h"),
        lambda: gate(raising(error)).check(Watch()),
    ]
    for ask in asked:
        with pytest.raises(HookUnavailableError, match=f"could not make anything .*{type(error).__name__}") as raised:
            ask()
        assert SECRET not in raised.value.message


@pytest.mark.parametrize("error", [HookLostError("gone"), PreemptedError("taken"), HookUnavailableError("no host")])
def test_what_a_kind_of_ours_says_itself_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        hook(error).poll("h")
    with pytest.raises(type(error), match=str(error)):
        gate(raising(error)).check(Watch())


def test_half_a_character_and_a_number_that_is_none_are_kept_from_the_record() -> None:
    shown: Any = {"output": (HALF,), "numbers": NOTHING, "links": {HALF: HALF}}
    kept: Any = {"output": ("a ? b",), "numbers": {"d": 1.0}, "links": {"a ? b": "a ? b"}}
    assert hook(Passed(HALF, **shown)).start(CALL) == Passed("a ? b", **kept)
    assert hook(Failed(HALF, **shown)).poll("h") == Failed("a ? b", **kept)
    assert hook(Pending("h", 1.0, HALF, {"log": HALF})).start(CALL) == Pending("h", 1.0, "a ? b", {"log": "a ? b"})
    told = Reading("ok", HALF, NOTHING, {"text": HALF, "seen": [1, HALF]})
    assert gate(lambda: told).check(Watch()) == Reading(
        "ok", "a ? b", {"d": 1.0}, {"text": "a ? b", "seen": [1, "a ? b"]}
    )
    with pytest.raises(HookUnavailableError, match=r"^no \? host$"):
        hook(HookUnavailableError("no \ud800 host")).poll("h")


@pytest.mark.parametrize("broken", [Pending(HALF), Reading("ok", "x", memory={"rate": float("nan")})])
def test_what_no_record_can_keep_could_not_be_asked(broken: Any) -> None:
    with pytest.raises(HookUnavailableError):
        hook(broken).start(CALL) if isinstance(broken, Pending) else gate(lambda: broken).check(Watch())


# In a deployment


def run(stage: Stage) -> Deployment:
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder)
    encode_deployment(ended)
    return ended


@pytest.mark.parametrize(("bound", "end"), [({"max": 1.0}, Phase.ROLLED_BACK), ({"min": 0.5}, Phase.SUCCEEDED)])
def test_a_gate_that_divided_by_nothing_fires_or_passes_and_no_driver_dies_of_it(
    bound: dict[str, Any], end: Phase
) -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "prometheus"),)))
    around = Surroundings({}, Path("."), stage.clock)

    def measure(watch: Watch) -> float:
        return 0.75 if watch.since is None else float("inf")

    measured: Any = MeasuredGate("errors", MeasuredSettings(**bound), measure, around)
    stage.gates["errors"] = measured
    ended = run(stage)
    assert ended.phase is end
    if end is Phase.ROLLED_BACK:
        assert ended.rollback is not None
        assert ended.rollback.reason == "gate errors fired: errors is inf, allowed is at most 1"
        assert stage.weights() == {"orders-1": 100}


def test_a_gate_that_breaks_while_users_are_on_green_is_blind_and_blue_gets_them_back() -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "prometheus"),), deadlines=Deadlines(blind=30)))

    def read() -> Reading:
        if stage.phase() is Phase.SHIFT:
            raise KeyError("value")
        return Reading("ok", "fine")

    stage.gates["errors"] = ScriptedGate(read)
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "could not be asked for" in ended.rollback.reason
    assert stage.weights() == {"orders-1": 100}


@pytest.mark.parametrize("verdict", [Failed(HALF), Failed("no", (HALF,)), KeyError("value")])
def test_whatever_a_hook_answers_while_users_are_on_green_blue_gets_them_back(verdict: Verdict | Exception) -> None:
    stage = Stage(replace(SPEC, hooks=(HookSpec(HookPoint.AFTER_STEP, "smoke", "http"),)))
    stage.hooks["smoke"] = ScriptedHook([verdict])
    assert run(stage).phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
