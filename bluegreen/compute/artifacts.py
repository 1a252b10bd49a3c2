"""What a pipeline hands over, read as it comes: CodePipeline's artifacts and task definition files. Pure.

Sources: CodePipeline user guide, "Image definitions file reference"; ecs API, RegisterTaskDefinition.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from bluegreen.compute.task_definition import READ_ONLY
from bluegreen.domain.release import ReleaseRequest
from bluegreen.errors import ConfigurationError

REGISTERABLE = frozenset(
    {
        "family",
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "containerDefinitions",
        "volumes",
        "placementConstraints",
        "requiresCompatibilities",
        "cpu",
        "memory",
        "tags",
        "pidMode",
        "ipcMode",
        "proxyConfiguration",
        "inferenceAccelerators",
        "ephemeralStorage",
        "runtimePlatform",
        "enableFaultInjection",
        "trustedExecutionConfiguration",
    }
)
"""RegisterTaskDefinition's parameters (ecs API, 2014-11-13)."""

FIRST_PLACEHOLDER = "IMAGE1_NAME"

_PLACEHOLDER = re.compile(r"<(IMAGE[0-9]*_NAME|[A-Z][A-Z0-9_]*)>")
_IMAGE_PLACEHOLDER = re.compile(r"<IMAGE[A-Z0-9_]*>")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file as it was read; ``name`` is for errors."""

    name: str
    text: str


def from_image_definitions(file: Artifact) -> ReleaseRequest:
    """``imagedefinitions.json``: ``[{"name": CONTAINER, "imageUri": IMAGE}, …]``. Raises ConfigurationError."""
    entries = _json(file)
    if not isinstance(entries, list) or not entries:
        _wrong(file, "", "is not a list of containers", 'write [{"name": "app", "imageUri": "REGISTRY/IMAGE:TAG"}]')
    images: dict[str, str] = {}
    for index, entry in enumerate(entries):
        name, image = (_text(file, entry, key, f"[{index}]") for key in ("name", "imageUri"))
        if name in images:
            _wrong(file, f"[{index}].name", f"names container {name} twice", "keep one entry for each container")
        images[name] = image
    return ReleaseRequest(images=images)


def from_image_detail(definition: Artifact, details: Mapping[str, Artifact]) -> ReleaseRequest:
    """A ``taskdef.json`` with placeholders, filled from one ``imageDetail.json`` for each.

    ``details`` maps a placeholder's name, without its brackets (``IMAGE1_NAME``), to its file.
    Raises ConfigurationError for a malformed file, a placeholder without a file, and a file without its placeholder.
    """
    images = {name: _image_uri(file) for name, file in details.items()}
    for name in images:
        if f"<{name}>" not in definition.text:
            _wrong(definition, "", f"has no placeholder <{name}>", f'write "image": "<{name}>" in a container')
    filled = _fill(_parsed(definition), images)
    return _request(definition, filled)


def from_task_definition(file: Artifact) -> ReleaseRequest:
    """A task definition in JSON or YAML: RegisterTaskDefinition's parameters, or DescribeTaskDefinition's answer.

    Raises ConfigurationError.
    """
    return _request(file, _parsed(file))


def _request(file: Artifact, content: Any) -> ReleaseRequest:
    definition = _unwrapped(file, content)
    _check_keys(file, definition)
    _check_containers(file, definition)
    return ReleaseRequest(definition={key: value for key, value in definition.items() if key not in READ_ONLY})


def _unwrapped(file: Artifact, content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        _wrong(file, "", "is not a task definition", "start from: aws ecs describe-task-definition")
    if isinstance(content.get("taskDefinition"), dict):
        tags = {"tags": content["tags"]} if content.get("tags") else {}
        return {**content["taskDefinition"], **tags}
    return content


def _check_keys(file: Artifact, definition: dict[str, Any]) -> None:
    for key in definition:
        if key in REGISTERABLE or key in READ_ONLY:
            continue
        lower = {known.lower(): known for known in REGISTERABLE}
        near = difflib.get_close_matches(str(key).lower(), lower, n=1)
        fix = f"did you mean {lower[near[0]]}?" if near else f"known keys: {', '.join(sorted(REGISTERABLE))}"
        _wrong(file, str(key), "is not a key of a task definition", fix)


def _check_containers(file: Artifact, definition: dict[str, Any]) -> None:
    containers = definition.get("containerDefinitions")
    if not isinstance(containers, list) or not containers:
        _wrong(file, "containerDefinitions", "is missing or no list", "define at least one container")
    for index, container in enumerate(containers):
        place = f"containerDefinitions[{index}]"
        _text(file, container, "name", place)
        image = _text(file, container, "image", place)
        _refuse_placeholder(file, f"{place}.image", _PLACEHOLDER.search(image))
    _check_left(file, definition, "")


def _check_left(file: Artifact, value: object, path: str) -> None:
    """Elsewhere than in an image, other words in angle brackets are the application's own."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            _check_left(file, below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            _check_left(file, below, f"{path}[{index}]")
    elif isinstance(value, str):
        _refuse_placeholder(file, path, _IMAGE_PLACEHOLDER.search(value))


def _refuse_placeholder(file: Artifact, path: str, left: re.Match[str] | None) -> None:
    if left:
        _wrong(file, path, f"holds the placeholder {left[0]}", "give the imageDetail.json that fills it")


def _image_uri(file: Artifact) -> str:
    return _text(file, _json(file), "ImageURI", "")


def _fill(content: Any, images: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _fill(value, images) for key, value in content.items()}
    if isinstance(content, list):
        return [_fill(value, images) for value in content]
    if isinstance(content, str):
        return _PLACEHOLDER.sub(lambda match: images.get(match[1], match[0]), content)
    return content


def _parsed(file: Artifact) -> Any:
    """YAML is tried for what does not start like JSON, whatever the file is called."""
    return _json(file) if file.text.lstrip().startswith(("{", "[")) else _yaml(file)


def _json(file: Artifact) -> Any:
    try:
        return json.loads(file.text)
    except json.JSONDecodeError as error:
        _wrong(file, f"line {error.lineno} column {error.colno}", f"is not JSON: {error.msg}", "correct it there")


def _yaml(file: Artifact) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.text)
    except yaml.YAMLError as error:
        _wrong(file, "", f"is not YAML: {' '.join(str(error).split())}", "correct it there")


def _text(file: Artifact, holder: Any, key: str, place: str) -> str:
    path = f"{place}.{key}" if place else key
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, str) or not value.strip():
        _wrong(file, path, "is missing or no text", f'write "{key}": "…"')
    return value.strip()


def _wrong(file: Artifact, key: str, fact: str, fix: str) -> NoReturn:
    problem = f"{file.name}: {key + ': ' if key else ''}{fact}"
    raise ConfigurationError(problem, problems=(problem,), hint=fix)
