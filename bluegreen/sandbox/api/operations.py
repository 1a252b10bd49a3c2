"""Which calls there are, so that a fault on one that is none is refused. A misspelt one would never strike."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model

# What deployments, templates and the tasks' own start call. A fault on another service names it.
_USUAL = (
    "elbv2",
    "ecs",
    "application-autoscaling",
    "cloudwatch",
    "codebuild",
    "dynamodb",
    "events",
    "lambda",
    "logs",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "cloudformation",
    "iam",
    "ec2",
)
_LIKENESS = 0.6


def check(pattern: str) -> None:
    """Raises ValueError unless ``pattern`` (SERVICE:OPERATION or OPERATION, with * and ?) names a call of AWS."""
    service, colon, operation = pattern.rpartition(":")
    if colon and not _is_pattern(service):
        services: Sequence[str] = (service,)
        if not _operations(service):
            raise ValueError(f"no service is named {service}{_near(service, _USUAL)}")
    else:
        services = [each for each in _USUAL if fnmatch.fnmatchcase(each, service or "*")]
    for each in services:
        if fnmatch.filter(_operations(each), operation):
            return
    known = [f"{each}:{name}" for each in services for name in _operations(each)]
    near = _near(pattern, known) if colon else _near(operation, [name.partition(":")[2] for name in known], known)
    raise ValueError(f"no call is {pattern}{near}")


# Private


def _operations(service: str) -> Sequence[str]:
    try:
        return list(get_service_model(service).operation_names)
    except UnknownServiceError:
        return ()


def _is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _near(text: str, words: Sequence[str], shown: Sequence[str] | None = None) -> str:
    """``shown`` is how each of ``words`` is told, in their order."""
    names = dict(zip(words, shown or words, strict=True))
    found = [names[word] for word in difflib.get_close_matches(text, list(names), 3, _LIKENESS)]
    return f"; near it: {', '.join(found)}" if found else ""
