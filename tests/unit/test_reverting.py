"""A rollback restores the whole route by construction, and says what else changed that it did not revert."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Control
from bluegreen.domain.spec import RouteSpec
from bluegreen.drivers.foreground import deploy, preflight, resume
from bluegreen.drivers.inquiry import control, observe
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import AccessDeniedError, DetachedError, HeldError
from bluegreen.report.data import deployment_data
from bluegreen.report.status import status_lines
from bluegreen.traffic.actions import Action
from tests.stage import NEW, Recorder, Stage

COGNITO: Action = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {"UserPoolArn": "arn:pool", "UserPoolClientId": "client", "UserPoolDomain": "login"},
}
OIDC: Action = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {"Issuer": "https://id.test", "ClientId": "client", "Scope": "openid"},
}
CHECK = {"HealthCheckPath": "/health", "HealthCheckIntervalSeconds": "5", "Matcher.HttpCode": "200,204"}
ATTRIBUTES = {"deregistration_delay.timeout_seconds": "30", "stickiness.enabled": "false"}


def furnished(*logins: Action, sticky: int | None = None) -> Stage:
    """Target groups with settings, and a production route that logs users in."""
    stage = Stage()
    for slot in (stage.one, stage.two):
        stage.router.set_group(slot, CHECK, ATTRIBUTES)
    route = next(iter(stage.router.routes.values()))
    stickiness: dict[str, Any] = {"Enabled": sticky is not None}
    if sticky:
        stickiness["DurationSeconds"] = sticky
    config = {**route.actions[-1]["ForwardConfig"], "TargetGroupStickinessConfig": stickiness}
    route.actions = [*logins, {**route.actions[-1], "Order": len(logins) + 1, "ForwardConfig": config}]
    return stage


def run(stage: Stage, request: ReleaseRequest = NEW) -> Deployment:
    return deploy(stage.session(), stage.spec, request, stage.recorder)


def stop_in_bake(stage: Stage) -> None:
    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "compute.health" and stage.phase() is Phase.BAKE:
            raise KeyboardInterrupt

    stage.on_call = on_call
    with pytest.raises(DetachedError):
        run(stage)
    stage.on_call = lambda when, name: None


def back(stage: Stage, recorder: Recorder | None = None) -> Deployment:
    return rollback(stage.session("rollback"), "orders", recorder or Recorder())


@pytest.mark.parametrize("login", [COGNITO, OIDC], ids=["cognito", "oidc"])
@pytest.mark.parametrize("sticky", [None, 600])
def test_rollback_leaves_the_route_as_it_was_before_the_deployment(login: Action, sticky: int | None) -> None:
    stage = furnished(login, sticky=sticky)
    stop_in_bake(stage)
    ended = back(stage)
    assert stage.weights() == {"orders-1": 100}
    then = json.loads(ended.routes[0].before)
    now = copy.deepcopy(next(iter(stage.router.routes.values())).actions)
    assert [action["Type"] for action in now] == [login["Type"], "forward"]
    for before, after in zip(then, now, strict=True):
        (after.get("AuthenticateOidcConfig") or {}).pop("UseExistingClientSecret", None)
        before["ForwardConfig"] = {**before.get("ForwardConfig", {}), "TargetGroups": []}
        after["ForwardConfig"] = {**after.get("ForwardConfig", {}), "TargetGroups": []}
        assert after == before
    assert ended.not_reverted == ()


def test_settings_of_both_target_groups_are_in_the_record_before_anything_is_changed() -> None:
    stage = furnished()
    known: list[Deployment] = []

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "router.modify" and not known:
            known.append(stage.latest())

    stage.on_call = on_call
    run(stage)
    assert [(group.slot, group.health_check, group.attributes) for group in known[0].groups] == [
        ("orders-1", CHECK, ATTRIBUTES),
        ("orders-2", CHECK, ATTRIBUTES),
    ]


def test_changed_health_check_is_not_reverted_and_said_with_the_command_that_does_it() -> None:
    stage = furnished()
    stop_in_bake(stage)
    changed = {**CHECK, "HealthCheckPath": "/v2/health", "Matcher.HttpCode": "200"}
    stage.router.set_group(stage.one, changed, {**ATTRIBUTES, "deregistration_delay.timeout_seconds": "300"})
    recorder = Recorder()
    ended = back(stage, recorder)
    assert ended.phase is Phase.ROLLED_BACK
    (said,) = ended.not_reverted
    assert said.startswith("target group orders-1: HealthCheckPath is /v2/health, was /health")
    arn = stage.one.target_group_arn
    assert f"modify-target-group --target-group-arn {arn} --health-check-path /health --matcher" in said
    assert '\'{"HttpCode": "200,204"}\'' in said
    assert "--attributes Key=deregistration_delay.timeout_seconds,Value=30" in said
    assert said in recorder.text()


def test_status_shows_what_was_not_reverted() -> None:
    stage = furnished()
    stop_in_bake(stage)
    stage.router.set_group(stage.two, {**CHECK, "HealthCheckPath": "/v2"}, ATTRIBUTES)
    ended = back(stage)
    status = observe(stage.session("status"), "orders")
    shown = " ".join("".join(span.text for span in line) for line in status_lines("orders", status, 0.0, 4000))
    assert "not reverted" in shown
    assert "--health-check-path /health" in shown
    data: Any = deployment_data(ended, now=0.0)
    assert data["rollback"]["not_reverted"] == list(ended.not_reverted)


def test_actions_that_someone_changed_and_a_person_accepted_are_told_after_the_rollback() -> None:
    stage = furnished(COGNITO)
    route = next(iter(stage.router.routes.values()))

    def take_login_out(when: str, name: str) -> None:
        if when == "after" and name == "store.renew" and "orders-2" in stage.weights():
            stage.on_call = lambda when, name: None
            route.actions = route.actions[1:]

    stage.on_call = take_login_out
    with pytest.raises(HeldError):
        run(stage)
    control(stage.session("resume"), "orders", Control.ACCEPT_LIVE)
    stage.on_call = lambda when, name: stop(stage, when, name)
    with pytest.raises(DetachedError):
        resume(stage.session("resume"), "orders", Recorder())
    stage.on_call = lambda when, name: None
    (said,) = back(stage).not_reverted
    assert "authenticate-cognito" in said


def stop(stage: Stage, when: str, name: str) -> None:
    if when == "before" and name == "compute.health" and stage.phase() is Phase.BAKE:
        raise KeyboardInterrupt


def test_rollback_ends_although_what_changed_cannot_be_read() -> None:
    stage = furnished()
    stop_in_bake(stage)

    def refuse(when: str, name: str) -> None:
        if when == "before" and name == "router.settings":
            raise AccessDeniedError("not allowed: elasticloadbalancing:DescribeTargetGroupAttributes")

    stage.on_call = refuse
    ended = back(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert "DescribeTargetGroupAttributes" in ended.not_reverted[0]


def test_settings_that_may_not_be_read_are_a_warning_and_no_refusal() -> None:
    stage = furnished()

    def refuse(when: str, name: str) -> None:
        if when == "before" and name == "router.settings":
            raise AccessDeniedError("not allowed: elasticloadbalancing:DescribeTargetGroupAttributes")

    stage.on_call = refuse
    assert run(stage).phase is Phase.SUCCEEDED
    assert "DescribeTargetGroupAttributes: a rollback cannot tell" in stage.recorder.text()


def test_ledger_keeps_the_whole_of_what_a_release_was() -> None:
    stage = furnished(COGNITO)
    stage.scaling.add(stage.one, 2, 8)
    stage.scaling.add(stage.two, 0, 8)
    run(stage)
    entry = stage.memory.service("orders").known_good[0]
    assert entry.release.images == NEW.images
    whole: Any = entry.whole
    assert whole["group"] == {"health_check": CHECK, "attributes": ATTRIBUTES}
    (actions,) = whole["routes"].values()
    assert [action["Type"] for action in actions] == ["authenticate-cognito", "forward"]
    assert whole["scaling"] == {"least": 2, "most": 8}


def test_release_that_comes_back_under_other_settings_than_it_was_good_with_is_warned_of() -> None:
    """copilot-cli #4838: the task definition came back, the target group's changed health check did not."""
    stage = furnished()
    run(stage)
    run(stage, ReleaseRequest(images={"app": "registry.example/orders:3"}))
    stage.router.set_group(stage.two, {**CHECK, "HealthCheckPath": "/v3"}, ATTRIBUTES)
    good = stage.memory.service("orders").known_good[1].release

    class Loaded:
        spec = stage.spec

    request = ReleaseRequest(task_definition=good.task_definition)
    problems = preflight(stage.session("verify"), Loaded(), request)  # type: ignore[arg-type]
    said = [problem for problem in problems if problem.where == "target group orders-2"]
    assert [problem.severity for problem in said] == ["warn"]
    assert "HealthCheckPath is /v3, was /health" in said[0].message


def test_rollback_of_several_routes_compares_each() -> None:
    stage = Stage(Stage().spec_with(production=(RouteSpec("prod", 443), RouteSpec("prod", 443, rule={"path": "/a"}))))
    stop_in_bake(stage)
    assert back(stage).not_reverted == ()
