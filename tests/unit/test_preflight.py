"""What is refused before anything is changed, because it could only go wrong later."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.health import Failure
from bluegreen.domain.spec import HookPoint, HookSpec, RouteSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import HeldError, HookUnavailableError, RefusedError
from bluegreen.hooks.base import HookCall, Passed
from bluegreen.lifecycle.preflight import Problem, judge
from bluegreen.lifecycle.survey import survey
from tests.stage import NEW, PRODUCTION, SPEC, TEST, Recorder, ScriptedHook, Stage


def problems(stage: Stage) -> tuple[Problem, ...]:
    return judge(survey(stage.session("verify").world(Recorder()), stage.spec, NEW))


def refused(stage: Stage) -> Problem:
    """The only problem that refuses; a deploy is refused for it too, and changes nothing."""
    (problem,) = [problem for problem in problems(stage) if problem.severity == "refuse"]
    with pytest.raises(RefusedError):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    assert not stage.router.writes
    assert stage.compute.services["orders-2"].desired == 0
    return problem


def listener(stage: Stage) -> str:
    """The ARN of the production route's listener."""
    return next(arn for arn, route in stage.router.routes.items() if route.spec == PRODUCTION)


def test_a_test_route_that_is_a_production_route_by_another_name_is_refused() -> None:
    stage = Stage()
    stage.spec = replace(SPEC, test=RouteSpec(arn=listener(stage)))
    problem = refused(stage)
    assert problem.where == "test"
    assert "every user" in problem.message
    assert "prod:443" in problem.message


def test_one_listener_named_twice_in_production_is_refused() -> None:
    stage = Stage()
    stage.spec = replace(SPEC, production=(PRODUCTION, RouteSpec(arn=listener(stage))))
    problem = refused(stage)
    assert problem.where == "prod:443"
    assert "production names this listener more than once" in problem.message


def test_different_rules_of_one_listener_are_different_routes() -> None:
    rule = RouteSpec("prod", 443, rule={"path": "/api/*"})
    stage = Stage(replace(SPEC, production=(PRODUCTION, rule)))
    assert not problems(stage)


@dataclass
class NeverAskable(ScriptedHook):
    """Knows beforehand that it could not be asked, unless there is a test route."""

    def verify(self, call: HookCall) -> None:
        self.calls.append(call)
        if call.base_url is None:
            raise HookUnavailableError("there is no test route to ask through", hint="configure test:")


def with_hook(point: HookPoint, **changes: object) -> Stage:
    hook = replace(HookSpec(point, "smoke", "http"), **changes)  # type: ignore[arg-type]
    stage = Stage(replace(SPEC, test=None, hooks=(hook,)))
    stage.hooks["smoke"] = NeverAskable([Passed()])
    return stage


def test_a_hook_that_could_never_be_asked_is_refused_before_green_is_launched() -> None:
    problem = refused(with_hook(HookPoint.TEST))
    assert problem.where == "hooks.test: smoke"
    assert problem.message == "it could not be asked: there is no test route to ask through"
    assert problem.fix == "configure test:"


@pytest.mark.parametrize(
    "stage",
    [with_hook(HookPoint.TEST, dry_run=True), with_hook(HookPoint.ON_ROLLBACK), with_hook(HookPoint.ON_SUCCESS)],
    ids=["dry run", "on_rollback", "on_success"],
)
def test_a_hook_that_decides_nothing_and_could_never_be_asked_is_warned_of(stage: Stage) -> None:
    (problem,) = problems(stage)
    assert problem.severity == "warn"


def test_a_hook_is_not_blamed_for_a_test_route_that_is_not_found() -> None:
    stage = with_hook(HookPoint.TEST)
    stage.spec = replace(stage.spec, test=RouteSpec("prod", 8081))
    assert refused(stage).where == "test"


def test_a_hook_is_told_beforehand_where_it_would_ask() -> None:
    stage = with_hook(HookPoint.TEST)
    stage.spec = replace(stage.spec, test=TEST)
    stage.router.add(TEST, {stage.one.target_group_arn: 100}, url="http://prod.example:8080/")
    assert not problems(stage)
    stage.spec = replace(stage.spec, test_base_url="http://127.0.0.1:8080/")
    assert not problems(stage)
    assert [call.base_url for call in stage.hooks["smoke"].calls] == [
        "http://prod.example:8080",
        "http://127.0.0.1:8080",
    ]


def test_a_test_route_with_a_foreign_target_group_is_refused_as_a_production_route_is() -> None:
    stage = Stage()
    test = next(arn for arn, route in stage.router.routes.items() if route.spec == TEST)
    stage.router.set_weights(test, {stage.one.target_group_arn: 1, "arn:aws:x:targetgroup/mystery": 1})
    problem = refused(stage)
    assert problem.where == "prod:8080"
    assert "mystery" in problem.message


def without_blue() -> Stage:
    """Someone scaled the live slot to nothing."""
    stage = Stage()
    stage.compute.scale(stage.one, 0, lambda: None)
    return stage


def test_a_blue_without_tasks_is_refused_and_the_way_on_says_what_force_then_launches() -> None:
    (problem,) = problems(without_blue())
    assert problem.severity == "force"
    assert "one task" in problem.fix


def test_a_forced_deploy_beside_a_blue_without_tasks_launches_one_task_and_ends_well() -> None:
    stage = without_blue()
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder, force=True)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.compute.services["orders-2"].desired == 1
    assert stage.weights() == {"orders-2": 100}
    assert "green orders-2 launches 1 task of orders:2: blue runs none" in stage.recorder.text()


def test_a_forced_deploy_that_fails_puts_traffic_back_where_it_was() -> None:
    stage = without_blue()
    stage.compute.bad_images["registry.example/orders:2"] = Failure("pull failed", fatal=True)
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder, force=True)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}


def test_a_blue_that_loses_its_tasks_unasked_before_green_is_launched_holds() -> None:
    stage = Stage()

    def scale_in(when: str, name: str) -> None:
        if stage.phase() is Phase.LAUNCH:
            stage.on_call = lambda when, name: None
            stage.compute.scale(stage.one, 0, lambda: None)

    stage.on_call = scale_in
    with pytest.raises(HeldError, match="someone else changed blue orders-1: it is set to 0 tasks"):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
