"""Two ECS services, one for each target group; the idle one stands at zero tasks.

Calls, whatever the number of tasks: health 2, of both slots 3, launch 2 (1 where nothing changes), diagnose at most 5.
Those of one look at health do not wait for each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from bluegreen.aws.clients import Clients
from bluegreen.compute.failures import (
    Cause,
    causes,
    check_failures,
    fatal_first,
    service_failures,
    target_failures,
    task_failures,
)
from bluegreen.compute.fitness import target_groups_of, unfit
from bluegreen.compute.logs import AwsLogTail, LogTail
from bluegreen.compute.task_definition import (
    DEPLOYMENT_TAG,
    Definition,
    environment_of,
    fingerprint,
    register_parameters,
    release_of,
    wanted_definition,
)
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import Failure, Setting, SlotHealth
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.spec import SlotSpec, Spec
from bluegreen.errors import AwsError, NotFoundError, RefusedError
from bluegreen.redact import Redactor, secrets_of
from bluegreen.together import Together, both, one_by_one
from bluegreen.traffic.base import Fence

Facts = dict[str, Any]

LOG_LINES = 10

BAD_DEFINITION = frozenset({"ClientException", "InvalidParameterException"})
"""Codes with which RegisterTaskDefinition refuses what it was given."""


_OWNER_TAGS = ("managed-by", "managedby", "managed_by", "terraform")


class EcsServicePair:
    def __init__(self, clients: Clients, logs: LogTail | None = None, together: Together = one_by_one) -> None:
        self._clients = clients
        self._together = together
        self._logs = logs or AwsLogTail(clients)
        self._definitions: dict[str, Facts] = {}

    def resolve(self, spec: Spec) -> tuple[Slot, Slot]:
        first, second = spec.slots
        if first.service == second.service or first.target_group == second.target_group:
            raise RefusedError(
                f"slots {first.name} and {second.name} need two services and two target groups of their own",
                hint="give each slot its own target_group: and service:",
            )
        groups, services = both(
            self._together,
            lambda: self._target_groups([first.target_group, second.target_group]),
            lambda: self._services(spec.cluster, [first.service, second.service]),
        )
        for slot in spec.slots:
            _refuse_unfit(slot, services[slot.service], groups[slot.target_group])
        return _slot(first, spec.cluster, groups), _slot(second, spec.cluster, groups)

    def current(self, slot: Slot, seen: SlotHealth | None = None) -> Release:
        live = (seen and seen.release) or self._service(slot)["taskDefinition"]
        return release_of(self._described(live)["taskDefinition"])

    def fingerprint(self, request: ReleaseRequest, live: Release) -> str:
        if request.task_definition:
            return fingerprint(self._described(request.task_definition)["taskDefinition"])
        return fingerprint(wanted_definition(self._described(live.task_definition)["taskDefinition"], request))

    def is_registered(self, task_definition: str) -> bool:
        status = self._described(task_definition)["taskDefinition"].get("status", "ACTIVE")
        return bool(status == "ACTIVE")

    def prepare(self, request: ReleaseRequest, live: Release, deployment_id: str, fence: Fence) -> Release:
        base = self._described(request.task_definition or live.task_definition)
        if request.task_definition and self.is_registered(request.task_definition):
            return release_of(base["taskDefinition"], request)
        wanted = register_parameters(base["taskDefinition"], base.get("tags", []), request, deployment_id)
        registered = self._registered(wanted["family"], deployment_id) or self._register(wanted, fence)
        return release_of(registered, request)

    def launch(self, release: Release, slot: Slot, count: int, fence: Fence, *, anew: bool = False) -> None:
        live = self._service(slot)
        wanted: Facts = {"taskDefinition": release.task_definition, "desiredCount": count}
        changes = {key: value for key, value in wanted.items() if live[key] != value}
        if anew and "taskDefinition" not in changes:
            changes["forceNewDeployment"] = True
        self._update(slot, changes, fence)

    def health(self, slot: Slot) -> SlotHealth:
        return _health(*self._live(slot))

    def health_of_both(self, first: Slot, second: Slot) -> tuple[SlotHealth, SlotHealth]:
        services, (targets, others) = both(
            self._together,
            lambda: self._services(first.cluster, [first.service, second.service]),
            lambda: both(self._together, lambda: self._targets(first), lambda: self._targets(second)),
        )
        return _health(services[first.service], targets), _health(services[second.service], others)

    def health_beside(self, slot: Slot, other: Slot) -> tuple[SlotHealth, Setting]:
        services, targets = both(
            self._together,
            lambda: self._services(slot.cluster, [slot.service, other.service]),
            lambda: self._targets(slot),
        )
        beside = services[other.service]
        return _health(services[slot.service], targets), Setting(beside["desiredCount"], beside["taskDefinition"])

    def likely_writer(self, slot: Slot) -> str:
        """One call. A refused or lost one says nothing: it must not stand in the way of what it explains."""
        method = self._clients.ecs.describe_services
        try:
            answer = self._clients.read(method, cluster=slot.cluster, services=[slot.service], include=["TAGS"])
        except AwsError:
            return ""
        return _likely_writer(cast(Facts, answer["services"][0])) if answer["services"] else ""

    def diagnose(self, slot: Slot, since: float) -> SlotHealth:
        live, targets = self._live(slot)
        health = _health(live, targets)
        definition = self._described(live["taskDefinition"])["taskDefinition"]
        stopped = [task for task in self._stopped(slot) if task.get("taskDefinitionArn") == live["taskDefinition"]]
        found = causes(stopped, _essential(definition), since)
        failures = self._with_log(task_failures(slot.service, found), found, definition, stopped)
        failures += service_failures(slot.service, live, since)
        failures += target_failures(slot.name, targets)
        failures += check_failures(slot.service, live, targets, since)
        return replace(health, failures=fatal_first(failures))

    def scale(self, slot: Slot, count: int, fence: Fence) -> None:
        if self._service(slot)["desiredCount"] != count:
            self._update(slot, {"desiredCount": count}, fence)

    def retire(self, slot: Slot, fence: Fence) -> None:
        self.scale(slot, 0, fence)

    def _update(self, slot: Slot, changes: Facts, fence: Fence) -> None:
        if not changes:
            return
        method = self._clients.ecs.update_service
        fence()
        self._clients.write(method, cluster=slot.cluster, service=slot.service, **changes)

    def _target_groups(self, names: list[str]) -> dict[str, str]:
        """Name → ARN."""
        answer = self._clients.read(self._clients.elbv2.describe_target_groups, Names=names)
        found = {group["TargetGroupName"]: group["TargetGroupArn"] for group in answer["TargetGroups"]}
        missing = [name for name in names if name not in found]
        if missing:
            raise NotFoundError(f"no target group {missing[0]} in {self._clients.region}", hint="check slots:")
        return found

    def _services(self, cluster: str, names: list[str]) -> dict[str, Facts]:
        answer = self._clients.read(self._clients.ecs.describe_services, cluster=cluster, services=names)
        found = {service["serviceName"]: cast(Facts, service) for service in answer["services"]}
        missing = [name for name in names if name not in found]
        if missing:
            raise NotFoundError(
                f"no ECS service {missing[0]} in cluster {cluster} ({self._clients.region})",
                hint=f"aws ecs list-services --cluster {cluster}",
            )
        return found

    def _live(self, slot: Slot) -> tuple[Facts, Sequence[Facts]]:
        return both(self._together, lambda: self._service(slot), lambda: self._targets(slot))

    def _service(self, slot: Slot) -> Facts:
        return self._services(slot.cluster, [slot.service])[slot.service]

    def _targets(self, slot: Slot) -> Sequence[Facts]:
        method = self._clients.elbv2.describe_target_health
        answer = self._clients.read(method, TargetGroupArn=slot.target_group_arn)
        return cast(Sequence[Facts], answer["TargetHealthDescriptions"])

    def _described(self, name: str) -> Facts:
        """A task definition with its tags; a revision never changes, so it is asked for once."""
        if name not in self._definitions:
            method = self._clients.ecs.describe_task_definition
            self._definitions[name] = cast(Facts, self._clients.read(method, taskDefinition=name, include=["TAGS"]))
        return self._definitions[name]

    def _registered(self, family: str, deployment_id: str) -> Definition | None:
        """What this deployment registered before its driver died, if it did."""
        method = self._clients.ecs.describe_task_definition
        try:
            newest = self._clients.read(method, taskDefinition=family, include=["TAGS"])
        except NotFoundError:
            return None
        tags = {tag.get("key"): tag.get("value") for tag in newest.get("tags", [])}
        return cast(Definition, newest["taskDefinition"]) if tags.get(DEPLOYMENT_TAG) == deployment_id else None

    def _register(self, parameters: Definition, fence: Fence) -> Definition:
        method = self._clients.ecs.register_task_definition
        fence()
        try:
            return cast(Definition, self._clients.write(method, **parameters)["taskDefinition"])
        except AwsError as error:
            if error.code not in BAD_DEFINITION:
                raise
            said = Redactor(secrets_of(environment_of(parameters))).text(error.message)
            raise RefusedError(
                f"ECS refuses the task definition of {parameters['family']}: {said}",
                hint="correct the task definition file, or the images",
            ) from error

    def _stopped(self, slot: Slot) -> Sequence[Facts]:
        ecs = self._clients.ecs
        listed = self._clients.read(
            ecs.list_tasks, cluster=slot.cluster, serviceName=slot.service, desiredStatus="STOPPED", maxResults=100
        )
        if not listed["taskArns"]:
            return ()
        answer = self._clients.read(ecs.describe_tasks, cluster=slot.cluster, tasks=listed["taskArns"])
        return cast(Sequence[Facts], answer["tasks"])

    def _with_log(
        self, failures: list[Failure], found: Sequence[Cause], definition: Definition, tasks: Sequence[Facts]
    ) -> list[Failure]:
        """The newest failure gets the log of its container: one call, however many tasks failed."""
        if not found or found[0].container is None:
            return failures
        container = _by_name(definition["containerDefinitions"], found[0].container)
        task = next(task for task in tasks if str(task["taskArn"]).endswith(f"/{found[0].task}"))
        runtime = _by_name(task.get("containers", []), found[0].container).get("runtimeId")
        clean = Redactor(secrets_of(environment_of(definition)))
        lines = tuple(clean.text(line) for line in self._logs.tail(container, found[0].task, runtime, LOG_LINES))
        return [replace(failures[0], log=lines), *failures[1:]]


def _slot(spec: SlotSpec, cluster: str, groups: Mapping[str, str]) -> Slot:
    return Slot(spec.name, groups[spec.target_group], spec.service, cluster)


def _refuse_unfit(slot: SlotSpec, service: Facts, target_group_arn: str) -> None:
    where = f"service {slot.service}"
    if (reason := unfit(service)) is not None:
        raise RefusedError(f"{where} {reason[0]}", hint=reason[1])
    attached = target_groups_of(service)
    if target_group_arn not in attached:
        raise RefusedError(
            f"{where} does not register its tasks in target group {slot.target_group}; it has: "
            f"{', '.join(attached) or 'no load balancer'}",
            hint="aws ecs update-service --load-balancers, or correct slots:",
        )


def _health(live: Facts, targets: Sequence[Facts]) -> SlotHealth:
    primary: Facts = next((item for item in live.get("deployments", []) if item.get("status") == "PRIMARY"), {})
    created = primary.get("createdAt")
    return SlotHealth(
        desired=live["desiredCount"],
        running=live["runningCount"],
        states=dict(Counter(target["TargetHealth"]["State"] for target in targets)),
        release=live["taskDefinition"],
        changed_at=created.timestamp() if created else None,
    )


def _likely_writer(service: Facts) -> str:
    """ECS does not keep who changed a service; its tags and its newest deployment and event narrow it down."""
    tags = {str(tag.get("key")): str(tag.get("value")) for tag in service.get("tags") or []}
    stack = tags.get("aws:cloudformation:stack-name")
    said = [f"CloudFormation stack {stack} manages the service"] if stack else []
    owner = next((f"{key}={tags[key]}" for key in tags if key.lower() in _OWNER_TAGS), None)
    said += [f"its tag {owner} says who manages it"] if owner and not stack else []
    began = [item["createdAt"] for item in service.get("deployments") or [] if item.get("createdAt")]
    newest = max(began, default=None)
    said += [f"its newest ECS deployment began at {newest:%H:%M:%S %Z}".rstrip()] if newest else []
    event = next((str(item.get("message")) for item in service.get("events") or []), None)
    return "; ".join([*said, f"its latest event is {event!r}"] if event else said)


def _essential(definition: Definition) -> frozenset[str]:
    return frozenset(item["name"] for item in definition["containerDefinitions"] if item.get("essential", True))


def _by_name(items: Sequence[Facts], name: str) -> Facts:
    return next((item for item in items if item.get("name") == name), {"name": name})
