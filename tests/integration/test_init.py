"""bluegreen init against moto's ECS, ELBv2 and CloudWatch: what it writes is what verify accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from bluegreen.aws.clients import Clients
from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.clock import FakeClock
from bluegreen.config.load import load
from bluegreen.discovery.aws import AwsSource
from bluegreen.discovery.discover import discover
from bluegreen.discovery.found import Wanted
from bluegreen.domain.service import Owner
from bluegreen.wiring import Options, known_kinds
from tests.contract.compute_worlds import MotoEcsWorld, moto_ecs_world
from tests.contract.traffic_worlds import REGION
from tests.unit.discovery_kit import SourcedSession

PERMISSIONS = Path(__file__).parents[2] / "docs" / "iam.md"


@pytest.fixture
def world() -> Iterator[MotoEcsWorld]:
    with moto_ecs_world() as made:
        yield made


def forward(world: MotoEcsWorld, blue: int = 100, green: int = 0) -> list[dict[str, Any]]:
    slots = ((world.network.blue, blue), (world.network.green, green))
    groups = [{"TargetGroupArn": slot.target_group_arn, "Weight": weight} for slot, weight in slots]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def alarm(world: MotoEcsWorld, name: str, **dimensions: str) -> None:
    cloudwatch: Any = world.clients.cloudwatch
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


def suffix(arn: str) -> str:
    return arn.rsplit(":", 1)[-1].removeprefix("loadbalancer/")


def type_(folder: Path, *words: str, **environment: str) -> Result:
    known = {"XDG_STATE_HOME": str(folder / "state"), "AWS_REGION": REGION, "BLUEGREEN_STORE": f"sqlite:///{folder}/s"}
    result = CliRunner().invoke(root, list(words), obj=App(clock=FakeClock(), environment={**known, **environment}))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_what_is_written_from_a_live_service_is_what_verify_accepts(world: MotoEcsWorld, tmp_path: Path) -> None:
    conditions = [
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["Orders.example.com"]}},
        {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*", "/v2/*"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "tenant", "Value": "acme"}]}},
    ]
    world.network.listener(80, [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])
    world.network.create_rule(80, conditions, forward(world))
    header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Test", "Values": ["green"]}}
    world.network.create_rule(80, [header], forward(world))
    for number in (1, 2):
        world.register_target(world.network.blue, f"10.0.0.{number}")
    alarm(world, "orders-5xx", TargetGroup=suffix(world.network.blue.target_group_arn))
    alarm(world, "front", LoadBalancer=suffix(world.network.balancer_arn))
    alarm(world, "elsewhere", TargetGroup=suffix(world.network.stranger))
    file = tmp_path / "bluegreen.yaml"

    written = type_(tmp_path, "init", "orders", "-c", str(file))
    assert written.exit_code == 0, written.stderr
    spec = load(file, {}, known_kinds()).spec
    assert [(slot.target_group, slot.service) for slot in spec.slots] == [
        ("orders-1", "orders-1"),
        ("orders-2", "orders-2"),
    ]
    assert spec.production[0].rule == {
        "host": ["Orders.example.com"],
        "path": ["/api/*", "/v2/*"],
        "query": ["tenant=acme"],
    }
    assert (spec.test_header, spec.region, spec.cluster) == ("X-Test: green", REGION, "production")
    assert [gate.settings["alarm"] for gate in spec.gates] == ["front", "orders-5xx"]

    verified = type_(tmp_path, "verify", "-c", str(file))
    assert (verified.exit_code, verified.stderr) == (0, ""), verified.stdout
    assert world.writes() == world.network.modifications() == 0


def test_permissions_that_the_manual_names_are_the_calls_that_are_made(world: MotoEcsWorld) -> None:
    world.network.listener(80, forward(world))
    world.clients.calls.counts.clear()
    discover(AwsSource(world.clients), Wanted("orders"))
    text = PERMISSIONS.read_text(encoding="utf-8").split("## Before there is a configuration", 1)[1]
    block = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    (statement,) = json.loads(block[1])["Statement"]
    called = {action.replace("monitoring:", "cloudwatch:") for action in world.clients.calls.counts}
    assert set(statement["Action"]) == called


def test_services_are_read_past_the_first_page(world: MotoEcsWorld) -> None:
    for number in range(112):
        world.create_service(f"job-{number:03}", world.network.stranger, 0)
    names = [service.name for service in AwsSource(world.clients).services("production")]
    assert len(names) == 114
    assert {"orders-1", "orders-2", "job-000", "job-111"} <= set(names)


def test_rules_with_the_same_conditions_are_told_apart_by_priority(world: MotoEcsWorld, tmp_path: Path) -> None:
    world.network.rule(80, "/api/*", forward(world))
    world.network.rule(80, "/api/*", forward(world))
    source = AwsSource(world.clients)
    (balancer,) = source.balancers([world.network.balancer_arn])
    rules = [route.rule for route in source.routes(balancer)]
    assert [rule and rule.get("priority") for rule in rules] == [1, 2]


def test_alarms_are_read_past_the_first_page_and_composite_ones_name_their_children() -> None:
    clients = Clients(REGION, clock=FakeClock())
    asked = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "MaxRecords": 100}
    metric = {"Metric": {"MetricName": "Errors", "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/a/1"}]}}
    inner = [{"Id": "sum", "Expression": "a"}, {"Id": "a", "MetricStat": {**metric, "Period": 60, "Stat": "Sum"}}]
    first = {"MetricAlarms": [{"AlarmName": "math", "StateValue": "OK", "Metrics": inner}], "NextToken": "more"}
    rule = 'ALARM("o 5xx") OR (OK(a-b) AND NOT INSUFFICIENT_DATA("arn:aws:cloudwatch:eu-central-1:1:alarm:far"))'
    second = {"CompositeAlarms": [{"AlarmName": "all", "StateValue": "ALARM", "AlarmRule": rule}]}
    with Stubber(clients.cloudwatch) as stub:
        stub.add_response("describe_alarms", first, asked)
        stub.add_response("describe_alarms", second, {**asked, "NextToken": "more"})
        math, composite = AwsSource(clients).alarms()
        stub.assert_no_pending_responses()
    assert (math.name, math.metrics, math.dimensions) == ("math", ("Errors",), ({"TargetGroup": "targetgroup/a/1"},))
    assert (composite.state, composite.children) == ("ALARM", ("o 5xx", "a-b", "far"))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "error: not allowed: ecs:ListServices on arn:aws:ecs:eu-central-1:1:cluster/p"),
        ("ExpiredTokenException", "error: AWS does not accept the credentials (ExpiredTokenException)"),
    ],
)
def test_refused_call_is_named_without_a_traceback(tmp_path: Path, code: str, said: str) -> None:
    clients = Clients(REGION, clock=FakeClock())
    message = "me is not authorized to perform: ecs:ListServices on resource: arn:aws:ecs:eu-central-1:1:cluster/p"
    with Stubber(clients.ecs) as stub:
        stub.add_client_error("list_services", code, message, http_status_code=400)
        session = SourcedSession(Options(), Owner("ada", "laptop", 1, "init"), environment={}, live=AwsSource(clients))
        app = App(connector=lambda app, command: session, environment={"XDG_STATE_HOME": str(tmp_path)})
        words = ["init", "orders", "--cluster", "p", "-c", str(tmp_path / "b.yaml")]
        result = CliRunner().invoke(root, words, obj=app)
    assert result.exit_code == 6
    assert result.stderr.startswith(said)
    assert "Traceback" not in result.stderr


def test_deploying_service_of_codedeploy_is_refused_with_the_reason(world: MotoEcsWorld, tmp_path: Path) -> None:
    controller = {"type": "CODE_DEPLOY"}
    world.create_service("web", world.network.stranger, 1, deploymentController=controller)
    result = type_(tmp_path, "init", "web", "-c", str(tmp_path / "b.yaml"))
    assert result.exit_code == 6
    assert "web of cluster production is controlled by CODE_DEPLOY" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["orders", "--cluster", "prodution"], 2, "did you mean --cluster production?"),
        (["odrers"], 2, "did you mean orders?"),
        ([], 2, "which service? cluster production has orders (orders-1, orders-2)"),
        (["orders", "--profile", "nobody"], 2, "nobody"),
    ],
)
def test_wrong_names_are_answered_with_what_there_is(
    world: MotoEcsWorld, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    result = type_(tmp_path, "init", *words, "-c", str(tmp_path / "b.yaml"))
    assert (result.exit_code, "Traceback" in result.stderr) == (code, False)
    assert said in result.stderr
    assert not (tmp_path / "b.yaml").exists()


def test_without_a_region_it_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    result = type_(tmp_path, "init", "orders", "-c", str(tmp_path / "b.yaml"), AWS_REGION="")
    assert result.exit_code == 2
    assert "no AWS region is configured" in result.stderr
    assert "--region REGION" in result.stderr
