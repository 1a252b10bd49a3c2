"""What every compute provider promises, over services in memory and over ECS as moto imitates it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bluegreen.clock import SystemClock
from bluegreen.compute.base import ComputeProvider
from bluegreen.compute.ecs_service_pair import EcsServicePair
from bluegreen.domain.deployment import Slot
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.spec import SlotSpec
from bluegreen.errors import NotFoundError, PreemptedError, RefusedError
from tests.contract.compute_worlds import DEFINITION, SPEC, FakeWorld, MotoEcsWorld, World, moto_ecs_world

NEW_IMAGE = ReleaseRequest(images={"app": "registry/orders:2"}, commit="abc", reason="faster")


@pytest.fixture(params=["fake", "moto"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    with moto_ecs_world() as made:
        yield made


def no_fence() -> None:
    """This driver may write."""


def preempted() -> None:
    raise PreemptedError("another driver")


def let_time_pass(world: World) -> None:
    clock = world.fake.clock if isinstance(world, FakeWorld) else SystemClock()
    clock.sleep(0.01)


def provider_of_another_process(world: World) -> ComputeProvider:
    """One that remembers nothing: a revision never changes, but for its status."""
    return EcsServicePair(world.clients) if isinstance(world, MotoEcsWorld) else world.compute


def slots(world: World) -> tuple[Slot, Slot]:
    return world.compute.resolve(SPEC)


def prepare(world: World, request: ReleaseRequest = NEW_IMAGE, deployment: str = "d-1") -> Release:
    compute: ComputeProvider = world.compute
    return compute.prepare(request, compute.current(slots(world)[0]), deployment, no_fence)


def test_slots_are_resolved_in_the_configured_order(world: World) -> None:
    first, second = slots(world)
    assert (first.name, first.service, second.name) == ("orders-1", "orders-1", "orders-2")
    turned = replace(SPEC, slots=(SPEC.slots[1], SPEC.slots[0]))
    assert world.compute.resolve(turned) == (second, first)
    assert first.cluster == "production"


def test_missing_target_group_is_named(world: World) -> None:
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("absent", "orders-2")))
    with pytest.raises(NotFoundError, match="target group"):
        world.compute.resolve(spec)


def test_current_release_has_the_images_of_the_live_task_definition(world: World) -> None:
    release = world.compute.current(slots(world)[0])
    assert release.id == "orders:1"
    assert release.images == {"app": "registry/orders:1", "proxy": "registry/proxy:7"}


def test_prepared_release_changes_the_named_image_and_nothing_else(world: World) -> None:
    release = prepare(world)
    assert (release.id, release.commit, release.reason) == ("orders:2", "abc", "faster")
    made, live = (world.definition(arn)["containerDefinitions"] for arn in (release.task_definition, _live_arn(world)))
    assert made[0]["image"] == "registry/orders:2"
    assert {**made[0], "image": ""} == {**live[0], "image": ""}
    assert made[1] == live[1]


def test_prepared_release_is_tagged_with_its_deployment(world: World) -> None:
    tags = world.definition(prepare(world).task_definition)["tags"]
    assert {"key": "bluegreen:deployment", "value": "d-1"} in tags


def test_prepare_again_for_the_same_deployment_answers_the_same_revision(world: World) -> None:
    first = prepare(world)
    before = world.writes()
    assert prepare(world) == first
    assert world.writes() == before


def test_prepare_for_another_deployment_registers_another_revision(world: World) -> None:
    assert prepare(world).id == "orders:2"
    assert prepare(world, deployment="d-2").id == "orders:3"


def test_unknown_container_is_refused_with_those_there_are(world: World) -> None:
    before = world.writes()
    with pytest.raises(RefusedError, match="app, proxy"):
        prepare(world, ReleaseRequest(images={"web": "registry/orders:2"}))
    assert world.writes() == before


def test_image_without_a_container_goes_to_the_only_essential_one(world: World) -> None:
    assert prepare(world, ReleaseRequest(images={"": "registry/orders:5"})).images == {
        "app": "registry/orders:5",
        "proxy": "registry/proxy:7",
    }


def test_existing_task_definition_is_taken_as_it_is(world: World) -> None:
    before = world.writes()
    release = prepare(world, ReleaseRequest(task_definition="orders:1"))
    assert (release.id, release.task_definition) == ("orders:1", _live_arn(world))
    assert world.writes() == before


def test_deregistered_task_definition_is_registered_again_with_its_content(world: World) -> None:
    gone = prepare(world)
    assert world.compute.is_registered(gone.task_definition)
    world.deregister(gone.task_definition)
    asked = ReleaseRequest(task_definition=gone.task_definition)
    before = world.compute.fingerprint(asked, gone)
    fresh = provider_of_another_process(world)
    assert not fresh.is_registered(gone.task_definition)
    again = fresh.prepare(asked, gone, "d-2", no_fence)
    assert (again.id, again.images) == ("orders:3", gone.images)
    assert fresh.is_registered(again.task_definition)
    assert fresh.fingerprint(ReleaseRequest(task_definition=again.task_definition), gone) == before
    assert fresh.prepare(asked, gone, "d-2", no_fence).id == again.id, "once for a deployment"


def test_what_does_not_exist_is_not_called_deregistered(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.compute.is_registered("orders:99")


def test_missing_task_definition_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError):
        prepare(world, ReleaseRequest(task_definition="orders:99"))


def test_fence_that_raises_stops_prepare_launch_and_scale(world: World) -> None:
    first, second = slots(world)
    live = world.compute.current(first)
    before = world.writes()
    with pytest.raises(PreemptedError):
        world.compute.prepare(NEW_IMAGE, live, "d-1", preempted)
    with pytest.raises(PreemptedError):
        world.compute.launch(live, second, 2, preempted)
    with pytest.raises(PreemptedError):
        world.compute.retire(first, preempted)
    assert world.compute.health(first).desired == 2
    assert world.compute.health(second).desired == 0
    assert world.definition(_live_arn(world))["revision"] == 1
    assert world.compute.current(second).id == "orders:1"
    assert prepare(world).id == "orders:2"
    assert world.writes() != before


def test_fingerprint_is_that_of_the_content_not_of_the_revision(world: World) -> None:
    compute, live = world.compute, world.compute.current(slots(world)[0])
    release = prepare(world)
    by_image = compute.fingerprint(NEW_IMAGE, live)
    assert compute.fingerprint(ReleaseRequest(task_definition=release.id), live) == by_image
    assert compute.fingerprint(ReleaseRequest(images={"app": "registry/orders:3"}), live) != by_image


def test_fingerprint_of_a_file_is_that_of_what_it_registers(world: World) -> None:
    compute, live = world.compute, world.compute.current(slots(world)[0])
    request = ReleaseRequest(definition=DEFINITION)
    assert compute.fingerprint(request, live) == compute.fingerprint(ReleaseRequest(task_definition="orders:1"), live)


def test_launch_sets_release_and_count(world: World) -> None:
    green, release = slots(world)[1], prepare(world)
    world.compute.launch(release, green, 3, no_fence)
    health = world.compute.health(green)
    assert (health.desired, health.release) == (3, release.task_definition)
    assert health.changed_at is not None
    assert world.compute.current(green).id == release.id


def test_launch_again_changes_nothing(world: World) -> None:
    green, release = slots(world)[1], prepare(world)
    world.compute.launch(release, green, 3, no_fence)
    before = world.writes()
    world.compute.launch(release, green, 3, preempted)
    assert world.writes() == before


def test_launch_anew_renews_when_a_slot_was_set_up_though_it_had_that_release_before(world: World) -> None:
    blue, green = slots(world)
    release = world.compute.current(green)
    world.compute.launch(release, green, 2, no_fence)
    untouched, before = world.compute.health(blue).changed_at, world.compute.health(green).changed_at
    let_time_pass(world)
    world.compute.scale(green, 0, no_fence)
    assert world.compute.health(green).changed_at == before, "the count alone is no setting up"
    world.compute.launch(release, green, 2, no_fence, anew=True)
    seen = world.compute.health(green)
    assert (seen.desired, seen.release) == (2, release.task_definition)
    assert before is not None
    assert seen.changed_at is not None
    assert seen.changed_at > before
    assert world.compute.health(blue).changed_at == untouched


def test_launch_anew_writes_once(world: World) -> None:
    green = slots(world)[1]
    before = world.writes()
    world.compute.launch(world.compute.current(green), green, 2, no_fence, anew=True)
    assert world.writes() == before + 1


def test_launch_leaves_the_other_slot_alone(world: World) -> None:
    blue, green = slots(world)
    world.compute.launch(prepare(world), green, 3, no_fence)
    health = world.compute.health(blue)
    assert (health.desired, health.release) == (2, _live_arn(world))


def test_scale_and_retire_change_only_the_count(world: World) -> None:
    blue, _ = slots(world)
    world.compute.scale(blue, 4, no_fence)
    assert world.compute.health(blue).desired == 4
    world.compute.retire(blue, no_fence)
    world.compute.retire(blue, preempted)
    health = world.compute.health(blue)
    assert (health.desired, health.release) == (0, _live_arn(world))


def test_diagnosis_of_a_slot_where_nothing_failed_names_nothing(world: World) -> None:
    blue, _ = slots(world)
    assert world.compute.diagnose(blue, since=0.0).failures == ()


def _live_arn(world: World) -> str:
    return world.compute.current(slots(world)[0]).task_definition
