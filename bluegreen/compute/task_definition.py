"""From a live task definition and a request to the revision to register: pure, so that a dry run shows the same."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.errors import RefusedError

Definition = dict[str, Any]
"""A task definition in the API's own words, as DescribeTaskDefinition answers or RegisterTaskDefinition takes it."""

DEPLOYMENT_TAG = "bluegreen:deployment"
"""The tag that finds the revision a deployment registered, after a crash in between."""

ONLY_CONTAINER = ""
"""The container name in a request that means: the only essential one."""

READ_ONLY = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)
"""What DescribeTaskDefinition adds and RegisterTaskDefinition refuses (ecs API, TaskDefinition)."""


def register_parameters(
    live: Definition, tags: Sequence[Mapping[str, str]], request: ReleaseRequest, deployment_id: str
) -> Definition:
    """RegisterTaskDefinition's parameters; ``tags`` are those of the live task definition.

    Raises RefusedError when the request names a container the task definition has not.
    """
    parameters = wanted_definition(live, request)
    kept = parameters.get("tags") or list(tags)
    ours = {"key": DEPLOYMENT_TAG, "value": deployment_id}
    user = [dict(tag) for tag in kept if tag["key"] != DEPLOYMENT_TAG and not tag["key"].startswith("aws:")]
    return parameters | {"tags": [*user, ours]}


def wanted_definition(base: Definition, request: ReleaseRequest) -> Definition:
    """The base of the request with the images asked for, without read-only fields."""
    source = request.definition if request.definition is not None else base
    result = {key: copy.deepcopy(value) for key, value in source.items() if key not in READ_ONLY}
    result.setdefault("family", base["family"])
    for name, image in request.images.items():
        _container(result, name)["image"] = image
    return result


def images(definition: Definition) -> dict[str, str]:
    """Container → image, in the task definition's order."""
    return {container["name"]: container.get("image", "") for container in _containers(definition)}


def environment_of(definition: Definition) -> dict[str, str]:
    """Name → value of all its containers' environments: their values may come back in logs and error texts."""
    entries = [entry for container in _containers(definition) for entry in container.get("environment") or []]
    return {str(entry.get("name")): str(entry.get("value")) for entry in entries}


def release_of(definition: Definition, request: ReleaseRequest | None = None) -> Release:
    """The release that a task definition with its ARN, family and revision is."""
    return Release(
        id=f"{definition['family']}:{definition['revision']}",
        task_definition=definition["taskDefinitionArn"],
        images=images(definition),
        commit=request.commit if request else None,
        reason=request.reason if request else None,
    )


def fingerprint(definition: Definition) -> str:
    """A digest of what would run: not the revision, the tags, or the defaults that ECS fills in when it is asked."""
    content = {key: value for key, value in definition.items() if key not in READ_ONLY and key != "tags"}
    mode = definition.get("networkMode")
    content["containerDefinitions"] = [_essence(container, mode) for container in _containers(definition)]
    text = json.dumps(_without_empty(content), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _containers(definition: Definition) -> list[Definition]:
    containers: list[Definition] = definition.get("containerDefinitions") or []
    return containers


def _container(definition: Definition, name: str) -> Definition:
    known = [container["name"] for container in _containers(definition)]
    if name == ONLY_CONTAINER:
        return _only_essential(definition, known)
    for container in _containers(definition):
        if container["name"] == name:
            return container
    raise RefusedError(
        f"task definition {definition.get('family')} has no container {name!r}; it has {', '.join(known)}",
        hint="name one of them: CONTAINER=IMAGE",
    )


def _only_essential(definition: Definition, known: list[str]) -> Definition:
    essential = [container for container in _containers(definition) if container.get("essential", True)]
    if len(essential) != 1:
        raise RefusedError(
            f"an image without a container name needs exactly one essential container; "
            f"task definition {definition.get('family')} has {len(essential)} among {', '.join(known)}",
            hint="name it: CONTAINER=IMAGE",
        )
    return essential[0]


def _essence(container: Definition, network_mode: str | None) -> Definition:
    result: Definition = {"essential": True, "cpu": 0} | container
    result["portMappings"] = [_port(port, network_mode) for port in container.get("portMappings") or []]
    for key in ("environment", "secrets"):
        result[key] = sorted(container.get(key) or [], key=lambda item: str(item.get("name")))
    return result


def _port(port: Definition, network_mode: str | None) -> Definition:
    result: Definition = {"protocol": "tcp"} | port
    if network_mode in ("awsvpc", "host"):
        result["hostPort"] = port.get("containerPort")
    elif not result.get("hostPort"):
        result.pop("hostPort", None)
    return result


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in pairs.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
