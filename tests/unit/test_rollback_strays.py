"""A third target group in the forward: a rollback says what is true of it."""

from __future__ import annotations

import pytest

from bluegreen.domain.events import Kind
from bluegreen.domain.service import Control
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
from tests.stage import NEW, SPEC, Stage

STRAY = "arn:aws:elasticloadbalancing:fake:targetgroup/somebody-else"


def paused() -> Stage:
    """Before the shift: all traffic is on blue."""
    stage = Stage()
    control_once = iter([True])

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("after", "compute.launch") and next(control_once, False):
            control(stage.session("pause"), "orders", Control.PAUSE)

    stage.on_call = on_call
    with pytest.raises(HeldError):
        deploy(stage.session(), SPEC, NEW, stage.recorder)
    return stage


def attach(stage: Stage, weight: int) -> None:
    production = next(iter(stage.router.routes))
    stage.router.set_weights(production, {stage.one.target_group_arn: 50, STRAY: weight})


def test_users_of_a_group_that_nobody_knows_are_not_called_safe_on_blue() -> None:
    stage = paused()
    attach(stage, 50)
    with pytest.raises(HeldError, match=r"also sends traffic to .*somebody-else, which this deployment does not know"):
        rollback(stage.session("rollback"), "orders", stage.recorder)
    assert Kind.SAFE not in stage.recorder.kinds()


def test_a_stray_group_without_weight_keeps_nobody_from_being_safe() -> None:
    stage = paused()
    attach(stage, 0)
    rollback(stage.session("rollback"), "orders", stage.recorder)
    assert Kind.SAFE in stage.recorder.kinds()
