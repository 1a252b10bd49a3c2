"""The lifecycle from launch to teardown, and back, in a world in memory, driven by the real drivers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, HookStatus, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.health import Failure
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Control, Owner
from bluegreen.domain.spec import (
    AlreadyFiring,
    Consequence,
    Deadlines,
    GateSpec,
    HookPoint,
    HookSpec,
    RouteSpec,
    ShiftStep,
)
from bluegreen.drivers.foreground import deploy, preflight, resume, start
from bluegreen.drivers.inquiry import control, observe
from bluegreen.drivers.rollback import plan, rollback
from bluegreen.errors import (
    HeldError,
    HookLostError,
    HookUnavailableError,
    PreemptedError,
    QuarantinedError,
    RefusedError,
)
from bluegreen.hooks.base import Failed, Passed, Pending, Reading
from bluegreen.lifecycle.hooks.hooking import UNAVAILABLE_RETRIES
from bluegreen.traffic.actions import weights_of
from tests.stage import NEW, SPEC, Recorder, ScriptedGate, ScriptedHook, Stage

BAD = "registry.example/orders:2"
BEFORE_TRAFFIC = (HookPoint.BEFORE_LAUNCH, HookPoint.AFTER_LAUNCH, HookPoint.TEST, HookPoint.BEFORE_SHIFT)
WITH_TRAFFIC = (HookPoint.AFTER_STEP, HookPoint.AFTER_SHIFT, HookPoint.BAKE, HookPoint.BEFORE_TEARDOWN)


def run(stage: Stage, request: ReleaseRequest = NEW, **options: Any) -> Deployment:
    return deploy(stage.session(), stage.spec, request, stage.recorder, **options)


def hook(point: HookPoint, name: str = "smoke", **changes: object) -> HookSpec:
    return replace(HookSpec(point, name, "scripted"), **changes)  # type: ignore[arg-type]


def test_release_goes_from_launch_to_teardown_and_blue_is_scaled_in() -> None:
    stage = Stage()
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.weights() == {"orders-2": 100}
    assert stage.compute.services["orders-1"].desired == 0
    assert stage.compute.services["orders-2"].release.images == NEW.images
    assert [span.phase for span in ended.spans] == [
        Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN, Phase.SUCCEEDED,
    ]  # fmt: skip


def test_every_configured_wait_is_kept() -> None:
    stage = Stage()
    began = stage.clock.now()
    ended = run(stage)
    launch, test, shift, bake = ended.spans[1:5]
    assert (launch.ended_at or 0) - launch.began_at >= SPEC.health.settle
    assert (test.ended_at or 0) - test.began_at >= SPEC.settle
    assert (shift.ended_at or 0) - shift.began_at >= 60
    assert (bake.ended_at or 0) - bake.began_at >= 600
    assert stage.clock.now() - began < 60 + 600 + 3 * 10 + 15


def test_canary_gives_green_its_share_before_everything() -> None:
    stage = Stage()
    run(stage)
    shares = [event.data["green_percent"] for event in stage.recorder.events if event.kind is Kind.SPLIT]
    assert shares == [0.0, 5.0, 100.0]


def test_the_release_after_next_goes_back_to_the_first_slot() -> None:
    stage = Stage()
    run(stage)
    ended = run(stage, ReleaseRequest(images={"app": "registry.example/orders:3"}))
    assert (ended.blue.name, ended.green.name) == ("orders-2", "orders-1")
    assert stage.weights() == {"orders-1": 100}


def test_several_production_routes_move_together() -> None:
    routes = (RouteSpec("prod", 443), RouteSpec("prod", 443, rule={"path": "/api/*"}))
    stage = Stage(replace(SPEC, production=routes))
    run(stage)
    assert (stage.weights(0), stage.weights(1)) == ({"orders-2": 100}, {"orders-2": 100})


@pytest.mark.parametrize(
    "point", [HookPoint.BEFORE_LAUNCH, HookPoint.AFTER_LAUNCH, HookPoint.TEST, HookPoint.BEFORE_SHIFT]
)
def test_failed_hook_before_shift_leaves_traffic_on_blue(point: HookPoint) -> None:
    stage = Stage(replace(SPEC, hooks=(hook(point),)))
    stage.hooks["smoke"] = ScriptedHook([Failed("version is 1, not 2")])
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "version is 1, not 2" in ended.rollback.reason
    assert stage.weights() == {"orders-1": 100}
    assert all(weights.get(stage.two.target_group_arn, 0) == 0 for weights in written(stage))
    assert stage.compute.services["orders-2"].desired == 0


def written(stage: Stage) -> list[dict[str, int]]:
    """Weights by target group of every write to the production route."""
    production = next(iter(stage.router.routes))
    return [dict(weights_of(actions[-1])) for arn, actions in stage.router.writes if arn == production]


@pytest.mark.parametrize(
    "point", [HookPoint.AFTER_STEP, HookPoint.AFTER_SHIFT, HookPoint.BAKE, HookPoint.BEFORE_TEARDOWN]
)
def test_failed_hook_with_traffic_on_green_puts_blue_back(point: HookPoint) -> None:
    stage = Stage(replace(SPEC, hooks=(hook(point),)))
    stage.hooks["smoke"] = ScriptedHook([Failed("no")])
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
    assert stage.compute.services["orders-1"].desired == 2


def test_failed_hook_after_success_is_told_and_changes_nothing() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.ON_SUCCESS),)))
    stage.hooks["smoke"] = ScriptedHook([Failed("the chat is down")])
    assert run(stage).phase is Phase.SUCCEEDED
    assert "the chat is down" in stage.recorder.text()


def test_hook_is_told_where_to_send_its_requests_and_what_it_tests() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST),)))
    stage.hooks["smoke"] = ScriptedHook([Passed("ok")])
    run(stage)
    call = stage.hooks["smoke"].calls[0]
    assert call.base_url == "http://prod.example:8080"
    assert (call.facts["green"], call.facts["release"]) == ("orders-2", "orders:2")


def test_failed_hook_is_tried_again_with_growing_pauses() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST, retries=2, backoff=4.0),)))
    stage.hooks["smoke"] = ScriptedHook([Failed("cold"), Failed("cold"), Passed("warm")])
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert ended.hooks[0].attempts == 3


def test_hook_that_never_answers_is_cancelled_at_its_timeout() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST, timeout=30.0),)))
    stage.hooks["smoke"] = ScriptedHook([Pending("h1", 1.0)])
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.hooks["smoke"].cancelled == ["h1"]
    assert "no answer within 30 s" in ended.hooks[0].detail


def test_hook_that_cannot_be_asked_is_not_a_failed_one() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST, unavailable=Consequence.HOLD),)))
    stage.hooks["smoke"] = ScriptedHook([HookUnavailableError("no route to the test host")])
    with pytest.raises(HeldError, match="could not be asked"):
        run(stage)
    assert stage.latest().hooks[0].status is HookStatus.UNAVAILABLE
    assert stage.weights() == {"orders-1": 100}


def test_hook_that_cannot_be_asked_while_it_runs_is_asked_a_few_times_and_no_more() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST),)))
    stage.hooks["smoke"] = ScriptedHook([Pending("h1"), HookUnavailableError("no such host")] * 20)
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert len(stage.hooks["smoke"].calls) == 1 + UNAVAILABLE_RETRIES


def test_hook_whose_driver_died_is_started_again_and_says_so() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST),)))
    stage.hooks["smoke"] = ScriptedHook([Pending("h1"), HookLostError("its process ended"), Passed("fine")])
    assert run(stage).phase is Phase.SUCCEEDED
    assert "was interrupted with its driver" in stage.recorder.text()


def test_green_that_cannot_start_is_recognised_long_before_the_deadline() -> None:
    stage = Stage()
    stage.compute.bad_images[BAD] = Failure("orders-2: container app exited with code 1 three times", fatal=True)
    began = stage.clock.now()
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "exited with code 1 three times" in ended.rollback.reason
    assert stage.clock.now() - began < SPEC.deadlines.launch / 10


def test_green_that_never_gets_healthy_is_rolled_back_at_the_deadline() -> None:
    stage = Stage()
    stage.compute.bad_images[BAD] = Failure("health checks failed with code 503")
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
    assert stage.compute.services["orders-2"].desired == 0


def test_gate_that_fires_during_the_canary_puts_blue_back() -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm"),)))
    stage.gates["errors"] = ScriptedGate(
        lambda: Reading("firing", "5.0 > 1.0") if "orders-2" in stage.weights() else Reading("ok", "")
    )
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert ended.rollback.from_phase is Phase.SHIFT
    assert [e.data["green_percent"] for e in stage.recorder.events if e.kind is Kind.SPLIT] == [0.0, 5.0, 0.0]


def test_gate_that_fires_while_someone_is_waited_for_before_the_teardown_puts_blue_back() -> None:
    hooks = (HookSpec(HookPoint.BEFORE_TEARDOWN, "notes read", "approval", {}, timeout=86_400),)
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm"),), hooks=hooks))
    stage.hooks["notes read"] = ScriptedHook([Pending("h1", 30.0, asks=True)])
    stage.gates["errors"] = ScriptedGate(
        lambda: Reading("firing", "5.0 > 1.0") if stage.phase() is Phase.TEARDOWN else Reading("ok", "")
    )
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert ended.rollback.from_phase is Phase.TEARDOWN
    assert ended.rollback.reason == "gate errors fired: 5.0 > 1.0", "and not the end of the approval's day"
    assert stage.compute.services["orders-1"].desired == 2
    assert stage.weights() == {"orders-1": 100}


def test_gate_that_fires_before_anything_was_changed_refuses_the_deploy() -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm"),)))
    stage.gates["errors"] = ScriptedGate(lambda: Reading("firing", "5.0 > 1.0"))
    with pytest.raises(RefusedError, match="fires before anything was changed"):
        run(stage)
    assert not stage.router.writes


def test_gate_that_fired_already_and_is_ignored_counts_again_once_it_was_quiet() -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm", already_firing=AlreadyFiring.IGNORE),)))
    readings = iter([Reading("firing", "old")] * 3 + [Reading("ok", "")] + [Reading("firing", "new")] * 999)
    stage.gates["errors"] = ScriptedGate(lambda: next(readings))
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert "new" in ended.rollback.reason


def test_gate_that_cannot_be_read_is_no_consent() -> None:
    def broken() -> Reading:
        raise HookUnavailableError("CloudWatch does not answer")

    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm"),), deadlines=Deadlines(blind=20)))
    checks = iter(range(999))
    stage.gates["errors"] = ScriptedGate(lambda: broken() if next(checks) else Reading("ok", ""))
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert "could not be asked" in (ended.rollback.reason if ended.rollback else "")


def test_green_that_dies_during_the_bake_is_rolled_back() -> None:
    stage = Stage()

    def die(when: str, name: str) -> None:
        if stage.memory.service("orders").active and stage.latest().phase is Phase.BAKE:
            stage.compute.mark(stage.two, "unhealthy")

    stage.on_call = die
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.rollback is not None
    assert ended.rollback.from_phase is Phase.BAKE
    assert stage.weights() == {"orders-1": 100}


def test_weights_written_by_someone_else_hold_the_deployment_and_name_both() -> None:
    stage = Stage()

    def interfere(when: str, name: str) -> None:
        if name == "router.modify" and when == "after" and stage.weights().get("orders-2") == 5:
            production = next(iter(stage.router.routes))
            stage.router.set_weights(production, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})
            stage.on_call = lambda when, name: None

    stage.on_call = interfere
    with pytest.raises(HeldError, match=r"live is blue 50% / green 50%.*wrote blue 95% / green 5%") as held:
        run(stage)
    assert "--accept-live" in (held.value.hint or "")
    assert stage.weights() == {"orders-1": 50, "orders-2": 50}


def held_by_drift() -> Stage:
    stage = Stage()

    def interfere(when: str, name: str) -> None:
        if name == "router.modify" and when == "after" and stage.weights().get("orders-2") == 5:
            production = next(iter(stage.router.routes))
            stage.router.set_weights(production, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})
            stage.on_call = lambda when, name: None

    stage.on_call = interfere
    with pytest.raises(HeldError):
        run(stage)
    return stage


@pytest.mark.parametrize("wish", [Control.ACCEPT_LIVE, Control.REASSERT])
def test_held_deployment_goes_on_as_the_person_decides(wish: Control) -> None:
    stage = held_by_drift()
    control(stage.session("resume"), "orders", wish)
    ended = resume(stage.session("resume"), "orders", stage.recorder)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.weights() == {"orders-2": 100}


def test_rollback_overrides_drift_and_says_so() -> None:
    stage = held_by_drift()
    recorder = Recorder()
    ended = rollback(stage.session("rollback"), "orders", recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert "written by someone else; the rollback overrides it" in recorder.text()


def test_rollback_from_elsewhere_stops_the_running_driver() -> None:
    stage = Stage()
    other = Recorder()

    def call_the_on_call(when: str, name: str) -> None:
        if when == "before" and name == "store.service" and stage.phase() is Phase.BAKE:
            stage.on_call = lambda when, name: None
            rollback(
                stage.session("rollback", host="phone"),
                "orders",
                other,
                reason="pager",
                finisher=lambda session, d: "later",
            )

    stage.on_call = call_the_on_call
    with pytest.raises(PreemptedError, match="phone"):
        run(stage)
    assert stage.weights() == {"orders-1": 100}


def test_after_the_driver_said_it_stopped_the_rollback_says_safe() -> None:
    stage = Stage()
    session = stage.session()
    lease = stage.memory.acquire("orders", session.owner, now=stage.clock.now())
    started = start(session, stage.spec, NEW, lease, stage.recorder, force=False)
    recorder = Recorder()

    def stop(when: str, name: str) -> None:
        if name == "store.renew":
            stage.memory.yield_token("orders", lease.token)

    stage.on_call = stop
    ended = rollback(stage.session("rollback", host="phone"), "orders", recorder)
    assert ended.id == started.id
    assert Kind.TAKEOVER in recorder.kinds()
    assert Kind.SAFE in recorder.kinds()


def test_rollback_after_teardown_is_a_redeployment_of_the_last_known_good_release() -> None:
    stage = Stage()
    run(stage)
    run(stage, ReleaseRequest(images={"app": "registry.example/orders:3"}))
    planned = plan(stage.session("rollback"), "orders")
    assert planned.klass == "redeployment"
    assert planned.target is not None
    assert planned.target.images == NEW.images
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.compute.services[ended.green.name].release.images == NEW.images


def test_rollback_without_any_deployment_refuses_and_says_why() -> None:
    with pytest.raises(RefusedError, match="no deployment"):
        rollback(Stage().session("rollback"), "orders", Recorder())


def test_rollback_launches_a_blue_that_was_scaled_in_before_it_gets_traffic() -> None:
    stage = Stage(drains_after=50)

    def die(when: str, name: str) -> None:
        if (
            when == "before"
            and name == "compute.health"
            and stage.phase() is Phase.TEARDOWN
            and stage.latest().retired_at
        ):
            raise KeyboardInterrupt

    stage.on_call = die
    with pytest.raises(BaseException, match="detached"):
        run(stage)
    stage.on_call = lambda when, name: None
    stage.compute.kill(stage.one)
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
    assert stage.compute.services["orders-1"].desired == 2


def test_quarantined_release_needs_force() -> None:
    stage = Stage(replace(SPEC, hooks=(hook(HookPoint.TEST),)))
    stage.hooks["smoke"] = ScriptedHook([Failed("bad")])
    run(stage)
    stage.hooks["smoke"] = ScriptedHook([Passed("good")])
    with pytest.raises(QuarantinedError, match="rolled back by deployment"):
        run(stage)
    forced = run(stage, force=True)
    assert forced.phase is Phase.SUCCEEDED
    state = stage.memory.service("orders")
    assert state.quarantine == (), "it proved good: a rollback from the next release goes back to it"
    assert [entry.release for entry in state.known_good] == [forced.release]


def test_pause_holds_and_resume_goes_on() -> None:
    stage = Stage()
    wished: list[int] = []

    def ask(when: str, name: str) -> None:
        if when == "after" and name == "store.service" and not wished and stage.phase() is Phase.SHIFT:
            wished.append(1)
            control(stage.session("pause"), "orders", Control.PAUSE, "lunch")

    stage.on_call = ask
    with pytest.raises(HeldError, match=r"paused by ada@.*: lunch"):
        run(stage)
    control(stage.session("resume"), "orders", Control.RESUME)
    assert resume(stage.session("resume"), "orders", stage.recorder).phase is Phase.SUCCEEDED


def test_promote_skips_the_remaining_waits() -> None:
    stage = Stage(replace(SPEC, shift=(ShiftStep(5, 600), ShiftStep(50, 600), ShiftStep(100, 0))))
    began = stage.clock.now()
    wished: list[int] = []

    def ask(when: str, name: str) -> None:
        if when == "after" and name == "store.service" and not wished and stage.phase() is Phase.SHIFT:
            wished.append(1)
            control(stage.session("promote"), "orders", Control.PROMOTE)

    stage.on_call = ask
    assert run(stage).phase is Phase.SUCCEEDED
    assert stage.clock.now() - began < 120


def test_held_for_longer_than_allowed_goes_back_to_blue() -> None:
    stage = held_by_drift()
    stage.clock.sleep(SPEC.deadlines.hold or 0)
    assert resume(stage.session("resume"), "orders", stage.recorder).phase is Phase.ROLLED_BACK


def test_green_follows_blue_when_blue_was_scaled_out() -> None:
    stage = Stage()

    def scale_out(when: str, name: str) -> None:
        if when == "after" and name == "compute.launch":
            stage.on_call = lambda when, name: None
            stage.compute.scale(stage.one, 4, lambda: None)

    stage.on_call = scale_out
    assert run(stage).phase is Phase.SUCCEEDED
    assert stage.compute.services["orders-2"].desired == 4


def test_preflight_tells_every_problem_at_once_and_changes_nothing() -> None:
    stage = Stage(replace(SPEC, gates=(GateSpec("errors", "alarm"),)))
    stage.gates["errors"] = ScriptedGate(lambda: Reading("firing", "9 > 1"))
    production = next(iter(stage.router.routes))
    stage.router.set_weights(production, {stage.one.target_group_arn: 50, "arn:aws:x:targetgroup/mystery": 50})

    class Loaded:
        spec = stage.spec

    problems = preflight(stage.session("verify"), Loaded(), NEW)  # type: ignore[arg-type]
    text = " ".join(problem.message for problem in problems)
    assert "mystery" in text
    assert "fires before" in text
    assert not stage.router.writes


def test_status_shows_the_record_beside_the_live_world() -> None:
    stage = held_by_drift()
    status = observe(stage.session("status"), "orders")
    assert status.deployment is not None
    assert next(iter(status.observation.live.values())).green_percent == 50
    assert status.observation.slots["orders-2"].healthy == 2


def test_second_deploy_is_refused_while_one_runs() -> None:
    stage = held_by_drift()
    with pytest.raises(RefusedError, match="unfinished"):
        run(stage)


def test_owner_is_named_so_that_a_person_finds_the_process() -> None:
    assert str(Owner("ada", "laptop", 7, "deploy")) == "ada@laptop (pid 7, deploy)"
