"""The ECS service pair's calls, refusals and diagnoses against moto, and a stub where moto starts no task."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from bluegreen.clock import FakeClock, SystemClock
from bluegreen.compute.ecs_service_pair import EcsServicePair
from bluegreen.compute.logs import AwsLogTail
from bluegreen.domain.deployment import Slot
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import SlotSpec
from bluegreen.errors import NotFoundError, RefusedError
from tests.contract.compute_worlds import SPEC, MotoEcsWorld, moto_ecs_world

SINCE = 1_700_000_000.0


@pytest.fixture
def world() -> Iterator[MotoEcsWorld]:
    with moto_ecs_world() as made:
        yield made


def no_fence() -> None:
    """This driver may write."""


def calls(world: MotoEcsWorld) -> dict[str, int]:
    made = dict(world.clients.calls.counts)
    world.clients.calls.counts.clear()
    return made


def test_resolve_is_two_calls_and_launch_is_two(world: MotoEcsWorld) -> None:
    _, green = world.compute.resolve(SPEC)
    assert calls(world) == {"elasticloadbalancing:DescribeTargetGroups": 1, "ecs:DescribeServices": 1}
    release = world.compute.current(green)
    calls(world)
    world.compute.launch(release, green, 2, no_fence)
    assert calls(world) == {"ecs:DescribeServices": 1, "ecs:UpdateService": 1}


def test_health_is_two_calls_however_many_targets_there_are(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    for number in range(30):
        world.register_target(blue, f"10.0.0.{number + 10}")
    calls(world)
    health = world.compute.health(blue)
    assert calls(world) == {"ecs:DescribeServices": 1, "elasticloadbalancing:DescribeTargetHealth": 1}
    assert health.registered == 30


def test_prepare_keeps_the_tags_of_the_live_task_definition(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    request = ReleaseRequest(images={"app": "registry/orders:2"})
    release = world.compute.prepare(request, world.compute.current(blue), "d-1", no_fence)
    tags = {tag["key"]: tag["value"] for tag in world.definition(release.task_definition)["tags"]}
    assert tags == {"team": "orders", "bluegreen:deployment": "d-1"}


def test_malformed_definition_is_refused_with_what_is_wrong(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    definition: dict[str, object] = {"family": "orders", "containerDefinitions": [{"name": "app", "cpu": "many"}]}
    live = world.compute.current(blue)
    with pytest.raises(RefusedError, match="cpu"):
        world.compute.prepare(ReleaseRequest(definition=definition), live, "d-1", no_fence)


def test_missing_service_is_named_with_its_cluster(world: MotoEcsWorld) -> None:
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("orders-2", "absent")))
    with pytest.raises(NotFoundError, match="no ECS service absent in cluster production"):
        world.compute.resolve(spec)


def test_one_service_for_both_slots_is_refused(world: MotoEcsWorld) -> None:
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("orders-2", "orders-1")))
    with pytest.raises(RefusedError, match="of their own"):
        world.compute.resolve(spec)


def test_daemon_service_is_refused(world: MotoEcsWorld) -> None:
    world.create_service("daemon", world.network.green.target_group_arn, 0, schedulingStrategy="DAEMON")
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("orders-2", "daemon")))
    with pytest.raises(RefusedError, match="DAEMON"):
        world.compute.resolve(spec)


def test_service_of_another_controller_is_refused(world: MotoEcsWorld) -> None:
    controller = {"type": "CODE_DEPLOY"}
    world.create_service("deployed", world.network.green.target_group_arn, 0, deploymentController=controller)
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("orders-2", "deployed")))
    with pytest.raises(RefusedError, match="controlled by CODE_DEPLOY"):
        world.compute.resolve(spec)


def test_service_that_does_not_register_in_its_target_group_is_refused(world: MotoEcsWorld) -> None:
    world.create_service("elsewhere", world.network.stranger, 0)
    spec = replace(SPEC, slots=(SPEC.slots[0], SlotSpec("orders-2", "elsewhere")))
    with pytest.raises(RefusedError, match="does not register its tasks in target group orders-2"):
        world.compute.resolve(spec)


class StubbedEcs:
    """One slot whose tasks fail as the test says."""

    def __init__(self, world: MotoEcsWorld, log: tuple[str, ...] = ()) -> None:
        self.slot = world.compute.resolve(SPEC)[1]
        self.definition = world.ecs.describe_task_definition(taskDefinition="orders:1")["taskDefinition"]
        self.clients = type(world.clients)(world.clients.region, clock=FakeClock())
        self.ecs, self.elbv2 = Stubber(self.clients.ecs), Stubber(self.clients.elbv2)
        self.log = log
        self.asked: list[tuple[str, str]] = []
        self.compute = EcsServicePair(self.clients, logs=self)

    def tail(self, container: Mapping[str, Any], task_id: str, runtime_id: str | None, lines: int) -> tuple[str, ...]:
        self.asked.append((container["name"], task_id))
        return self.log

    def diagnose(
        self, tasks: list[dict[str, Any]], *, states: tuple[Any, ...] = (), events: tuple[str, ...] = ()
    ) -> Any:
        arn = self.definition["taskDefinitionArn"]
        said = [{"createdAt": _time(5), "message": message} for message in events]
        live = {
            "serviceName": self.slot.service,
            "taskDefinition": arn,
            "desiredCount": 2,
            "runningCount": 0,
            "events": said,
            "deployments": [{"status": "PRIMARY", "createdAt": _time(0)}],
        }
        self.ecs.add_response("describe_services", {"services": [live]})
        targets = [{"TargetHealth": state} for state in states]
        self.elbv2.add_response("describe_target_health", {"TargetHealthDescriptions": targets})
        self.ecs.add_response("describe_task_definition", {"taskDefinition": self.definition})
        made = [{"taskDefinitionArn": arn} | task for task in tasks]
        arns = [task["taskArn"] for task in made]
        listed = {"cluster": ANY, "serviceName": ANY, "desiredStatus": "STOPPED", "maxResults": 100}
        self.ecs.add_response("list_tasks", {"taskArns": arns}, listed)
        if made:
            self.ecs.add_response("describe_tasks", {"tasks": made})
        with self.ecs, self.elbv2:
            health = self.compute.diagnose(self.slot, SINCE)
        self.ecs.assert_no_pending_responses()
        return health


def _time(after: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(SINCE + after, tz=datetime.UTC)


def exited(number: int, code: int = 1, *, at: float = 10) -> dict[str, Any]:
    return {
        "taskArn": f"arn:aws:ecs:eu-central-1:123456789012:task/production/t{number}",
        "stoppedAt": _time(at + number),
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "proxy", "exitCode": 0}, {"name": "app", "exitCode": code}],
    }


def test_crash_loop_is_fatal_with_exit_code_count_and_last_log_lines(world: MotoEcsWorld) -> None:
    stubbed = StubbedEcs(world, log=("KeyError: 'DATABASE'",))
    failures = stubbed.diagnose([exited(1), exited(2), exited(3)]).failures
    assert failures[0].reason == "orders-2: container app exited with code 1 (3 tasks)"
    assert (failures[0].fatal, failures[0].log) == (True, ("KeyError: 'DATABASE'",))
    assert stubbed.asked == [("app", "t3")]


def test_one_crash_is_not_fatal(world: MotoEcsWorld) -> None:
    failures = StubbedEcs(world).diagnose([exited(1)]).failures
    assert [failure.fatal for failure in failures] == [False]


def test_crashes_before_the_launch_do_not_count(world: MotoEcsWorld) -> None:
    old = [exited(number, at=-100) for number in range(5)]
    assert StubbedEcs(world).diagnose(old).failures == ()


def test_crashes_of_another_release_do_not_count(world: MotoEcsWorld) -> None:
    other = [exited(number) | {"taskDefinitionArn": "arn:other:7"} for number in range(5)]
    assert StubbedEcs(world).diagnose(other).failures == ()


def test_diagnosis_calls_do_not_grow_with_the_number_of_stopped_tasks(world: MotoEcsWorld) -> None:
    stubbed = StubbedEcs(world)
    stubbed.diagnose([exited(number) for number in range(60)])
    assert sum(stubbed.clients.calls.counts.values()) == 5
    assert len(stubbed.asked) == 1


def test_targets_and_events_are_named_beside_the_tasks(world: MotoEcsWorld) -> None:
    unhealthy = {
        "State": "unhealthy",
        "Reason": "Target.ResponseCodeMismatch",
        "Description": "Health checks failed with these codes: [500]",
    }
    placed = "(service orders-2) was unable to place a task because no container instance met all of its requirements."
    health = StubbedEcs(world).diagnose([], states=(unhealthy, {"State": "healthy"}), events=(placed,))
    assert health.states == {"unhealthy": 1, "healthy": 1}
    assert [failure.reason for failure in health.failures] == [
        "orders-2: was unable to place a task because no container instance met all of its requirements.",
        "orders-2: 1 of 2 targets unhealthy: Health checks failed with these codes: [500] "
        "(Target.ResponseCodeMismatch)",
    ]
    assert not any(failure.fatal for failure in health.failures)


def test_container_log_is_read_from_the_awslogs_stream(world: MotoEcsWorld) -> None:
    logs = world.clients.logs
    logs.create_log_group(logGroupName="/orders")
    logs.create_log_stream(logGroupName="/orders", logStreamName="ecs/app/t3")
    now = int(SystemClock().now() * 1000)
    events = [{"timestamp": now + line, "message": f"line {line}\n"} for line in range(20)]
    logs.put_log_events(logGroupName="/orders", logStreamName="ecs/app/t3", logEvents=events)
    options = {"awslogs-group": "/orders", "awslogs-stream-prefix": "ecs", "awslogs-region": world.clients.region}
    container = {"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    tail = AwsLogTail(world.clients)
    assert tail.tail(container, "t3", None, 3) == ("line 17", "line 18", "line 19")
    assert tail.tail(container, "missing", None, 3) == ()
    assert tail.tail({"name": "app"}, "t3", None, 3) == ()


def test_slot_of_a_deleted_service_is_not_found(world: MotoEcsWorld) -> None:
    slot = Slot("orders-9", world.network.green.target_group_arn, "orders-9", "production")
    with pytest.raises(NotFoundError):
        world.compute.health(slot)


def test_what_the_other_service_is_set_to_costs_no_call_beyond_health(world: MotoEcsWorld) -> None:
    blue, green = world.compute.resolve(SPEC)
    calls(world)
    health, beside = world.compute.health_beside(green, blue)
    assert calls(world) == {"ecs:DescribeServices": 1, "elasticloadbalancing:DescribeTargetHealth": 1}
    assert (health.desired, beside.desired) == (0, 2)
    assert beside.release == world.compute.current(blue).task_definition


def test_likely_writer_of_a_service_of_a_stack_is_the_stack(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    arn = world.ecs.describe_services(cluster="production", services=["orders-1"])["services"][0]["serviceArn"]
    world.ecs.tag_resource(resourceArn=arn, tags=[{"key": "aws:cloudformation:stack-name", "value": "shop"}])
    assert "CloudFormation stack shop manages the service" in world.compute.likely_writer(blue)


def test_likely_writer_is_told_by_a_tag_and_by_ecs_s_own_last_words(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    began = datetime.datetime(2026, 11, 21, 10, 21, 3, tzinfo=datetime.UTC)
    service = {
        "serviceName": "orders-1",
        "tags": [{"key": "ManagedBy", "value": "terraform"}],
        "deployments": [{"id": "ecs-svc/1", "createdAt": began}],
        "events": [{"message": "(service orders-1) has stopped 2 running tasks"}],
    }
    with Stubber(world.clients.ecs) as stub:
        stub.add_response("describe_services", {"services": [service]})
        said = world.compute.likely_writer(blue)
    assert "its tag ManagedBy=terraform says who manages it" in said
    assert "its newest ECS deployment began at 10:21:03 UTC" in said
    assert "has stopped 2 running tasks" in said


def test_likely_writer_that_may_not_be_asked_stands_in_nobody_s_way(world: MotoEcsWorld) -> None:
    blue, _ = world.compute.resolve(SPEC)
    with Stubber(world.clients.ecs) as stub:
        stub.add_client_error("describe_services", "AccessDeniedException", "not authorized", 400)
        assert world.compute.likely_writer(blue) == ""
