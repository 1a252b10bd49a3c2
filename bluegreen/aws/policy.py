"""The least-privilege IAM policy of a configuration: which actions on which resources, by names and ARN patterns.

Pure, and asks nobody: what only AWS knows (an account, a listener's id) becomes a wildcard in its ARN. Sources: the
Service Authorization Reference; docs/iam.md says which of its facts are unverified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from bluegreen.domain.facts import COMPARISON
from bluegreen.domain.spec import HookSpec, NotifySpec, RouteSpec, Spec

Statement = dict[str, Any]

_VARIABLE = re.compile(r"\$\{[^}]*\}")


class Purpose(StrEnum):
    """``read``: status, history, verify. ``rollback``: these, and to put traffic back. ``deploy``: everything."""

    READ = "read"
    ROLLBACK = "rollback"
    DEPLOY = "deploy"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known beside the configuration. None or empty: a wildcard, or no statement where there is no table.

    ``family`` is the task definition's, ``roles`` are the ARNs it passes to its tasks, ``log_groups`` names.
    """

    region: str | None = None
    account: str | None = None
    table: str | None = None
    table_region: str | None = None
    family: str | None = None
    roles: tuple[str, ...] = ()
    log_groups: tuple[str, ...] = ()


def policy(spec: Spec, purpose: Purpose, scope: Scope) -> dict[str, Any]:
    """An IAM policy document, ready for ``aws iam put-role-policy``."""
    makers = [_find, _services, _definitions, _scalable_targets, _alarms, _records_read]
    if purpose is not Purpose.READ:
        makers += [
            _move_traffic,
            _scale,
            _suspend_scaling,
            _pass_roles,
            _stopped_tasks,
            _reasons,
            _logs,
            _functions,
            _builds,
            _executions,
            _topics,
            _buses,
            _records_written,
        ]
    if purpose is Purpose.DEPLOY:
        makers += [_register, _tag]
    arns = _Arns(scope)
    statements = [statement for make in makers for statement in make(spec, arns)]
    return {"Version": "2012-10-17", "Statement": statements}


def role_arns(definition: dict[str, Any]) -> tuple[str, ...]:
    """The roles that a task definition hands to its tasks and to ECS."""
    found = [definition.get(key) for key in ("taskRoleArn", "executionRoleArn")]
    return tuple(dict.fromkeys(str(arn) for arn in found if arn))


def log_groups(definition: dict[str, Any]) -> tuple[str, ...]:
    """The groups that its containers' awslogs drivers write to."""
    containers = [item for item in definition.get("containerDefinitions") or [] if isinstance(item, dict)]
    options = [(item.get("logConfiguration") or {}).get("options") or {} for item in containers]
    return tuple(dict.fromkeys(str(each["awslogs-group"]) for each in options if each.get("awslogs-group")))


# Private


@dataclass(frozen=True, slots=True)
class _Arns:
    scope: Scope

    def of(self, service: str, resource: str, region: str | None = None) -> str:
        where = region or self.scope.region or "*"
        return f"arn:{_partition(where)}:{service}:{where}:{self.scope.account or '*'}:{resource}"

    def named(self, service: str, kind: str, name: str) -> str:
        """``name`` may be an ARN already; one that is not known at all may be one of another account."""
        if name.startswith("arn:"):
            return name
        if name == "*":
            return replace(self, scope=replace(self.scope, account=None)).of(service, f"{kind}*")
        return self.of(service, f"{kind}{name}")

    def balancer(self, kind: str, name: str) -> str:
        return self.of("elasticloadbalancing", f"{kind}/{name}")

    def ecs(self, resource: str) -> str:
        return self.of("ecs", resource)

    def role(self, name: str) -> str:
        return f"arn:{_partition(self.scope.region or '*')}:iam::{self.scope.account or '*'}:role/{name}"


def _partition(region: str) -> str:
    if region == "*":
        return "*"
    special = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for prefix, name in special.items() if region.startswith(prefix)), "aws")


def _allow(sid: str, actions: Sequence[str], resources: Iterable[str], condition: Statement | None = None) -> Statement:
    found = list(dict.fromkeys(resources))
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": found[0] if len(found) == 1 else found,
    }
    return statement | ({"Condition": condition} if condition else {})


def _routes(spec: Spec) -> list[RouteSpec]:
    return [*spec.production, *([spec.test] if spec.test else [])]


def _is_rule(route: RouteSpec) -> bool:
    return bool(route.rule) or ":listener-rule/" in (route.arn or "")


def _find(spec: Spec, arns: _Arns) -> list[Statement]:
    """Elastic Load Balancing's Describe actions know no resources."""
    names = ["LoadBalancers", "Listeners", "TargetGroups", "TargetGroupAttributes", "TargetHealth"]
    names += ["Rules"] if any(_is_rule(route) for route in _routes(spec)) else []
    return [_allow("FindRoutesAndTargets", [f"elasticloadbalancing:Describe{name}" for name in names], ["*"])]


def _move_traffic(spec: Spec, arns: _Arns) -> list[Statement]:
    routes = _routes(spec)
    listeners = [arn for route in routes if not _is_rule(route) for arn in _listener_arns(route, arns)]
    rules = [_rule_arn(route, arns) for route in routes if _is_rule(route)]
    statements = [_allow("MoveTrafficOfListeners", ["elasticloadbalancing:ModifyListener"], listeners)]
    statements += [_allow("MoveTrafficOfRules", ["elasticloadbalancing:ModifyRule"], rules)]
    return [statement for statement in statements if statement["Resource"]]


def _listener_arns(route: RouteSpec, arns: _Arns) -> list[str]:
    if route.arn:
        return [route.arn]
    # A name does not tell whether it is an Application or a Network Load Balancer.
    return [arns.balancer("listener", f"{kind}/{route.load_balancer}/*") for kind in ("app", "net")]


def _rule_arn(route: RouteSpec, arns: _Arns) -> str:
    if route.arn is None:
        return arns.balancer("listener-rule", f"app/{route.load_balancer}/*")
    return route.arn if ":listener-rule/" in route.arn else f"{route.arn.replace(':listener/', ':listener-rule/')}/*"


def _services(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("ReadServices", ["ecs:DescribeServices"], _service_arns(spec, arns))]


def _scale(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("ChangeServices", ["ecs:UpdateService"], _service_arns(spec, arns))]


def _service_arns(spec: Spec, arns: _Arns) -> list[str]:
    return [arns.ecs(f"service/{_cluster(spec)}/{slot.service}") for slot in spec.slots]


def _cluster(spec: Spec) -> str:
    return spec.cluster.rsplit("/", 1)[-1]


def _scalable_targets(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("ReadScaling", ["application-autoscaling:DescribeScalableTargets"], ["*"])]


def _suspend_scaling(spec: Spec, arns: _Arns) -> list[Statement]:
    """A scalable target's ARN holds an id that no name tells: the condition narrows it to services' counts."""
    condition = {
        "StringEquals": {
            "application-autoscaling:service-namespace": "ecs",
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
        }
    }
    resource = arns.of("application-autoscaling", "scalable-target/*")
    return [_allow("SuspendScaling", ["application-autoscaling:RegisterScalableTarget"], [resource], condition)]


def _definitions(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("ReadTaskDefinitions", ["ecs:DescribeTaskDefinition"], ["*"])]


def _register(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("RegisterReleases", ["ecs:RegisterTaskDefinition"], ["*"])]


def _tag(spec: Spec, arns: _Arns) -> list[Statement]:
    """The tag finds a revision again whose driver died; existing resources can not be tagged with this."""
    resource = arns.ecs(f"task-definition/{arns.scope.family or '*'}:*")
    on_creation = {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}
    return [_allow("TagReleases", ["ecs:TagResource"], [resource], on_creation)]


def _pass_roles(spec: Spec, arns: _Arns) -> list[Statement]:
    roles = arns.scope.roles or (arns.role("*"),)
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    return [_allow("PassTaskRoles", ["iam:PassRole"], roles, to_tasks)]


def _stopped_tasks(spec: Spec, arns: _Arns) -> list[Statement]:
    cluster = {"ArnLike": {"ecs:cluster": arns.ecs(f"cluster/{_cluster(spec)}")}}
    return [_allow("FindStoppedTasks", ["ecs:ListTasks"], ["*"], cluster)]


def _reasons(spec: Spec, arns: _Arns) -> list[Statement]:
    return [_allow("ReadWhyTasksStopped", ["ecs:DescribeTasks"], [arns.ecs(f"task/{_cluster(spec)}/*")])]


def _logs(spec: Spec, arns: _Arns) -> list[Statement]:
    groups = arns.scope.log_groups or ("*",)
    return [
        _allow(
            "ReadTasksLastWords",
            ["logs:GetLogEvents"],
            [arns.of("logs", f"log-group:{group}:log-stream:*") for group in groups],
        )
    ]


def _alarms(spec: Spec, arns: _Arns) -> list[Statement]:
    """Composite alarms are answered only to who may describe all (cloudwatch API, DescribeAlarms)."""
    kinds = {gate.kind for gate in spec.gates}
    metrics = "metric" in kinds or any(
        gate.kind == COMPARISON and "prometheus" not in gate.settings for gate in spec.gates
    )
    actions = [("ReadAlarms", "DescribeAlarms", "alarm" in kinds), ("ReadMetrics", "GetMetricData", metrics)]
    return [_allow(sid, [f"cloudwatch:{verb}"], ["*"]) for sid, verb, needed in actions if needed]


def _functions(spec: Spec, arns: _Arns) -> list[Statement]:
    names = _hooked(spec, "lambda", "function")
    resources = [_function_arn(name, arns) for name in names]
    return [_allow("InvokeHooks", ["lambda:InvokeFunction"], resources)] if resources else []


def _function_arn(name: str, arns: _Arns) -> str:
    """A name, an ARN, or a part of one: ``123456789012:function:NAME`` (lambda API, FunctionName)."""
    account, separator, rest = name.partition(":function:")
    if separator and not name.startswith("arn:"):
        return replace(arns, scope=replace(arns.scope, account=account)).of("lambda", f"function:{rest}")
    return arns.named("lambda", "function:", name)


def _builds(spec: Spec, arns: _Arns) -> list[Statement]:
    """Actions on builds are granted on their project."""
    projects = [arns.named("codebuild", "project/", name) for name in _hooked(spec, "codebuild", "project")]
    verbs = ("StartBuild", "StopBuild", "BatchGetBuilds", "ListBuildsForProject")
    return [_allow("RunBuilds", [f"codebuild:{verb}" for verb in verbs], projects)] if projects else []


def _executions(spec: Spec, arns: _Arns) -> list[Statement]:
    machines = [arns.named("states", "stateMachine:", name) for name in _hooked(spec, "stepfunctions", "state_machine")]
    if not machines:
        return []
    executions = [_execution_arn(machine) for machine in machines]
    return [
        _allow("StartExecutions", ["states:StartExecution"], machines),
        _allow("FollowExecutions", ["states:DescribeExecution", "states:StopExecution"], executions),
    ]


def _execution_arn(machine: str) -> str:
    """Of the executions that a hook starts: their ARN holds the machine's name, but not its version or alias."""
    place, _, name = machine.partition(":stateMachine:")
    return f"{place}:execution:{name.partition(':')[0]}:bluegreen-*"


def _topics(spec: Spec, arns: _Arns) -> list[Statement]:
    topics = [arns.named("sns", "", name) for name in _named(spec.notify, "sns", "topic")]
    return [_allow("TellTopics", ["sns:Publish"], topics)] if topics else []


def _buses(spec: Spec, arns: _Arns) -> list[Statement]:
    names = _named(spec.notify, "eventbridge", "bus", "default")
    buses = [arns.named("events", "event-bus/", name) for name in names]
    return [_allow("TellBuses", ["events:PutEvents"], buses)] if buses else []


def _hooked(spec: Spec, kind: str, key: str) -> list[str]:
    return _named(spec.hooks, kind, key)


def _named(specs: Sequence[HookSpec] | Sequence[NotifySpec], kind: str, key: str, default: str = "") -> list[str]:
    """What the settings of a kind name; what a ``${VAR}`` in it holds is not known here."""
    named = [str(each.settings.get(key, default)) for each in specs if each.kind == kind]
    return [_VARIABLE.sub("*", name) for name in named if name]


def _records_read(spec: Spec, arns: _Arns) -> list[Statement]:
    return _on_table(spec, arns, "ReadRecords", ["GetItem", "BatchGetItem", "Query"])


def _records_written(spec: Spec, arns: _Arns) -> list[Statement]:
    return _on_table(spec, arns, "KeepRecords", ["PutItem", "UpdateItem", "ConditionCheckItem"])


def _on_table(spec: Spec, arns: _Arns, sid: str, verbs: Sequence[str]) -> list[Statement]:
    """Only the items of this service (store/dynamodb.py lists the keys): a table may hold many services."""
    if arns.scope.table is None:
        return []
    table = arns.of("dynamodb", f"table/{arns.scope.table}", arns.scope.table_region)
    keys = [f"service#{spec.service}", f"deployment#{spec.service}-*", "services"]
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}
    return [_allow(sid, [f"dynamodb:{verb}" for verb in verbs], [table], condition)]
