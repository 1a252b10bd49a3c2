"""The test of the test: a step that breaks a safety rule on purpose must be seen, at the instant it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN
from bluegreen.drivers.foreground import start
from bluegreen.lifecycle.engine import Engine
from bluegreen.lifecycle.outcome import Done, Outcome
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.steps import STEPS, Step, rollback, shift, teardown
from bluegreen.lifecycle.work import Work
from tests.faults.exploring import automatic_rollbacks, furnished, small_spec
from tests.faults.watchman import Watchman
from tests.stage import NEW, Recorder, Stage

pytestmark = pytest.mark.faults


def drive(stage: Stage, steps: Mapping[Phase, Step]) -> Watchman:
    """One deployment, with these steps in place of their own."""
    watchman = Watchman(stage)
    stage.on_call = watchman.look
    session = stage.session()
    lease = session.store.acquire("orders", session.owner, now=stage.clock.now())
    deployment = start(session, stage.spec, NEW, lease, Recorder(), force=False)
    engine = Engine(session.world(Recorder()), {**STEPS, **steps})
    for _ in range(500):
        ticked = engine.tick(deployment.id, lease)
        lease = ticked.lease
        if ticked.wake_in is None:
            break
        stage.clock.sleep(ticked.wake_in)
    return watchman


def scale_blue_in_before_the_shift(work: Work) -> Outcome:
    if work.deployment.step < 0:
        work.world.compute.scale(work.deployment.blue, 1, work.fence)
    return shift.run(work)


def write_without_looking_at_health(work: Work) -> Outcome:
    for route in work.deployment.routes:
        routing.write(work, route, ALL_GREEN)
    return Done()


def scale_blue_in_during_the_bake(work: Work) -> Outcome:
    work.world.compute.retire(work.deployment.blue, work.fence)
    return Done()


def scale_blue_in_without_settling(work: Work) -> Outcome:
    teardown.retire(work, work.deployment.blue, "blue")
    return Done()


def leave_green_running(work: Work) -> Outcome:
    for route in work.deployment.routes:
        routing.write(work, route, ALL_BLUE)
    routing.point_test_route(work, ALL_BLUE)
    return Done()


def leave_the_test_route_on_green(work: Work) -> Outcome:
    facts = work.deployment.rollback
    assert facts is not None
    if work.deployment.test_route is not None:
        work.record(test_route=replace(work.deployment.test_route, written=None))
        work.deployment = replace(work.deployment, test_route=None)
    return rollback.run(work)


def go_back_to_green_once_safe(work: Work) -> Outcome:
    outcome = rollback.run(work)
    facts = work.deployment.rollback
    if facts is not None and facts.safe_at is not None:
        routing.write(work, work.deployment.routes[0], ALL_GREEN)
    return outcome


def test_an_unbroken_deployment_breaks_no_rule() -> None:
    stage = furnished(small_spec("canary"))
    watchman = drive(stage, {})
    assert watchman.broken == []
    assert list(watchman.left_over()) == []
    assert watchman.instants > 100


@pytest.mark.parametrize(
    ("phase", "step", "rule"),
    [
        (Phase.SHIFT, scale_blue_in_before_the_shift, "rule 6: orders-1 was changed while it has traffic"),
        (Phase.LAUNCH, write_without_looking_at_health, "rule 1: orders-2 has weight and 0 of 2 healthy targets"),
        (Phase.BAKE, scale_blue_in_during_the_bake, "rule 6: blue orders-1 was changed in phase bake"),
        (Phase.TEARDOWN, scale_blue_in_without_settling, "rule 6: blue was changed before the split settled"),
    ],
)
def test_a_step_that_breaks_a_rule_is_seen(phase: Phase, step: Step, rule: str) -> None:
    spec = replace(small_spec("canary"), bake=0.0, settle=30.0) if phase is Phase.TEARDOWN else small_spec("canary")
    watchman = drive(furnished(spec), {phase: step})
    assert any(rule in breach for breach in watchman.broken), watchman.broken


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        (leave_green_running, "rule 7: at the end orders-1 wants 2 tasks, orders-2 2"),
        (leave_the_test_route_on_green, "rule 7: the test route is left at ['orders-2']"),
        (go_back_to_green_once_safe, "rule 4: orders-2 has traffic after the rollback said safe"),
    ],
)
def test_a_rollback_that_breaks_a_rule_is_seen(step: Step, rule: str) -> None:
    scenario = next(each for each in automatic_rollbacks() if each.name == "automatic rollback in after_step, canary")
    watchman = drive(scenario.stage(), {Phase.ROLLBACK: step})
    assert any(rule in breach for breach in [*watchman.broken, *watchman.left_over()]), watchman.broken


def test_an_edit_of_a_route_beside_its_weights_is_seen() -> None:
    stage = furnished(small_spec("canary", HookPoint.TEST))

    def drop_the_login(work: Work) -> Outcome:
        route = stage.router.routes[work.deployment.routes[0].arn]
        stage.router.replace(work.deployment.routes[0], route.actions[-1:])
        return Done()

    watchman = drive(stage, {Phase.TEST: drop_the_login})
    assert any("rule 2" in breach for breach in watchman.broken), watchman.broken
