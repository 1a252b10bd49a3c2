"""A route that somebody removed, or turned into something else, keeps back nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import RouteSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
from bluegreen.lifecycle.routes.lost import LOOKED_FOR
from bluegreen.report.view import safe_lines
from tests.stage import NEW, PRODUCTION, SPEC, Stage

FIRST = RouteSpec(load_balancer="prod", port=8443)
REDIRECT = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302"}}


class Died(BaseException):
    """The driver's process."""


def driven_until(stage: Stage, when: Callable[[], bool]) -> None:
    """Its driver dies there, and its lease has ended."""

    def on_call(moment: str, name: str) -> None:
        if (moment, name) == ("before", "store.renew") and when():
            raise Died

    stage.on_call = on_call
    with pytest.raises(Died):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    stage.on_call = lambda moment, name: None
    stage.clock.sleep(1000)


def two_routes(stage: Stage) -> tuple[str, str]:
    """In its bake; the ARNs of both production routes."""
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    first, second, _ = stage.router.routes
    return first, second


def safe(stage: Stage) -> str:
    """What was said with the word."""
    (said,) = [event.message for event in stage.recorder.events if event.kind is Kind.SAFE]
    return said


def is_on_blue(stage: Stage, route: str) -> bool:
    config = stage.router.routes[route].actions[-1]["ForwardConfig"]
    weights = {group["TargetGroupArn"]: group["Weight"] for group in config["TargetGroups"]}
    return weights == {stage.one.target_group_arn: 100, stage.two.target_group_arn: 0}


def test_a_route_that_was_made_a_redirect_does_not_keep_a_rollback_from_the_others() -> None:
    stage = Stage(replace(SPEC, production=(FIRST, PRODUCTION)))
    first, second = two_routes(stage)
    stage.router.routes[first].actions = [REDIRECT]
    with pytest.raises(HeldError, match="The rollback is not done"):
        rollback(stage.session("rollback"), "orders", stage.recorder)
    assert is_on_blue(stage, second)
    assert "SAFE" not in stage.recorder.text()


def test_a_rollback_ends_without_a_route_that_was_removed_and_says_so_wherever_it_says_safe() -> None:
    stage = Stage(replace(SPEC, production=(FIRST, PRODUCTION)))
    first, second = two_routes(stage)
    name = stage.latest().routes[0].name
    del stage.router.routes[first]
    began = stage.clock.now()
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert is_on_blue(stage, second)
    assert [route.arn for route in (*ended.routes, *ended.lost)] == [second, first]
    assert ended.rollback is not None
    assert ended.rollback.safe_at is not None
    assert ended.rollback.safe_at >= began + LOOKED_FOR
    assert f"all traffic of {ended.routes[0].name} is on blue" in safe(stage)
    summary = "".join(span.text for line in safe_lines(ended, 1000) for span in line)
    for said in (safe(stage), summary):
        assert f"{name} does not exist any more" in said
    assert [each for each in ended.not_reverted if each.startswith(name) and "orders-1" in each]


def test_a_rollback_without_any_route_left_promises_nothing_about_blue() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    del stage.router.routes[next(iter(stage.router.routes))]
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert "no production route sends traffic to green" in safe(stage)
    assert "on blue" not in safe(stage)


def test_a_route_that_a_stack_made_anew_is_put_back_to_blue_under_its_new_arn() -> None:
    stage = Stage(replace(SPEC, production=(FIRST, PRODUCTION)))
    first, second = two_routes(stage)
    made = stage.router.routes.pop(first)
    stage.router.routes["arn:made-anew"] = replace(made, arn="arn:made-anew")
    assert not is_on_blue(stage, "arn:made-anew")
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert is_on_blue(stage, "arn:made-anew")
    assert is_on_blue(stage, second)
    assert ended.lost == ()
    assert "made anew by someone else (arn:made-anew)" in stage.recorder.text()


def made_anew(stage: Stage, *, routes: bool = True) -> None:
    """A stack replaced everything: the same names, other ARNs, and users on the first slot."""
    for number, service in enumerate(stage.compute.services.values()):
        stage.router.removed_groups.add(service.slot.target_group_arn)
        service.slot = replace(service.slot, target_group_arn=f"arn:anew/{number}")
        stage.compute.set(service.slot, count=2 if not number else 0)
    for arn in list(stage.router.routes):
        route = stage.router.routes.pop(arn)
        new = f"{arn}-anew" if routes else arn
        stage.router.routes[new] = replace(route, arn=new)
        stage.router.set_weights(new, {"arn:anew/0": 100})


@pytest.mark.parametrize("routes", [True, False], ids=["listeners too", "under the same listeners"])
@pytest.mark.parametrize("phase", [Phase.LAUNCH, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN])
def test_a_rollback_touches_nothing_of_a_service_that_was_made_anew_and_ends(phase: Phase, routes: bool) -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is phase)
    made_anew(stage, routes=routes)
    stage.calls.clear()
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert {name: service.desired for name, service in stage.compute.services.items()} == {"orders-1": 2, "orders-2": 0}
    assert not {"compute.scale", "compute.launch", "router.modify"} & set(stage.calls)
    assert "what stands there now was not touched" in safe(stage)
    assert "on blue" not in safe(stage)


@pytest.mark.parametrize("phase", [Phase.LAUNCH, Phase.BAKE])
def test_a_blue_that_somebody_deleted_holds_a_rollback_and_nothing_is_let_go(phase: Phase) -> None:
    """Green's target group is there: users may be on it."""
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is phase)
    del stage.compute.services["orders-1"]
    with pytest.raises(HeldError, match="orders-1"):
        rollback(stage.session("rollback"), "orders", stage.recorder)
    assert not stage.latest().let_go


def test_a_route_that_is_not_found_for_a_moment_is_not_given_up() -> None:
    """A replica that lags."""
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    route, hidden = next(iter(stage.router.routes)), stage.router.routes
    until = stage.clock.now() + LOOKED_FOR - 1
    stage.router.routes = {arn: each for arn, each in hidden.items() if arn != route}

    def on_call(moment: str, name: str) -> None:
        if stage.clock.now() > until:
            stage.router.routes = hidden

    stage.on_call = on_call
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.lost == ()
    assert stage.weights() == {"orders-1": 100}


def test_green_that_someone_starts_again_does_not_keep_a_rollback_open_for_ever() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    began = stage.clock.now()

    def on_call(moment: str, name: str) -> None:
        if moment == "after" and name == "compute.scale" and not stage.compute.services["orders-2"].desired:
            stage.compute.services["orders-2"].desired = 2

    stage.on_call = on_call
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert ended.ended_at is not None
    assert ended.ended_at >= began + stage.spec.deadlines.teardown
    (said,) = ended.not_reverted
    assert "2 tasks run" in said
    assert "--desired-count 0" in said


def test_a_test_route_that_was_removed_does_not_keep_a_rollback_from_its_end() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    del stage.router.routes[list(stage.router.routes)[1]]
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.recorder.text().count("the test route is not put back") == 1


def test_a_test_route_that_cannot_be_written_any_more_does_not_keep_a_rollback_from_its_end() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    test = list(stage.router.routes)[1]
    stage.router.set_weights(test, {stage.two.target_group_arn: 1, "arn:aws:x:targetgroup/mystery": 1})
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.compute.services["orders-2"].desired == 0
    (said,) = [line for line in stage.recorder.text().splitlines() if "the test route is not put back" in line]
    assert "mystery" in said
    assert "remove it from the forward" in said


def test_a_listener_made_a_redirect_after_the_clean_up_does_not_keep_the_deployment_from_its_end() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.SHIFT and bool(stage.weights().get("orders-2")))
    route = next(iter(stage.router.routes.values()))

    def on_call(moment: str, name: str) -> None:
        if moment == "after" and name == "compute.scale":
            route.actions = [REDIRECT]

    stage.on_call = on_call
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert any("could not be read" in each for each in ended.not_reverted)


def test_a_listener_made_a_redirect_while_blue_drains_does_not_keep_the_deployment_from_its_end() -> None:
    stage = Stage()
    route = next(iter(stage.router.routes.values()))

    def on_call(moment: str, name: str) -> None:
        if moment == "after" and name == "compute.scale":
            route.actions = [REDIRECT]

    stage.on_call = on_call
    assert deploy(stage.session(), stage.spec, NEW, stage.recorder).phase is Phase.SUCCEEDED


def test_weights_that_somebody_took_away_altogether_are_put_back_before_a_rollback_is_safe() -> None:
    """By the record no traffic ever left blue; live, nobody gets any."""
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.TEST)
    route = next(iter(stage.router.routes))
    stage.router.set_weights(route, {stage.one.target_group_arn: 0, stage.two.target_group_arn: 0})
    rollback(stage.session("rollback"), "orders", stage.recorder)
    assert stage.weights() == {"orders-1": 100}
    assert "written by someone else; the rollback overrides it" in stage.recorder.text()


def test_a_read_back_that_shows_no_weight_at_all_is_not_taken_for_blue() -> None:
    """Somebody came in right behind the write."""
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    route = next(iter(stage.router.routes))
    left = [{stage.one.target_group_arn: 0, stage.two.target_group_arn: 0}]

    def on_call(moment: str, name: str) -> None:
        if left and (moment, name) == ("after", "router.modify"):
            stage.router.set_weights(route, left.pop())

    stage.on_call = on_call
    assert rollback(stage.session("rollback"), "orders", stage.recorder).phase is Phase.ROLLED_BACK
    assert stage.weights() == {"orders-1": 100}
