"""What a hold says to type leads out of it; and nothing that is only noted keeps a deployment from its end."""

from __future__ import annotations

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.service import Control
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError
from tests.stage import NEW, Stage


def decided(stage: Stage, wish: Control) -> Deployment:
    control(stage.session("resume"), "orders", wish)
    return resume(stage.session("resume"), "orders", stage.recorder)


@pytest.mark.parametrize("weight", [100, 1])
def test_blue_that_was_accepted_with_traffic_is_torn_down_once_green_was_given_all(weight: int) -> None:
    """ALB's weights are proportions: 0 and 1 say what 0 and 100 say."""
    stage = Stage()
    route = next(iter(stage.router.routes))

    def somebody_goes_back(moment: str, name: str) -> None:
        if moment == "after" and name == "store.renew" and stage.phase() is Phase.BAKE:
            stage.on_call = lambda moment, name: None
            stage.router.set_weights(route, {stage.one.target_group_arn: 100, stage.two.target_group_arn: 0})

    stage.on_call = somebody_goes_back
    with pytest.raises(HeldError, match="someone else changed the weights"):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    with pytest.raises(HeldError, match="blue still has production traffic") as caught:
        decided(stage, Control.ACCEPT_LIVE)
    assert "give green all weight again" in str(caught.value.hint)
    assert "--accept-live" in str(caught.value.hint)
    stage.router.set_weights(route, {stage.one.target_group_arn: 0, stage.two.target_group_arn: weight})
    assert decided(stage, Control.ACCEPT_LIVE).phase is Phase.SUCCEEDED


def test_a_replaced_release_whose_definition_was_deleted_does_not_keep_the_redeployment_from_its_end() -> None:
    stage = Stage()
    deploy(stage.session(), stage.spec, NEW, stage.recorder)

    def somebody_deletes(moment: str, name: str) -> None:
        if moment == "after" and name == "compute.scale":
            stage.compute.definitions.pop("arn:aws:ecs:fake:task-definition/orders:2", None)

    stage.on_call = somebody_deletes
    assert rollback(stage.session("rollback"), "orders", stage.recorder).phase is Phase.SUCCEEDED
    assert [entry.release.id for entry in stage.memory.service("orders").quarantine] == ["orders:2"]
    assert "orders:2 goes into quarantine by its name alone" in stage.recorder.text()
