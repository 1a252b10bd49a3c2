"""Two services in memory, for tests of the engine: tasks that start, fail and drain under the test's control."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bluegreen.clock import Clock, FakeClock
from bluegreen.compute.task_definition import (
    Definition,
    fingerprint,
    register_parameters,
    release_of,
    wanted_definition,
)
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import Failure, Setting, SlotHealth
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.spec import SlotSpec, Spec
from bluegreen.errors import NotFoundError
from bluegreen.traffic.base import Fence

OnCall = Callable[[str], None]
"""Told the name of each call to the world, like ``compute.launch``; it may raise."""


def nothing(name: str) -> None:
    """No fault."""


@dataclass(slots=True, eq=False)
class FakeTask:
    """``starting`` counts the ``health`` reads until its target is healthy; ``draining`` those until it is gone."""

    release: str
    starting: int = 0
    draining: int | None = None
    state: str | None = None

    def target_state(self) -> str:
        if self.draining is not None:
            return "draining"
        return self.state or ("initial" if self.starting > 0 else "healthy")


@dataclass(slots=True)
class FakeService:
    slot: Slot
    release: Release
    desired: int
    tasks: list[FakeTask] = field(default_factory=list)
    changed_at: float = 0.0
    writer: str = ""


@dataclass(slots=True)
class FakeCompute:
    """A world of services by target group name.

    ``starts_after`` and ``drains_after`` count ``health`` reads. ``bad_images`` maps an image to why its tasks never
    get healthy. ``in_use`` says whether a route holds a target group: without one, targets are ``unused``, as on AWS.
    ``before_call`` raises before an effect, ``after_call`` after it. ``calls`` names every call, ``changes`` those
    that changed something.
    """

    starts_after: int = 1
    drains_after: int = 1
    bad_images: dict[str, Failure] = field(default_factory=dict)
    in_use: Callable[[str], bool] = lambda arn: True
    before_call: OnCall = nothing
    after_call: OnCall = nothing
    clock: Clock = field(default_factory=FakeClock)
    services: dict[str, FakeService] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def add(self, spec: SlotSpec, definition: Definition, *, count: int, cluster: str = "default") -> Slot:
        """A service with ``count`` healthy tasks of the definition, which is registered unless it has its ARN."""
        if "taskDefinitionArn" not in definition:
            definition = self.register(definition)
        arn = f"arn:aws:elasticloadbalancing:fake:targetgroup/{spec.target_group}"
        slot = Slot(spec.name, arn, spec.service, cluster)
        tasks = [FakeTask(definition["taskDefinitionArn"]) for _ in range(count)]
        self.services[spec.name] = FakeService(slot, release_of(definition), count, tasks, self.clock.now())
        return slot

    def register(self, parameters: Definition) -> Definition:
        """A new revision of its family, as RegisterTaskDefinition answers it."""
        family = parameters["family"]
        revision = 1 + sum(known["family"] == family for known in self.definitions.values())
        arn = f"arn:aws:ecs:fake:task-definition/{family}:{revision}"
        self.definitions[arn] = copy.deepcopy(parameters) | {"taskDefinitionArn": arn, "revision": revision}
        return self.definitions[arn]

    def deregister(self, arn: str) -> None:
        """As DeregisterTaskDefinition: it can still be read."""
        self.definitions[arn] |= {"status": "INACTIVE"}

    def mark(self, slot: Slot, state: str | None, *, count: int | None = None) -> None:
        """Give the first ``count`` targets (all by default) AWS's ``state``; None lets them be themselves again."""
        for task in self._service(slot).tasks[:count]:
            task.state = state

    def kill(self, slot: Slot, count: int | None = None) -> None:
        """Tasks die at once; ECS starts others at the next ``health``."""
        service = self._service(slot)
        service.tasks = service.tasks[count:] if count is not None else []

    def set(self, slot: Slot, *, count: int | None = None, release: str | None = None) -> None:
        """Someone else writes, or ECS is told to by Application Auto Scaling."""
        service = self._service(slot)
        wanted = service.release if release is None else release_of(self._definition(release))
        self._set(service, wanted, service.desired if count is None else count)

    def resolve(self, spec: Spec) -> tuple[Slot, Slot]:
        with_faults = self._call("compute.resolve")
        first, second = (self._named(slot.name).slot for slot in spec.slots)
        with_faults()
        return first, second

    def current(self, slot: Slot, seen: SlotHealth | None = None) -> Release:
        with_faults = self._call("compute.current")
        release = self._service(slot).release
        with_faults()
        return release

    def fingerprint(self, request: ReleaseRequest, live: Release) -> str:
        if request.task_definition:
            return fingerprint(self._definition(request.task_definition))
        return fingerprint(wanted_definition(self._definition(live.task_definition), request))

    def is_registered(self, task_definition: str) -> bool:
        with_faults = self._call("compute.is_registered")
        status = self._definition(task_definition).get("status", "ACTIVE")
        with_faults()
        return bool(status == "ACTIVE")

    def prepare(self, request: ReleaseRequest, live: Release, deployment_id: str, fence: Fence) -> Release:
        with_faults = self._call("compute.prepare")
        base = self._definition(request.task_definition or live.task_definition)
        if request.task_definition and base.get("status", "ACTIVE") == "ACTIVE":
            return release_of(base, request)
        wanted = register_parameters(base, base.get("tags", []), request, deployment_id)
        made = [known for known in self.definitions.values() if known.get("tags", [])[-1:] == wanted["tags"][-1:]]
        if not made:
            fence()
            made = [self.register(wanted)]
            self.changes.append("compute.prepare")
        with_faults()
        return release_of(made[-1], request)

    def launch(self, release: Release, slot: Slot, count: int, fence: Fence, *, anew: bool = False) -> None:
        with_faults = self._call("compute.launch")
        service = self._service(slot)
        if anew or (service.release.task_definition, service.desired) != (release.task_definition, count):
            fence()
            self._set(service, release, count, anew=anew)
            self.changes.append("compute.launch")
        with_faults()

    def health(self, slot: Slot) -> SlotHealth:
        with_faults = self._call("compute.health")
        service = self._service(slot)
        if service.slot.target_group_arn != slot.target_group_arn:
            raise NotFoundError(f"target group {slot.target_group_arn} does not exist")
        health = self._observe(service)
        with_faults()
        return health

    def health_of_both(self, first: Slot, second: Slot) -> tuple[SlotHealth, SlotHealth]:
        return self.health(first), self.health(second)

    def health_beside(self, slot: Slot, other: Slot) -> tuple[SlotHealth, Setting]:
        health, beside = self.health(slot), self._service(other)
        return health, Setting(beside.desired, beside.release.task_definition)

    def likely_writer(self, slot: Slot) -> str:
        return self._service(slot).writer

    def diagnose(self, slot: Slot, since: float) -> SlotHealth:
        with_faults = self._call("compute.diagnose")
        service = self._service(slot)
        health = self._observe(service)
        failures = [self.bad_images[image] for image in service.release.images.values() if image in self.bad_images]
        with_faults()
        return replace(health, failures=tuple(failures))

    def scale(self, slot: Slot, count: int, fence: Fence) -> None:
        with_faults = self._call("compute.scale")
        service = self._service(slot)
        if service.desired != count:
            fence()
            self._set(service, service.release, count)
            self.changes.append("compute.scale")
        with_faults()

    def retire(self, slot: Slot, fence: Fence) -> None:
        self.scale(slot, 0, fence)

    def _call(self, name: str) -> Callable[[], None]:
        self.calls.append(name)
        self.before_call(name)
        return lambda: self.after_call(name)

    def _set(self, service: FakeService, release: Release, count: int, *, anew: bool = False) -> None:
        replaced = anew or service.release.task_definition != release.task_definition
        if replaced:
            service.changed_at = self.clock.now()
        service.release, service.desired = release, count
        kept = [task for task in service.tasks if task.draining is None and not replaced]
        for task in service.tasks:
            if task.draining is None and task not in kept[:count]:
                task.draining = self.drains_after
        self._start_missing(service)

    def _start_missing(self, service: FakeService) -> None:
        bad = any(image in self.bad_images for image in service.release.images.values())
        active = sum(task.draining is None for task in service.tasks)
        for _ in range(service.desired - active):
            state = "unhealthy" if bad else None
            service.tasks.append(FakeTask(service.release.task_definition, self.starts_after, state=state))

    def _observe(self, service: FakeService) -> SlotHealth:
        self._start_missing(service)
        states = Counter(self._state(service, task) for task in service.tasks)
        running = sum(task.draining is None for task in service.tasks)
        health = SlotHealth(service.desired, running, dict(states), service.release.task_definition, service.changed_at)
        self._pass_time(service)
        return health

    def _state(self, service: FakeService, task: FakeTask) -> str:
        if task.draining is None and not self.in_use(service.slot.target_group_arn):
            return "unused"
        return task.target_state()

    def _pass_time(self, service: FakeService) -> None:
        for task in service.tasks:
            task.starting = max(0, task.starting - 1)
            if task.draining is not None:
                task.draining -= 1
        service.tasks = [task for task in service.tasks if task.draining is None or task.draining > 0]

    def _service(self, slot: Slot) -> FakeService:
        return self._named(slot.name)

    def _named(self, name: str) -> FakeService:
        if name not in self.services:
            raise NotFoundError(f"target group {name} does not exist; there are {', '.join(self.services)}")
        return self.services[name]

    def _definition(self, name: str) -> Definition:
        for arn, definition in self.definitions.items():
            if name in (arn, f"{definition['family']}:{definition['revision']}"):
                return definition
        raise NotFoundError(f"task definition {name} does not exist", hint="aws ecs list-task-definitions")


def simple_definition(family: str, image: str, *, container: str = "app") -> Definition:
    """The smallest task definition that runs one container."""
    return {"family": family, "containerDefinitions": [{"name": container, "image": image, "essential": True}]}
