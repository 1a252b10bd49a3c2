"""What a call needs to be allowed, and whether a policy allows it: pure, for the services that the sandbox imitates.

The emulator's own check knows no resources (moto/iam/access_control.py says so), so a policy of ARNs would refuse
everything there. Sources: IAM guide, "Policy evaluation logic"; Service Authorization Reference.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluegreen.sandbox.api.request import Call
from bluegreen.sandbox.base import ACCOUNT

RolesOf = Callable[[str], Sequence[str]]
"""The role ARNs of a task definition, by its name or ARN."""

_PREFIXES = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem"}


@dataclass(frozen=True, slots=True)
class Need:
    """One permission. ``context`` maps condition keys to the request's values."""

    action: str
    resource: str = "*"
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needs_of(call: Call, roles_of: RolesOf) -> Sequence[Need]:
    """Everything that AWS would ask about for this call, ``iam:PassRole`` and tags on creation included.

    A call that nothing is known of needs its action on every resource.
    """
    special = _SPECIAL.get(call.service)
    found = list(special(call, roles_of)) if special else []
    return found or [Need(f"{_PREFIXES.get(call.service, call.service)}:{call.operation}")]


def allowing(policy: Mapping[str, Any], need: Need) -> Mapping[str, Any] | None:
    """The statement that allows it; None when none does, or one denies it."""
    fitting = [statement for statement in _list(policy.get("Statement")) if _fits(statement, need)]
    if any(statement.get("Effect") == "Deny" for statement in fitting):
        return None
    return next((statement for statement in fitting if statement.get("Effect") == "Allow"), None)


# Private


def _elbv2(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    key = {"ModifyListener": "ListenerArn", "ModifyRule": "RuleArn"}.get(call.operation)
    if key is not None:
        yield Need(f"elasticloadbalancing:{call.operation}", str(call.parameters.get(key, "")))


def _lambda(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    """The permission to Invoke has a name of its own."""
    if call.operation == "Invoke":
        name = str(call.parameters.get("FunctionName", ""))
        whole = _arn(call, "lambda", f"function:{name}")
        yield Need("lambda:InvokeFunction", name if name.startswith("arn:") else whole)


def _states(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    resource = call.parameters.get("executionArn") or call.parameters.get("stateMachineArn")
    if resource:
        yield Need(f"states:{call.operation}", str(resource))


def _codebuild(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    """A build is allowed by its project, whose name its id begins with."""
    asked = call.parameters
    for name in [asked.get("projectName"), asked.get("id"), *asked.get("ids", [])]:
        if name:
            project = str(name).partition(":")[0]
            yield Need(f"codebuild:{call.operation}", _arn(call, "codebuild", f"project/{project}"))


def _ecs(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    asked, action = call.parameters, f"ecs:{call.operation}"
    cluster = str(asked.get("cluster", "default")).rsplit("/", 1)[-1]
    if call.operation == "DescribeServices":
        for name in asked.get("services", []):
            yield Need(action, _ecs_arn(call, f"service/{cluster}/{_last(name)}"))
    elif call.operation == "UpdateService":
        yield Need(action, _ecs_arn(call, f"service/{cluster}/{_last(asked.get('service', ''))}"))
        if asked.get("taskDefinition"):
            yield from _passing(roles_of(str(asked["taskDefinition"])))
    elif call.operation == "RegisterTaskDefinition":
        yield Need(action)
        yield from _passing([asked[key] for key in ("taskRoleArn", "executionRoleArn") if asked.get(key)])
        if asked.get("tags"):
            resource = _ecs_arn(call, f"task-definition/{asked.get('family')}:1")
            yield Need("ecs:TagResource", resource, {"ecs:CreateAction": (call.operation,)})
    elif call.operation == "ListTasks":
        yield Need(action, "*", {"ecs:cluster": (_ecs_arn(call, f"cluster/{cluster}"),)})
    elif call.operation == "DescribeTasks":
        for task in asked.get("tasks", []):
            yield Need(action, _ecs_arn(call, f"task/{cluster}/{_last(task)}"))


def _passing(roles: Sequence[str]) -> Iterator[Need]:
    for role in dict.fromkeys(roles):
        yield Need("iam:PassRole", role, {"iam:PassedToService": ("ecs-tasks.amazonaws.com",)})


def _logs(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    if call.operation == "GetLogEvents":
        group, stream = (call.parameters.get(key) for key in ("logGroupName", "logStreamName"))
        yield Need("logs:GetLogEvents", _arn(call, "logs", f"log-group:{group}:log-stream:{stream}"))


def _autoscaling(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    if call.operation == "RegisterScalableTarget":
        keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
        context = {f"application-autoscaling:{key}": (str(call.parameters.get(name)),) for key, name in keys.items()}
        resource = _arn(call, "application-autoscaling", "scalable-target/0ec5example")
        yield Need("application-autoscaling:RegisterScalableTarget", resource, context)


def _dynamodb(call: Call, roles_of: RolesOf) -> Iterator[Need]:
    asked = call.parameters
    if call.operation == "TransactWriteItems":
        for part in asked.get("TransactItems", []):
            for verb, change in part.items():
                yield _item(call, _WRITES[verb], change["TableName"], [change.get("Key") or change.get("Item")])
    elif call.operation == "BatchGetItem":
        for table, wanted in asked.get("RequestItems", {}).items():
            yield _item(call, call.operation, table, wanted["Keys"])
    elif call.operation == "Query":
        yield _item(call, call.operation, asked["TableName"], [{"pk": asked["ExpressionAttributeValues"][":pk"]}])
    elif asked.get("TableName") and (asked.get("Key") or asked.get("Item")):
        yield _item(call, call.operation, asked["TableName"], [asked.get("Key") or asked.get("Item")])
    elif asked.get("TableName"):
        yield Need(f"dynamodb:{call.operation}", _arn(call, "dynamodb", f"table/{asked['TableName']}"))


def _item(call: Call, action: str, table: str, keys: Sequence[Any]) -> Need:
    leading = tuple(dict.fromkeys(str(key["pk"]["S"]) for key in keys))
    return Need(f"dynamodb:{action}", _arn(call, "dynamodb", f"table/{table}"), {"dynamodb:LeadingKeys": leading})


_SPECIAL: Mapping[str, Callable[[Call, RolesOf], Iterator[Need]]] = {
    "elbv2": _elbv2,
    "ecs": _ecs,
    "logs": _logs,
    "application-autoscaling": _autoscaling,
    "dynamodb": _dynamodb,
    "lambda": _lambda,
    "stepfunctions": _states,
    "codebuild": _codebuild,
}


def _arn(call: Call, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{call.region}:{ACCOUNT}:{resource}"


def _ecs_arn(call: Call, resource: str) -> str:
    return _arn(call, "ecs", resource)


def _last(name: object) -> str:
    return str(name).rsplit("/", 1)[-1]


def _fits(statement: Mapping[str, Any], need: Need) -> bool:
    return (
        any(_matches(pattern.lower(), need.action.lower()) for pattern in _list(statement.get("Action")))
        and any(_matches(pattern, need.resource) for pattern in _list(statement.get("Resource")))
        and all(_holds(operator, keys, need) for operator, keys in (statement.get("Condition") or {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], need: Need) -> bool:
    """Raises ValueError for an operator that is not known: guessing would allow too much."""
    for_all = operator.startswith("ForAllValues:")
    compare = _OPERATORS.get(operator.removeprefix("ForAllValues:"))
    if compare is None:
        raise ValueError(f"condition operator {operator} is not known here; known: {', '.join(_OPERATORS)}")
    for key, wanted in keys.items():
        values = need.context.get(key)
        if values is None and not for_all:
            return False
        if not all(any(compare(pattern, value) for pattern in _list(wanted)) for value in values or ()):
            return False
    return True


def _equals(pattern: str, value: str) -> bool:
    return pattern == value


def _matches(pattern: str, value: str) -> bool:
    """IAM's wildcards: ``*`` and ``?``, and no others."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringLike": _matches,
    "ArnEquals": _matches,
    "ArnLike": _matches,
}


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
