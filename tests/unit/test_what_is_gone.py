"""A route that somebody removed, or turned into something else, keeps back nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.spec import RouteSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
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


@pytest.mark.parametrize("gone", [True, False], ids=["removed", "made a redirect"])
def test_one_route_that_is_gone_does_not_keep_a_rollback_from_the_others(gone: bool) -> None:
    stage = Stage(replace(SPEC, production=(FIRST, PRODUCTION)))
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    first, second, _ = stage.router.routes
    if gone:
        del stage.router.routes[first]
    else:
        stage.router.routes[first].actions = [REDIRECT]
    with pytest.raises(HeldError, match="The rollback is not done"):
        rollback(stage.session("rollback"), "orders", stage.recorder)
    config = stage.router.routes[second].actions[-1]["ForwardConfig"]
    assert {group["TargetGroupArn"]: group["Weight"] for group in config["TargetGroups"]} == {
        stage.one.target_group_arn: 100,
        stage.two.target_group_arn: 0,
    }
    assert "SAFE" not in stage.recorder.text()


def test_a_test_route_that_was_removed_does_not_keep_a_rollback_from_its_end() -> None:
    stage = Stage()
    driven_until(stage, lambda: stage.phase() is Phase.BAKE)
    del stage.router.routes[list(stage.router.routes)[1]]
    ended = rollback(stage.session("rollback"), "orders", stage.recorder)
    assert ended.phase is Phase.ROLLED_BACK
    assert stage.recorder.text().count("the test route is not put back") == 1


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
