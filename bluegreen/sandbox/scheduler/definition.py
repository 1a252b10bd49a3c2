"""A task definition's containers as typed values, with ECS's defaults. Pure.

Values may come as strings (CloudFormation parameters), so numbers and flags are read leniently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_START_TIMEOUT = 180.0
_STOP_TIMEOUT = 30.0


class Condition(StrEnum):
    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"
    HEALTHY = "HEALTHY"


@dataclass(frozen=True, slots=True)
class Dependency:
    container: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``command`` is an argument list. Times are seconds."""

    command: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 5.0
    retries: int = 3
    start_period: float = 0.0


@dataclass(frozen=True, slots=True)
class LogDestination:
    """The ``awslogs-*`` options of a logConfiguration. ``region`` and ``prefix`` may be empty."""

    group: str
    region: str = ""
    prefix: str = ""
    create_group: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """``command`` is entryPoint and command together; empty for an image that runs the stand-in. Times are seconds."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    essential: bool = True
    depends_on: tuple[Dependency, ...] = ()
    start_timeout: float = _START_TIMEOUT
    stop_timeout: float = _STOP_TIMEOUT
    health_check: HealthCheck | None = None
    ports: tuple[int, ...] = ()
    folder: Path | None = None
    log: LogDestination | None = None


def read_containers(
    definitions: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any] | None = None
) -> tuple[ContainerSpec, ...]:
    """``overrides`` is RunTask's. Raises ValueError for a dependsOn that names nothing, or that goes in a circle."""
    by_name = {item.get("name"): item for item in (overrides or {}).get("containerOverrides") or []}
    specs = tuple(_container(definition, by_name.get(definition["name"], {})) for definition in definitions)
    _check_dependencies(specs)
    return specs


def pull_error(image: str) -> str | None:
    """What ECS says for an image that cannot be pulled; None when it can."""
    name, _, tag = image.rpartition(":")
    if "/does-not-exist" in image or (name and tag == "nonexistent"):
        return (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
            f"failed to resolve ref {image}: not found"
        )
    return None


def substitute(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """``${BIND_ADDRESS}`` and ``${PORT}`` only; what else looks like a variable is the program's own affair."""
    substituted = list(words)
    for name in ("BIND_ADDRESS", "PORT"):
        if name in values:
            substituted = [word.replace(f"${{{name}}}", values[name]) for word in substituted]
    return substituted


# -- private


def _container(definition: Mapping[str, Any], override: Mapping[str, Any]) -> ContainerSpec:
    environment = _pairs(definition.get("environment"), "value") | _pairs(override.get("environment"), "value")
    command = override.get("command") or definition.get("command") or []
    folder = definition.get("workingDirectory")
    return ContainerSpec(
        name=definition["name"],
        image=definition.get("image") or "",
        command=(*map(str, definition.get("entryPoint") or []), *map(str, command)),
        environment=tuple(environment.items()),
        secrets=tuple(_pairs(definition.get("secrets"), "valueFrom").items()),
        essential=_flag(definition.get("essential"), True),
        depends_on=tuple(_dependency(item) for item in definition.get("dependsOn") or []),
        start_timeout=float(definition.get("startTimeout") or _START_TIMEOUT),
        stop_timeout=float(_given(definition.get("stopTimeout"), _STOP_TIMEOUT)),
        health_check=_health_check(definition.get("healthCheck")),
        ports=tuple(int(item["containerPort"]) for item in definition.get("portMappings") or []),
        folder=Path(folder) if folder else None,
        log=_log_destination(definition.get("logConfiguration")),
    )


def _dependency(item: Mapping[str, Any]) -> Dependency:
    return Dependency(item["containerName"], Condition(item["condition"]))


def _health_check(item: Mapping[str, Any] | None) -> HealthCheck | None:
    words = [str(word) for word in (item or {}).get("command") or []]
    if not item or not words or words[0] == "NONE":
        return None
    return HealthCheck(
        command=_check_command(words),
        interval=float(_given(item.get("interval"), 30)),
        timeout=float(_given(item.get("timeout"), 5)),
        retries=int(_given(item.get("retries"), 3)),
        start_period=float(_given(item.get("startPeriod"), 0)),
    )


def _log_destination(item: Mapping[str, Any] | None) -> LogDestination | None:
    """None for a container that logs elsewhere."""
    if not item or item.get("logDriver") != "awslogs":
        return None
    options = {name.removeprefix("awslogs-"): value for name, value in (item.get("options") or {}).items()}
    return LogDestination(
        group=str(options.get("group", "")),
        region=str(options.get("region", "")),
        prefix=str(options.get("stream-prefix", "")),
        create_group=_flag(options.get("create-group"), False),
    )


def _check_command(words: Sequence[str]) -> tuple[str, ...]:
    if words[0] == "CMD":
        return tuple(words[1:])
    if words[0] == "CMD-SHELL":
        return ("/bin/sh", "-c", " ".join(words[1:]))
    return ("/bin/sh", "-c", " ".join(words))


def _check_dependencies(specs: Sequence[ContainerSpec]) -> None:
    waits_for = {spec.name: {item.container for item in spec.depends_on} for spec in specs}
    for name, others in waits_for.items():
        for other in sorted(others - waits_for.keys()):
            raise ValueError(f"container {name} depends on {other}, which the task definition does not have")
    while waits_for:
        free = {name for name, others in waits_for.items() if not others & waits_for.keys()}
        if not free:
            raise ValueError(f"the dependsOn of {', '.join(sorted(waits_for))} goes in a circle")
        waits_for = {name: others for name, others in waits_for.items() if name not in free}


def _pairs(items: Sequence[Mapping[str, Any]] | None, value: str) -> dict[str, str]:
    return {item["name"]: str(item.get(value, "")) for item in items or []}


def _given(value: Any, default: float) -> Any:
    return default if value is None or value == "" else value


def _flag(value: Any, default: bool) -> bool:
    if value is None:
        return default
    return value if isinstance(value, bool) else str(value).lower() == "true"
