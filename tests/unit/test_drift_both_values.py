"""A hold for drift names both values, what takes it back, and who knows the writer: of actions and of target groups."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.service import Control
from bluegreen.errors import AccessDeniedError, HeldError
from bluegreen.traffic.actions import besides_weights, difference
from tests.stage import Stage
from tests.unit.drift_kit import decide, held, run
from tests.unit.test_reverting import ATTRIBUTES, CHECK, COGNITO, furnished


def once_on_green(stage: Stage, act: Callable[[], object]) -> None:
    def on_call(when: str, name: str) -> None:
        if when == "after" and name == "store.renew" and stage.weights() == {"orders-2": 100}:
            stage.on_call = lambda when, name: None
            act()

    stage.on_call = on_call


def spoil(stage: Stage) -> None:
    stage.router.set_group(stage.two, {**CHECK, "HealthCheckPath": "/elsewhere"}, ATTRIBUTES)


def test_actions_that_someone_changed_are_named_as_they_are_and_as_they_were() -> None:
    stage = furnished(COGNITO)
    route = next(iter(stage.router.routes.values()))

    def take_out() -> None:
        route.actions = route.actions[1:]

    once_on_green(stage, take_out)
    said = held(stage).message
    assert "someone else changed the actions of prod:443" in said
    assert "now nothing in its place, before [" in said
    assert '"Type": "authenticate-cognito"' in said
    assert "aws cloudtrail lookup-events" in said
    assert "AttributeValue=ModifyListener" in said


def test_weights_that_someone_changed_are_held_with_the_command_that_asks_for_the_writer() -> None:
    stage = furnished()
    weights = {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50}
    once_on_green(stage, lambda: stage.router.set_weights(next(iter(stage.router.routes)), weights))
    said = held(stage).message
    assert "live is blue 50% / green 50%, this deployment wrote blue 0% / green 100%" in said
    assert "aws cloudtrail lookup-events" in said


def test_a_changed_stickiness_is_a_difference_and_weights_are_none() -> None:
    stage = furnished(COGNITO, sticky=60)
    route = next(iter(stage.router.routes.values()))
    before = json.dumps(route.actions)
    stage.router.set_weights(next(iter(stage.router.routes)), {stage.one.target_group_arn: 7})
    route.actions[-1]["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 60}
    assert difference(before, json.dumps(route.actions)) == ""
    route.actions[-1]["ForwardConfig"]["TargetGroupStickinessConfig"]["DurationSeconds"] = 90
    assert '"StickinessSeconds": 90' in difference(before, json.dumps(route.actions))
    assert besides_weights(before)[0]["Type"] == "authenticate-cognito"


def test_a_target_group_that_someone_changed_holds_before_blue_is_given_up_and_names_both_values() -> None:
    stage = furnished()
    once_on_green(stage, lambda: spoil(stage))
    error = held(stage)
    assert stage.phase() is Phase.TEARDOWN
    assert "target group orders-2: HealthCheckPath is /elsewhere, was /health" in error.message
    assert "aws elbv2 modify-target-group" in error.message
    assert "bluegreen resume orders --accept-live" in (error.hint or "")
    assert stage.compute.services["orders-1"].desired == 2, "blue is still there"


def test_a_changed_target_group_may_be_accepted_and_then_does_not_hold_again() -> None:
    stage = furnished()
    once_on_green(stage, lambda: spoil(stage))
    held(stage)
    ended = decide(stage, Control.ACCEPT_LIVE)
    assert ended.phase is Phase.SUCCEEDED
    assert [group.health_check["HealthCheckPath"] for group in ended.groups] == ["/health", "/elsewhere"]


def test_a_target_group_that_was_taken_back_lets_the_deployment_go_on() -> None:
    stage = furnished()
    once_on_green(stage, lambda: spoil(stage))
    held(stage)
    with pytest.raises(HeldError):
        decide(stage, Control.RESUME)
    stage.router.set_group(stage.two, CHECK, ATTRIBUTES)
    assert decide(stage, Control.RESUME).phase is Phase.SUCCEEDED


def test_target_groups_that_may_not_be_read_keep_no_deployment_from_its_end() -> None:
    stage = furnished()

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "router.settings" and stage.phase() is Phase.TEARDOWN:
            raise AccessDeniedError("not allowed")

    stage.on_call = on_call
    assert run(stage).phase is Phase.SUCCEEDED
