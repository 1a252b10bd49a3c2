"""Safety rule 1 at every write: green that lost a target gets no more traffic, and nothing is reasserted to a slot that
cannot take it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.domain.service import Control
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.errors import HeldError
from tests.stage import NEW, Stage, Watchman

CANARY = {"orders-1": 95, "orders-2": 5}


def watched(stage: Stage, when: Callable[[], bool], act: Callable[[], None]) -> Watchman:
    """``act`` is done once, as soon as ``when`` is so."""
    watchman = Watchman(stage)
    left = [act]

    def on_call(moment: str, name: str) -> None:
        watchman.look(moment, name)
        if left and name == "store.renew" and when():
            left.pop()()

    stage.on_call = on_call
    return watchman


@pytest.mark.parametrize(
    "split", [{"orders-1": 100}, CANARY], ids=["its first share", "all, at the end of the canary's time"]
)
def test_green_that_lost_a_target_gets_no_more_traffic(split: dict[str, int]) -> None:
    stage = Stage()

    def at_its_end() -> bool:
        d = stage.latest()
        over = d.step < 0 or (d.step_until is not None and stage.clock.now() >= d.step_until)
        return d.phase is Phase.SHIFT and stage.weights() == split and over

    watchman = watched(stage, at_its_end, lambda: stage.compute.mark(stage.two, "unhealthy", count=1))
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder)
    assert watchman.broken == []
    assert ended.phase is Phase.ROLLED_BACK
    assert "it gets no more traffic before" in stage.recorder.text()


def test_green_that_gets_its_target_back_in_time_goes_on() -> None:
    stage = Stage()

    def heal_later() -> None:
        stage.compute.mark(stage.two, "unhealthy", count=1)
        hurt_at = stage.clock.now()

        def on_call(moment: str, name: str) -> None:
            watchman.look(moment, name)
            if stage.clock.now() >= hurt_at + 3:
                stage.compute.mark(stage.two, None)

        stage.on_call = on_call

    watchman = watched(stage, lambda: stage.phase() is Phase.SHIFT, heal_later)
    assert deploy(stage.session(), stage.spec, NEW, stage.recorder).phase is Phase.SUCCEEDED
    assert watchman.broken == []


def test_what_was_set_is_not_set_again_to_a_green_without_healthy_targets() -> None:
    stage = Stage()
    route = next(iter(stage.router.routes))
    blue_only = {stage.one.target_group_arn: 100, stage.two.target_group_arn: 0}
    watched(stage, lambda: stage.weights() == CANARY, lambda: stage.router.set_weights(route, blue_only))
    with pytest.raises(HeldError):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    stage.compute.mark(stage.two, "unhealthy")
    watchman = watched(stage, lambda: False, lambda: None)
    control(stage.session("resume"), "orders", Control.REASSERT)
    with pytest.raises(HeldError):
        resume(stage.session("resume"), "orders", stage.recorder)
    assert watchman.broken == []
    assert "green orders-2 has 0 of 2 required healthy targets" in stage.recorder.text()

    stage.compute.mark(stage.two, None)
    control(stage.session("resume"), "orders", Control.REASSERT)
    assert resume(stage.session("resume"), "orders", stage.recorder).phase is Phase.SUCCEEDED
    assert watchman.broken == []
