"""What is refused before anything is changed, because it could only go wrong later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain.spec import RouteSpec
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import RefusedError
from bluegreen.lifecycle.preflight import Problem, judge
from bluegreen.lifecycle.survey import survey
from tests.stage import NEW, PRODUCTION, SPEC, Recorder, Stage


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
