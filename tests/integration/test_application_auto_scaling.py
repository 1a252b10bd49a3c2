"""The calls to Application Auto Scaling: how many, for whom, and what their errors become."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from bluegreen.compute.scaling import ApplicationAutoScaling, resource_id
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import ScalableTarget
from bluegreen.errors import AccessDeniedError, ThrottledError
from tests.contract.compute_worlds import SPEC, MotoEcsWorld, moto_ecs_world


@pytest.fixture
def world() -> Iterator[MotoEcsWorld]:
    with moto_ecs_world() as made:
        yield made


def test_both_slots_are_read_in_one_call(world: MotoEcsWorld) -> None:
    slots = world.compute.resolve(SPEC)
    world.clients.calls.counts.clear()
    ApplicationAutoScaling(world.clients).read(slots)
    assert dict(world.clients.calls.counts) == {"application-autoscaling:DescribeScalableTargets": 1}


def test_cluster_and_service_may_be_named_by_their_arns() -> None:
    slot = Slot(
        "orders-1", "arn:tg", "arn:aws:ecs:eu-central-1:1:service/prod/orders-1", "arn:aws:ecs:x:1:cluster/prod"
    )
    assert resource_id(slot) == "service/prod/orders-1"


def test_a_write_that_met_another_one_may_be_repeated(world: MotoEcsWorld) -> None:
    slot = world.compute.resolve(SPEC)[0]
    with Stubber(world.clients.autoscaling) as stub:
        stub.add_client_error("register_scalable_target", "ConcurrentUpdateException", "busy", 400)
        with pytest.raises(ThrottledError):
            ApplicationAutoScaling(world.clients).register(slot, ScalableTarget(slot.name, 0, 4), lambda: None)


def test_a_missing_permission_names_its_action(world: MotoEcsWorld) -> None:
    slots = world.compute.resolve(SPEC)
    said = "User: x is not authorized to perform: application-autoscaling:DescribeScalableTargets because"
    with Stubber(world.clients.autoscaling) as stub:
        stub.add_client_error("describe_scalable_targets", "AccessDeniedException", said, 400)
        with pytest.raises(AccessDeniedError, match="application-autoscaling:DescribeScalableTargets"):
            ApplicationAutoScaling(world.clients).read(slots)
