"""The policy of a configuration: what it names, what it leaves out, and the evaluator that judges it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bluegreen.aws.policy import Purpose, Scope, log_groups, policy, role_arns
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec, NotifySpec, RouteSpec
from bluegreen.sandbox.api.iam import Need, allowing, needs_of
from bluegreen.sandbox.api.request import Call
from tests.stage import SPEC, Stage
from tests.unit.cli_kit import Desk

SCOPE = Scope("eu-central-1", "111122223333", table="bluegreen", family="orders")
RULE = RouteSpec(load_balancer="prod", port=443, rule={"path": "/orders/*"})
LISTENER_ARN = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/prod/0a/1b"
RULE_ARN = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener-rule/app/prod/0a/1b/2c"
SOURCES = Path(__file__).parents[2] / "bluegreen"

MACHINE = "arn:aws:states:eu-central-1:111122223333:stateMachine:verify"
HOOKS = (
    HookSpec(HookPoint.TEST, "gate", "lambda", {"function": "gate"}),
    HookSpec(HookPoint.TEST, "e2e", "codebuild", {"project": "orders-e2e"}),
    HookSpec(HookPoint.TEST, "verify", "stepfunctions", {"state_machine": MACHINE}),
)
TOPIC = "arn:aws:sns:eu-central-1:111122223333:deployments"
NOTIFIERS = (
    NotifySpec("mail", "sns", {"topic": TOPIC}),
    NotifySpec("bus", "eventbridge", {}),
    NotifySpec("other", "eventbridge", {"bus": "deployments"}),
)
IAM_PREFIXES = {"monitoring": "cloudwatch"}
SET_UP = {"create_table", "describe_table", "update_table", "update_continuous_backups"}
"""``bluegreen store create`` makes the table once, with an administrator's rights."""

LOOKING_AROUND = {"list_clusters", "list_services"}
"""``bluegreen init`` has no configuration yet: docs/iam.md names its calls (tests/integration/test_init.py)."""

IN_TRANSACTIONS = {"transact_write_items": ("PutItem", "UpdateItem", "ConditionCheckItem")}


def actions(document: Mapping[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def may(document: Mapping[str, Any], action: str, resource: str = "*", **context: str) -> bool:
    keys = {key.replace("__", ":"): (value,) for key, value in context.items()}
    return allowing(document, Need(action, resource, keys)) is not None


def everything() -> dict[str, Any]:
    gates = (GateSpec("errors", "alarm"), GateSpec("rate", "metric"))
    spec = replace(SPEC, production=(RULE,), gates=gates, hooks=HOOKS, notify=NOTIFIERS)
    return policy(spec, Purpose.DEPLOY, SCOPE)


def test_purposes_are_each_contained_in_the_next() -> None:
    read, rollback, deploy = (actions(policy(SPEC, purpose, SCOPE)) for purpose in Purpose)
    assert read < rollback < deploy


def test_viewer_changes_nothing() -> None:
    assert all(
        re.search(r":(Describe|Get|BatchGet|Query|List)", action)
        for action in actions(policy(SPEC, Purpose.READ, SCOPE))
    )


def test_on_call_moves_traffic_and_registers_nothing() -> None:
    found = actions(policy(SPEC, Purpose.ROLLBACK, SCOPE))
    assert {"elasticloadbalancing:ModifyListener", "ecs:UpdateService"} <= found
    assert not {"ecs:RegisterTaskDefinition", "ecs:TagResource"} & found


def test_every_statement_has_a_name_of_its_own_and_only_reads_are_allowed_everywhere() -> None:
    statements = everything()["Statement"]
    sids = [statement["Sid"] for statement in statements]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    wide = {
        action
        for statement in statements
        if statement["Resource"] == "*" and "Condition" not in statement
        for action in statement["Action"]
    }
    assert {action for action in wide if ":Describe" not in action and ":Get" not in action} == {
        "ecs:RegisterTaskDefinition"
    }


def test_hooks_elsewhere_may_be_run_and_only_those_that_the_configuration_names() -> None:
    arn = "arn:aws:{}:eu-central-1:111122223333:{}".format
    execution = MACHINE.replace(":stateMachine:", ":execution:")
    assert may(everything(), "lambda:InvokeFunction", arn("lambda", "function:gate"))
    assert not may(everything(), "lambda:InvokeFunction", arn("lambda", "function:other"))
    assert may(everything(), "codebuild:StopBuild", arn("codebuild", "project/orders-e2e"))
    assert not may(everything(), "codebuild:StartBuild", arn("codebuild", "project/other"))
    assert may(everything(), "states:StartExecution", MACHINE)
    assert may(everything(), "states:StopExecution", f"{execution}:bluegreen-1f-1")
    assert not may(everything(), "states:StopExecution", f"{execution}:somebody-elses")
    assert not may(policy(SPEC, Purpose.DEPLOY, SCOPE), "lambda:InvokeFunction", arn("lambda", "function:gate"))


def resources(sid: str, **named: Any) -> list[str]:
    hooks = tuple(HookSpec(HookPoint.TEST, kind, kind, settings) for kind, settings in named.items() if kind != "sns")
    notify = tuple(NotifySpec(kind, kind, settings) for kind, settings in named.items() if kind == "sns")
    document = policy(replace(SPEC, hooks=hooks, notify=notify), Purpose.DEPLOY, SCOPE)
    found = next(statement["Resource"] for statement in document["Statement"] if statement["Sid"] == sid)
    return [found] if isinstance(found, str) else list(found)


STATES, PROJECT = "states:eu-central-1", "codebuild:eu-central-1:1:project/p"


def lambda_of(function: str) -> dict[str, Any]:
    return {"lambda": {"function": function}}


@pytest.mark.parametrize(
    ("sid", "named", "resource"),
    [
        ("StartExecutions", {"stepfunctions": {"state_machine": "${MACHINE}"}}, f"{STATES}:*:stateMachine:*"),
        ("FollowExecutions", {"stepfunctions": {"state_machine": "${M}"}}, f"{STATES}:*:execution:*:bluegreen-*"),
        ("FollowExecutions", {"stepfunctions": {"state_machine": f"{MACHINE}:live"}}, None),
        ("StartExecutions", {"stepfunctions": {"state_machine": MACHINE + "-${STAGE}"}}, MACHINE[8:] + "-*"),
        ("InvokeHooks", lambda_of("123456789012:function:fn"), "lambda:eu-central-1:123456789012:function:fn"),
        ("InvokeHooks", lambda_of("fn:live"), "lambda:eu-central-1:111122223333:function:fn:live"),
        ("InvokeHooks", lambda_of("fn-${STAGE}"), "lambda:eu-central-1:111122223333:function:fn-*"),
        ("InvokeHooks", lambda_of("${FN}"), "lambda:eu-central-1:*:function:*"),
        ("RunBuilds", {"codebuild": {"project": "${P}"}}, "codebuild:eu-central-1:*:project/*"),
        ("RunBuilds", {"codebuild": {"project": f"arn:aws:{PROJECT}"}}, PROJECT),
        ("TellTopics", {"sns": {"topic": "${TOPIC}"}}, "sns:eu-central-1:*:*"),
    ],
)  # fmt: skip
def test_every_resource_that_a_hook_or_notifier_names_is_an_arn(
    sid: str, named: dict[str, Any], resource: str | None
) -> None:
    expected = f"{MACHINE.replace(':stateMachine:', ':execution:')}:bluegreen-*" if resource is None else None
    assert resources(sid, **named) == [expected or f"arn:aws:{resource}"]


def test_only_the_configured_services_may_be_changed() -> None:
    arn = "arn:aws:ecs:eu-central-1:111122223333:service/production/"
    assert may(everything(), "ecs:UpdateService", arn + "orders-2")
    assert not may(everything(), "ecs:UpdateService", arn + "orders-3")
    assert not may(everything(), "ecs:UpdateService", arn.replace("production", "other") + "orders-2")
    assert not may(everything(), "ecs:UpdateService", arn.replace("eu-central-1", "us-east-1") + "orders-2")


def test_listener_is_changed_where_a_route_has_no_rule_and_a_rule_where_it_has_one() -> None:
    spec = replace(SPEC, production=(RULE,), test=None)
    assert may(policy(spec, Purpose.ROLLBACK, SCOPE), "elasticloadbalancing:ModifyRule", RULE_ARN)
    assert not may(policy(spec, Purpose.ROLLBACK, SCOPE), "elasticloadbalancing:ModifyListener", LISTENER_ARN)
    assert may(policy(SPEC, Purpose.ROLLBACK, SCOPE), "elasticloadbalancing:ModifyListener", LISTENER_ARN)
    assert not may(policy(SPEC, Purpose.ROLLBACK, SCOPE), "elasticloadbalancing:ModifyRule", RULE_ARN)


@pytest.mark.parametrize(
    ("route", "action", "allowed", "refused"),
    [
        (RouteSpec(arn=LISTENER_ARN), "ModifyListener", LISTENER_ARN, LISTENER_ARN + "f"),
        (RouteSpec(arn=RULE_ARN), "ModifyRule", RULE_ARN, RULE_ARN + "f"),
        (RouteSpec(arn=LISTENER_ARN, rule={"priority": 5}), "ModifyRule", RULE_ARN, RULE_ARN.replace("1b", "9b")),
    ],
    ids=["listener", "rule", "rule of a listener"],
)
def test_route_by_arn_is_allowed_by_its_arn(route: RouteSpec, action: str, allowed: str, refused: str) -> None:
    document = policy(replace(SPEC, production=(route,), test=None), Purpose.DEPLOY, SCOPE)
    assert may(document, f"elasticloadbalancing:{action}", allowed)
    assert not may(document, f"elasticloadbalancing:{action}", refused)


def test_roles_are_passed_to_tasks_only_and_only_those_of_the_task_definition() -> None:
    definition = {"taskRoleArn": "arn:aws:iam::111122223333:role/orders", "executionRoleArn": ""}
    document = policy(SPEC, Purpose.DEPLOY, replace(SCOPE, roles=role_arns(definition)))
    role = "arn:aws:iam::111122223333:role/orders"
    assert may(document, "iam:PassRole", role, iam__PassedToService="ecs-tasks.amazonaws.com")
    assert not may(document, "iam:PassRole", role, iam__PassedToService="lambda.amazonaws.com")
    assert not may(document, "iam:PassRole", role)
    assert not may(document, "iam:PassRole", role + "-admin", iam__PassedToService="ecs-tasks.amazonaws.com")


def test_tags_are_written_on_new_revisions_only() -> None:
    arn = "arn:aws:ecs:eu-central-1:111122223333:task-definition/orders:7"
    assert may(everything(), "ecs:TagResource", arn, ecs__CreateAction="RegisterTaskDefinition")
    assert not may(everything(), "ecs:TagResource", arn)


def test_other_services_records_in_the_same_table_may_not_be_touched() -> None:
    table = "arn:aws:dynamodb:eu-central-1:111122223333:table/bluegreen"
    assert may(everything(), "dynamodb:UpdateItem", table, dynamodb__LeadingKeys="service#orders")
    assert may(everything(), "dynamodb:PutItem", table, dynamodb__LeadingKeys="deployment#orders-20261121-100000-ab")
    assert not may(everything(), "dynamodb:UpdateItem", table, dynamodb__LeadingKeys="service#payments")
    assert not may(everything(), "dynamodb:DeleteItem", table, dynamodb__LeadingKeys="service#orders")


def test_without_a_table_there_is_nothing_of_dynamodb_and_without_gates_nothing_of_cloudwatch() -> None:
    found = actions(policy(SPEC, Purpose.DEPLOY, replace(SCOPE, table=None)))
    assert not [action for action in found if action.startswith(("dynamodb", "cloudwatch"))]


def test_a_comparison_reads_metrics_unless_it_asks_prometheus() -> None:
    asks: list[tuple[dict[str, object], bool]] = [({}, True), ({"prometheus": {"url": "http://p:9090"}}, False)]
    for settings, needed in asks:
        spec = replace(SPEC, gates=(GateSpec("versus", "compare", settings),))
        assert may(policy(spec, Purpose.DEPLOY, SCOPE), "cloudwatch:GetMetricData") is needed


def test_logs_are_those_that_the_containers_write_to() -> None:
    container = {"name": "app", "logConfiguration": {"options": {"awslogs-group": "/ecs/orders"}}}
    groups = log_groups({"containerDefinitions": [container, {"name": "sidecar"}]})
    document = policy(SPEC, Purpose.DEPLOY, replace(SCOPE, log_groups=groups))
    arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/orders:log-stream:app/app/1"
    assert may(document, "logs:GetLogEvents", arn)
    assert not may(document, "logs:GetLogEvents", arn.replace("orders", "payments"))


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eu-west-1", "aws")]
)
def test_arns_are_of_the_regions_partition(region: str, partition: str) -> None:
    text = json.dumps(policy(SPEC, Purpose.DEPLOY, replace(SCOPE, region=region)))
    assert set(re.findall(r"arn:([^:]*):", text)) == {partition}


def test_what_is_not_known_offline_is_a_wildcard_in_its_arn_and_not_the_whole_resource() -> None:
    document = policy(SPEC, Purpose.ROLLBACK, Scope())
    assert may(document, "ecs:UpdateService", "arn:aws:ecs:eu-west-1:999988887777:service/production/orders-1")
    assert not may(document, "ecs:UpdateService", "arn:aws:ecs:eu-west-1:999988887777:service/production/payments")


def test_every_aws_call_in_the_source_is_in_the_policy() -> None:
    """A new call without its permission would work in the sandbox and fail at three in the morning."""
    from botocore import xform_name
    from botocore.session import Session

    allowed = actions(everything())
    names = {"autoscaling": "application-autoscaling", "eventbridge": "events"}
    checked, session = set(), Session()
    for path in SOURCES.rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        text = path.read_text()
        for client, method in _methods(path, text):
            model = session.get_service_model(names.get(client, client))
            operation = {xform_name(name): name for name in model.operation_names}.get(method)
            if operation is None or method in SET_UP | LOOKING_AROUND:
                continue
            for verb in IN_TRANSACTIONS.get(method, (operation,)):
                prefix = IAM_PREFIXES.get(model.signing_name, model.signing_name)
                assert f"{prefix}:{verb}" in allowed, f"{path.name} calls {method}"
            checked.add(f"{client}.{method}")
    assert {"elbv2.modify_listener", "ecs.update_service", "dynamodb.update_item", "logs.get_log_events"} <= checked


def _methods(path: Path, text: str) -> set[tuple[str, str]]:
    clients = "ecs|elbv2|cloudwatch|logs|autoscaling|sts|codebuild|stepfunctions|sns|eventbridge"
    found = set(re.findall(rf"\b({clients})\.([a-z_]+)", text))
    if path.name.startswith("dynamodb"):
        found |= {("dynamodb", method) for method in re.findall(r"\b_?client\.([a-z_]+)", text)}
    return found


def test_who_is_told_gets_nothing_but_its_fact() -> None:
    document = everything()
    buses = "arn:aws:events:eu-central-1:111122223333:event-bus"
    assert may(document, "sns:Publish", TOPIC)
    assert not may(document, "sns:Publish", TOPIC + "-other")
    assert may(document, "events:PutEvents", f"{buses}/default")
    assert may(document, "events:PutEvents", f"{buses}/deployments")
    assert not may(document, "events:PutEvents", f"{buses}/elsewhere")
    told = replace(SPEC, notify=NOTIFIERS)
    assert "sns:Publish" in actions(policy(told, Purpose.ROLLBACK, SCOPE))
    assert "sns:Publish" not in actions(policy(told, Purpose.READ, SCOPE))


def test_evaluator_refuses_what_is_denied_whatever_else_allows_it() -> None:
    allow = {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "ecs:Update?ervice", "Resource": "*"}
    assert allowing({"Statement": [allow]}, Need("ecs:UpdateService", "x")) is allow
    assert allowing({"Statement": [allow, deny]}, Need("ecs:UpdateService", "x")) is None
    assert allowing({"Statement": allow}, Need("ecs:DescribeServices", "x")) is allow


def test_evaluator_does_not_guess_at_conditions_it_does_not_know() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "10/8"}},
    }
    with pytest.raises(ValueError, match="IpAddress"):
        allowing({"Statement": [statement]}, Need("ecs:UpdateService"))


def test_call_needs_each_of_its_resources() -> None:
    call = Call("ecs", "DescribeServices", "json", "eu-west-1", {"cluster": "c", "services": ["a", "b"]}, "")
    assert [need.resource.rsplit(":", 1)[-1] for need in needs_of(call, lambda name: ())] == [
        "service/c/a",
        "service/c/b",
    ]


def test_command_prints_the_policy_of_the_configuration_and_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Stage())
    result = desk.type("iam-policy", "-c", str(desk.config), "--account", "111122223333", "--region", "eu-west-1")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["Version"] == "2012-10-17"
    assert may(document, "ecs:UpdateService", "arn:aws:ecs:eu-west-1:111122223333:service/production/orders-1")
    assert desk.stage.calls == []


def test_command_takes_roles_and_logs_from_the_task_definition_file(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Stage())
    role = "arn:aws:iam::111122223333:role/orders"
    container = {"name": "app", "image": "i", "logConfiguration": {"options": {"awslogs-group": "/ecs/o"}}}
    definition = {"family": "orders", "taskRoleArn": role, "containerDefinitions": [container]}
    (tmp_path / "task.json").write_text(json.dumps(definition))
    text = desk.config.read_text().replace('images: {app: "registry.example/orders:2"}', "task_definition: task.json")
    desk.config.write_text(text)
    result = desk.type("iam-policy", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    by_sid = {statement["Sid"]: statement for statement in json.loads(result.stdout)["Statement"]}
    assert by_sid["PassTaskRoles"]["Resource"] == role
    assert by_sid["ReadTasksLastWords"]["Resource"].endswith(":log-group:/ecs/o:log-stream:*")
    assert by_sid["TagReleases"]["Resource"].endswith(":task-definition/orders:*")


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--account", "12"], "twelve digits"), (["--role", "admin"], "--role admin"), (["--purpose", "x"], "--purpose")],
)
def test_command_names_the_option_that_is_wrong(tmp_path: Path, words: list[str], named: str) -> None:
    desk = Desk(tmp_path, Stage())
    result = desk.type("iam-policy", "-c", str(desk.config), *words)
    assert result.exit_code == 2
    assert named in result.stderr


@pytest.mark.parametrize(
    ("service", "operation", "asked", "action", "resource"),
    [
        ("lambda", "Invoke", {"FunctionName": "gate"}, "lambda:InvokeFunction", ":function:gate"),
        ("stepfunctions", "StartExecution", {"stateMachineArn": MACHINE}, "states:StartExecution", ":verify"),
        ("codebuild", "StartBuild", {"projectName": "e2e"}, "codebuild:StartBuild", ":project/e2e"),
        ("codebuild", "BatchGetBuilds", {"ids": ["e2e:1"]}, "codebuild:BatchGetBuilds", ":project/e2e"),
    ],
)
def test_a_hooks_call_needs_what_aws_asks_for_it(
    service: str, operation: str, asked: dict[str, Any], action: str, resource: str
) -> None:
    call = Call(service, operation, "json", "eu-central-1", asked, "")
    (need,) = needs_of(call, lambda name: ())
    assert need.action == action
    assert need.resource.endswith(resource)
