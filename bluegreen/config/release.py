"""What a release is made from: a task definition in a file, or one that ECS has. Reads files, asks nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path as File
from typing import Any

from bluegreen.config.source import parse
from bluegreen.config.variables import as_written, plain
from bluegreen.domain.release import ReleaseRequest
from bluegreen.errors import ConfigurationError

MAX_BYTES = 1024 * 1024

_ARN = re.compile(r"arn:aws[A-Za-z0-9_-]*:ecs:[A-Za-z0-9_-]+:[0-9]{12}:task-definition/[A-Za-z0-9_-]+:[0-9]+")
_REVISION = re.compile(r"[A-Za-z0-9_-]{1,255}:[0-9]+")
_WRAPPER = "taskDefinition"


def task_definition_request(text: str, folder: File) -> ReleaseRequest:
    """``text`` is an ARN, ``family:revision`` or a file beside ``folder``. Raises ConfigurationError.

    A file holds what RegisterTaskDefinition takes, in JSON or YAML; placeholders such as ``<IMAGE1_NAME>`` and
    anything like ``${VAR}`` are left as they stand.
    """
    if text.startswith("arn:"):
        if not _ARN.fullmatch(text):
            raise ConfigurationError("must be a task definition's ARN with its revision, or a file")
        return ReleaseRequest(task_definition=text)
    file = folder / text
    if _REVISION.fullmatch(text) and not _exists(file):
        return ReleaseRequest(task_definition=text)
    return ReleaseRequest(definition=read_task_definition(file))


def read_task_definition(file: File) -> dict[str, object]:
    """A RegisterTaskDefinition request. Raises ConfigurationError naming the file and what is wrong in it."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or 'no file name'}"
        ) from None
    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"{file} is larger than {MAX_BYTES // 1024} KiB")
    return _checked(_content(data, file), file)


# Private


def _exists(file: File) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):
        return False


def _content(data: bytes, file: File) -> Any:
    if data.lstrip()[:1] not in (b"{", b"["):
        try:
            return plain(parse(data, str(file)).root, as_written)
        except ConfigurationError as error:
            raise ConfigurationError("; ".join(error.problems)) from None
    try:
        return json.loads(data, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file}:{error.lineno}:{error.colno} is not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{file} is not JSON that can be read") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _checked(content: Any, file: File) -> dict[str, object]:
    if not isinstance(content, dict):
        raise ConfigurationError(f"{file} must hold one task definition, with family and containerDefinitions")
    if _WRAPPER in content and "containerDefinitions" not in content:
        raise ConfigurationError(f"{file} is an answer of describe-task-definition: keep what is under {_WRAPPER}")
    family, containers = content.get("family"), content.get("containerDefinitions")
    if not isinstance(family, str) or not family:
        raise ConfigurationError(f"{file} has no family")
    if not isinstance(containers, list) or not containers:
        raise ConfigurationError(f"{file} has no containerDefinitions")
    if not all(isinstance(container, dict) and container.get("name") for container in containers):
        raise ConfigurationError(f"{file} has a container without a name")
    return content
