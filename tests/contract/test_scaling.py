"""What every implementation of the scaling seam promises: in memory, and Application Auto Scaling as moto has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from bluegreen.compute.base import Scaling
from bluegreen.compute.fake_scaling import FakeScaling
from bluegreen.compute.scaling import ApplicationAutoScaling
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import ScalableTarget
from bluegreen.errors import PreemptedError
from tests.contract.compute_worlds import SPEC, FakeWorld, MotoEcsWorld, moto_ecs_world


class World(Protocol):
    scaling: Scaling
    slots: tuple[Slot, Slot]

    def add(self, slot: Slot, least: int, most: int, **suspended: bool) -> None: ...

    def writes(self) -> int: ...


class FakeScalingWorld:
    def __init__(self) -> None:
        compute = FakeWorld().fake
        self.fake = FakeScaling(compute)
        self.scaling: Scaling = self.fake
        self.slots = compute.resolve(SPEC)

    def add(self, slot: Slot, least: int, most: int, **suspended: bool) -> None:
        self.fake.add(slot, least, most, **suspended)

    def writes(self) -> int:
        return len(self.fake.writes)


class MotoScalingWorld:
    def __init__(self, world: MotoEcsWorld) -> None:
        self.clients = world.clients
        self.scaling: Scaling = ApplicationAutoScaling(world.clients)
        self.slots = world.compute.resolve(SPEC)

    def add(self, slot: Slot, least: int, most: int, **suspended: bool) -> None:
        names = {"in_suspended": "DynamicScalingInSuspended", "out_suspended": "DynamicScalingOutSuspended"}
        state: Any = {names[key]: value for key, value in suspended.items()}
        self.clients.autoscaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/production/{slot.service}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=least,
            MaxCapacity=most,
            **({"SuspendedState": state} if state else {}),
        )

    def writes(self) -> int:
        return self.clients.calls.counts["application-autoscaling:RegisterScalableTarget"]


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeScalingWorld()
        return
    with moto_ecs_world() as made:
        yield MotoScalingWorld(made)


def no_fence() -> None:
    """This driver may write."""


def test_services_without_autoscaling_have_no_target(world: World) -> None:
    assert world.scaling.read(world.slots) == ()


def test_targets_come_in_the_order_of_the_slots_and_a_missing_one_is_left_out(world: World) -> None:
    first, second = world.slots
    world.add(second, 0, 8)
    assert [target.slot for target in world.scaling.read(world.slots)] == ["orders-2"]
    world.add(first, 2, 10)
    assert world.scaling.read(world.slots) == (ScalableTarget("orders-1", 2, 10), ScalableTarget("orders-2", 0, 8))
    assert [target.slot for target in world.scaling.read((second, first))] == ["orders-2", "orders-1"]


def test_what_a_person_suspended_is_read(world: World) -> None:
    world.add(world.slots[0], 2, 10, out_suspended=True)
    (target,) = world.scaling.read(world.slots)
    assert (target.in_suspended, target.out_suspended, target.scheduled_suspended) == (False, True, False)


def test_register_makes_the_target_exactly_as_wanted(world: World) -> None:
    world.add(world.slots[0], 2, 10)
    wanted = ScalableTarget("orders-1", 1, 12, in_suspended=True, scheduled_suspended=True)
    world.scaling.register(world.slots[0], wanted, no_fence)
    assert world.scaling.read(world.slots) == (wanted,)
    world.scaling.register(world.slots[0], replace(wanted, in_suspended=False), no_fence)
    assert not world.scaling.read(world.slots)[0].in_suspended


def test_a_driver_that_was_preempted_writes_nothing(world: World) -> None:
    world.add(world.slots[0], 2, 10)

    def fence() -> None:
        raise PreemptedError("another driver")

    with pytest.raises(PreemptedError):
        world.scaling.register(world.slots[0], ScalableTarget("orders-1", 0, 0), fence)
    assert world.scaling.read(world.slots) == (ScalableTarget("orders-1", 2, 10),)
    assert world.writes() == 0


def test_fake_brings_the_desired_count_into_the_range_as_aws_does() -> None:
    """RegisterScalableTarget: "adjusts the capacity of the scalable target to place it within these bounds"."""
    world = FakeScalingWorld()
    world.add(world.slots[0], 2, 10)
    for least, most, desired in ((3, 10, 3), (0, 2, 2), (0, 10, 2)):
        world.scaling.register(world.slots[0], ScalableTarget("orders-1", least, most), no_fence)
        assert world.fake.compute.services["orders-1"].desired == desired
