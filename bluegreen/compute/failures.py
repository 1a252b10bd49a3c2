"""Why a service's tasks do not serve, from what ECS and the load balancer say; and whether waiting would help.

Sources: ECS developer guide, "Stopped tasks error messages" and "Service event messages"; elbv2 API, TargetHealth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.domain.health import Failure

Facts = Mapping[str, Any]

CRASH_LOOP = 3
"""Essential containers that exit this often, in different tasks, are not an accident."""

REPLACED = 2
"""Tasks that failed their health checks and were replaced: another one would fail them too."""

_EXITED = "Essential container in task exited"
_STARTING = re.compile(r"Cannot(Pull|Start|Create|Inspect)\w*Error|ResourceInitializationError|ContainerRuntimeError")
_PASSING = re.compile(
    r"time(d )?out|i/o|connection reset|temporar|too ?many ?requests|throttl|rate exceeded|rate limit|\bEOF\b", re.I
)
_CAPACITY = re.compile(r"capacity|RESOURCE:|insufficient|container instance|limit on the number", re.I)
_CHECKS = re.compile(r"failed (ELB|container) health checks", re.I)
_EVENT = re.compile(r"unable to (place|assume|consistently)|failed to launch", re.I)
_LEAVING = ("draining", "unhealthy.draining")
_FATAL_EVENT = re.compile(r"unable to (assume|consistently start)", re.I)
_CHECKED = re.compile(r"is unhealthy in \(target-group [^)]*\) due to \(reason (?P<reason>.*)\)\.?$")
_ARN = re.compile(r"\(target-group arn:[^)]*:targetgroup/(?P<name>[^/)]+)/[^)]*\)")
_SERVICE = re.compile(r"^\(service [^)]*\) ")
_SIGNALS = {
    134: "SIGABRT: it aborted",
    137: "SIGKILL: out of memory, or it ignored SIGTERM",
    139: "SIGSEGV: it crashed",
    143: "SIGTERM: it was asked to stop",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What stopped one task. ``key`` groups the same cause of several tasks, ``fatal_at`` that many make it fatal."""

    key: tuple[str, str]
    text: str
    detail: str
    fatal_at: int | None
    container: str | None
    task: str


def causes(tasks: Iterable[Facts], essential: frozenset[str], since: float) -> list[Cause]:
    """Newest first; tasks that ECS or a person stopped on purpose have none. ``since`` in epoch seconds."""
    recent = [task for task in tasks if _at(task) >= since]
    found = (_cause(task, essential) for task in sorted(recent, key=_at, reverse=True))
    return [cause for cause in found if cause is not None]


def task_failures(service: str, found: Sequence[Cause]) -> list[Failure]:
    """One for each kind of cause, the newest kind first."""
    counts = Counter(cause.key for cause in found)
    newest = {cause.key: cause for cause in reversed(found)}
    return [_failure(service, newest[key], counts[key]) for key in dict.fromkeys(cause.key for cause in found)]


def service_failures(service: str, live: Facts, since: float) -> list[Failure]:
    """What the service's events and its newest deployment say."""
    result = []
    for deployment in live.get("deployments", []):
        if deployment.get("status") == "PRIMARY" and deployment.get("rolloutState") == "FAILED":
            reason = deployment.get("rolloutStateReason") or "ECS gave the rollout up"
            result.append(Failure(f"{service}: {reason}", fatal=True))
    return result + _event_failures(service, live, since)


def target_failures(slot: str, targets: Sequence[Facts]) -> list[Failure]:
    """Unhealthy and unused targets by reason, in the load balancer's words."""
    there = [target["TargetHealth"] for target in targets if target["TargetHealth"].get("State") not in _LEAVING]
    reasons = Counter(_target_reason(health) for health in there)
    return [Failure(f"{slot}: {count} of {len(there)} targets {reason}") for reason, count in reasons.items() if reason]


def check_failures(service: str, live: Facts, targets: Sequence[Facts], since: float) -> list[Failure]:
    """What the checks of targets said that are gone already: only ECS's events still know it."""
    if any(target["TargetHealth"].get("State") == "unhealthy" for target in targets):
        return []
    found = (_CHECKED.search(message) for message in _messages(live, since))
    reasons = dict.fromkeys(match["reason"] for match in found if match)
    return [Failure(f"{service}: the targets that were replaced: {reason}") for reason in reasons]


def fatal_first(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    return tuple(sorted(failures, key=lambda failure: not failure.fatal))


def _cause(task: Facts, essential: frozenset[str]) -> Cause | None:
    said = " ".join([str(task.get("stoppedReason") or ""), *_reasons(task)]).strip()
    if _CHECKS.search(said):
        return _checks_cause(task, said)
    if _STARTING.search(said):
        return _start_cause(task, said)
    if task.get("stopCode") == "TaskFailedToStart":
        fatal_at = None if _CAPACITY.search(said) else CRASH_LOOP
        return _plain_cause(task, ("not_started", said), said or "the task failed to start", fatal_at)
    if task.get("stopCode") == "EssentialContainerExited" or said.startswith(_EXITED):
        return _exit_cause(task, essential)
    if task.get("stopCode") in ("SpotInterruption", "TerminationNotice", "InfrastructureHealth"):
        return _plain_cause(task, ("interrupted", said), said or str(task["stopCode"]), None)
    return None


def _start_cause(task: Facts, said: str) -> Cause:
    container = next((item for item in _containers(task) if _STARTING.search(str(item.get("reason") or ""))), None)
    text = str(container["reason"]) if container else str(task.get("stoppedReason"))
    name = str(container["name"]) if container else None
    place = f"container {name}: {text}" if name else text
    match = _STARTING.search(said)
    fatal_at = CRASH_LOOP if _PASSING.search(said) else 1
    return Cause(("start", f"{match and match[0]} {name}"), place, "", fatal_at, name, _id(task))


def _checks_cause(task: Facts, said: str) -> Cause:
    reason = _ARN.sub(r"target group \g<name>", str(task.get("stoppedReason") or said))
    unhealthy = next((str(item["name"]) for item in _containers(task) if item.get("healthStatus") == "UNHEALTHY"), None)
    return Cause(("checks", reason), reason, "", REPLACED, unhealthy, _id(task))


def _exit_cause(task: Facts, essential: frozenset[str]) -> Cause:
    exited = [item for item in _containers(task) if item["name"] in essential and item.get("exitCode") is not None]
    failed = next((item for item in exited if item["exitCode"] != 0), exited[0] if exited else None)
    reason = str(task.get("stoppedReason") or _EXITED)
    if failed is None:
        return Cause(("exit", ""), "an essential container exited", reason, CRASH_LOOP, None, _id(task))
    name = str(failed["name"])
    code = int(failed["exitCode"])
    # ECS's own reason says no more than that the container exited; the container's says why it was ended.
    detail = str(failed.get("reason") or _SIGNALS.get(code, ""))
    return Cause(("exit", name), f"container {name} exited with code {code}", detail, CRASH_LOOP, name, _id(task))


def _plain_cause(task: Facts, key: tuple[str, str], text: str, fatal_at: int | None) -> Cause:
    return Cause(key, text, "", fatal_at, None, _id(task))


def _failure(service: str, cause: Cause, count: int) -> Failure:
    tasks = f"{count} task{'s' * (count != 1)}"
    detail = f"; {cause.detail}" if cause.detail else ""
    return Failure(f"{service}: {cause.text} ({tasks}{detail})", cause.fatal_at is not None and count >= cause.fatal_at)


def _event_failures(service: str, live: Facts, since: float) -> list[Failure]:
    messages = [_SERVICE.sub("", message) for message in _messages(live, since) if _EVENT.search(message)]
    return [Failure(f"{service}: {text}", bool(_FATAL_EVENT.search(text))) for text in dict.fromkeys(messages[:3])]


def _messages(live: Facts, since: float) -> list[str]:
    events = live.get("events", [])
    return [str(event["message"]) for event in events if event["createdAt"].timestamp() >= since]


def _target_reason(health: Facts) -> str:
    if health.get("State") not in ("unhealthy", "unused", "unavailable"):
        return ""
    reason = health.get("Reason")
    said = health.get("Description") or reason or "without a reason"
    return f"{health['State']}: {said} ({reason})" if reason and reason != said else f"{health['State']}: {said}"


def _reasons(task: Facts) -> list[str]:
    return [str(item["reason"]) for item in _containers(task) if item.get("reason")]


def _containers(task: Facts) -> Sequence[Facts]:
    return task.get("containers") or []


def _id(task: Facts) -> str:
    return str(task["taskArn"]).rpartition("/")[2]


def _at(task: Facts) -> float:
    for key in ("stoppedAt", "stoppingAt", "createdAt"):
        if task.get(key):
            return float(task[key].timestamp())
    return 0.0
