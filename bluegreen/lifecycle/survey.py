"""The live world before a deployment: everything it will rest on, read once. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bluegreen.domain.deployment import Deployment, Route, Slot
from bluegreen.domain.facts import COMPARISON, facts_in
from bluegreen.domain.health import GroupSettings, LiveRoute, ScalableTarget, SlotHealth
from bluegreen.domain.release import KnownGood, Release, ReleaseRequest
from bluegreen.domain.service import ServiceState
from bluegreen.domain.spec import GateSpec, HookSpec, RouteSpec, Spec
from bluegreen.errors import AccessDeniedError, BluegreenError
from bluegreen.hooks.base import HookCall, Reading, Verifiable, Watch
from bluegreen.lifecycle.hooks.hook_facts import base_url_of
from bluegreen.lifecycle.watch.gate_facts import facts_before
from bluegreen.lifecycle.work import World

T = TypeVar("T")


@dataclass(slots=True)
class Found:
    """The live world as surveyed. ``live`` is keyed by route name, ``health`` and ``current`` by slot name,
    ``gates`` by gate name. ``scaling`` is None where it could not be read. ``returning`` is the request's ledger entry,
    where it asks for a release that was known good. ``errors`` are the reads that failed, with the resource each was
    about; ``denied`` are those a deployment can do without, with what it then lacks. ``mute`` are the hooks that could
    not be asked from here, whatever the release. ``deregistered`` is the task definition that was asked for, where it
    has to be registered again. ``unfinished`` is the service's active deployment; ``gone``: the
    process that holds the lease is known not to exist any more."""

    spec: Spec
    state: ServiceState
    at: float
    slots: tuple[Slot, Slot] | None = None
    routes: list[Route] = field(default_factory=list)
    test_route: Route | None = None
    test_live: LiveRoute | None = None
    live: dict[str, LiveRoute] = field(default_factory=dict)
    health: dict[str, SlotHealth] = field(default_factory=dict)
    current: dict[str, Release] = field(default_factory=dict)
    gates: dict[str, Reading] = field(default_factory=dict)
    fingerprint: str | None = None
    scaling: tuple[ScalableTarget, ...] | None = ()
    groups: tuple[GroupSettings, ...] = ()
    returning: KnownGood | None = None
    deregistered: str | None = None
    unfinished: Deployment | None = None
    gone: bool = False
    errors: list[tuple[str, BluegreenError]] = field(default_factory=list)
    denied: list[tuple[str, BluegreenError, str]] = field(default_factory=list)
    mute: list[tuple[HookSpec, BluegreenError]] = field(default_factory=list)

    @property
    def roles(self) -> tuple[Slot, Slot] | None:
        """(blue, green), when all production routes send everything to the same slot."""
        if self.slots is None or not self.routes or any(route.name not in self.live for route in self.routes):
            return None
        first, second = self.slots
        splits = [self.live[route.name].split for route in self.routes]
        if all(split.blue and not split.green for split in splits):
            return first, second
        if all(split.green and not split.blue for split in splits):
            return second, first
        return None

    @property
    def firing(self) -> tuple[str, ...]:
        return tuple(name for name, reading in self.gates.items() if reading.state == "firing")


def survey(world: World, spec: Spec, request: ReleaseRequest | None) -> Found:
    """Read everything. A read that fails becomes one of ``errors``, so that all problems are told at once."""
    return _Survey(world, Found(spec, world.store.service(spec.service), world.clock.now())).run(request)


# Private


class _Survey:
    def __init__(self, world: World, found: Found) -> None:
        self._world = world
        self._found = found
        self._order: dict[str, int] = {}

    def run(self, request: ReleaseRequest | None) -> Found:
        found, spec = self._found, self._found.spec
        if active := found.state.active:
            found.unfinished = self._try(f"deployment {active}", lambda: self._world.store.load(active))
        found.slots = self._try(f"slots, cluster {spec.cluster}", lambda: self._world.compute.resolve(spec))
        if found.slots is None:
            return found
        slots = found.slots
        self._world.together(
            [
                *(partial(self._route, index, route, slots) for index, route in enumerate(spec.production)),
                partial(self._test_route, slots),
                *(partial(self._slot, slot) for slot in slots),
                partial(self._surroundings, slots),
                *(partial(self._gate, gate) for gate in _readable(spec, {})),
            ]
        )
        self._gates_of_roles()
        self._hooks()
        found.routes.sort(key=lambda route: self._order[route.name])
        found.errors.sort(key=lambda error: error[0])
        found.returning = _returning(found.state, request)
        roles = found.roles
        if request is not None and roles is not None and roles[0].name in found.current:
            blue, compute = found.current[roles[0].name], self._world.compute
            named = request.task_definition or ""
            where = f"task definition {named.rsplit('/', 1)[-1]}" if named else "release"
            found.fingerprint = self._try(where, lambda: compute.fingerprint(request, blue))
            if named and found.fingerprint and self._try(where, lambda: compute.is_registered(named)) is False:
                found.deregistered = named.rsplit("/", 1)[-1]
        return found

    def _route(self, index: int, spec: RouteSpec, slots: tuple[Slot, Slot]) -> None:
        router, found = self._world.router, self._found
        route = self._try(f"production[{index}]", lambda: router.resolve(spec, slots))
        if route is None:
            return
        self._order[route.name] = index
        found.routes.append(route)
        live = self._try(route.name, lambda: router.read(route, *slots))
        if live is not None:
            found.live[route.name] = live

    def _test_route(self, slots: tuple[Slot, Slot]) -> None:
        test, router = self._found.spec.test, self._world.router
        route = self._try("test", lambda: router.resolve(test, slots)) if test is not None else None
        if route is not None:
            self._found.test_route = route
            self._found.test_live = self._try("test", lambda: router.read(route, *slots))

    def _slot(self, slot: Slot) -> None:
        compute = self._world.compute
        health = self._try(f"slot {slot.name}", lambda: compute.health(slot))
        if health is not None:
            self._found.health[slot.name] = health
        current = self._try(f"slot {slot.name}", lambda: compute.current(slot, health))
        if current is not None:
            self._found.current[slot.name] = current

    def _surroundings(self, slots: tuple[Slot, Slot]) -> None:
        found, world = self._found, self._world
        found.scaling = self._spare(
            "autoscaling",
            lambda: world.scaling.read(slots),
            "nothing is suspended: where scaling policies exist, they may scale blue or green in during the deployment",
        )
        groups = self._spare(
            "target groups", lambda: world.router.settings(slots), "a rollback cannot tell whether they were changed"
        )
        found.groups = groups or ()

    def _spare(self, where: str, read: Callable[[], T], without: str) -> T | None:
        """A read that a deployment can do without when it is not allowed."""
        try:
            return read()
        except AccessDeniedError as error:
            self._found.denied.append((where, error, without))
        except BluegreenError as error:
            self._found.errors.append((where, error))
        return None

    def _hooks(self) -> None:
        """When the test route is known: it is what some of them need."""
        spec, route = self._found.spec, self._found.test_route
        base_url = base_url_of(spec, route)
        if spec.test is not None and route is None:
            base_url = "http://not-found"  # an error of its own, which is not each hook's fault as well
        for asked in spec.hooks:
            hook = self._try(where_is(asked), partial(self._world.hook, asked))
            if isinstance(hook, Verifiable):
                try:
                    hook.verify(HookCall(asked.point, asked.name, 1, asked.timeout, base_url))
                except BluegreenError as error:
                    self._found.mute.append((asked, error))

    def _gate(self, gate: GateSpec, facts: Mapping[str, str] | None = None) -> None:
        reading = self._try(f"gate {gate.name}", lambda: self._world.gate(gate, facts or {}).check(Watch()))
        if reading is not None:
            self._found.gates[gate.name] = reading

    def _gates_of_roles(self) -> None:
        """Gates that name blue or green are read once it is known which is which; not where they name the release."""
        found, roles = self._found, self._found.roles
        if roles is None:
            return
        facts = facts_before(found.spec, *roles, found.routes)
        first = _readable(found.spec, {})
        more = [gate for gate in _readable(found.spec, facts) if gate not in first]
        self._world.together([partial(self._gate, gate, facts) for gate in more])

    def _try(self, where: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except BluegreenError as error:
            self._found.errors.append((where, error))
            return None


def where_is(hook: HookSpec) -> str:
    return f"hooks.{hook.point.value}: {hook.name}"


def _returning(state: ServiceState, request: ReleaseRequest | None) -> KnownGood | None:
    wanted = request.task_definition if request else None
    return next((e for e in state.known_good if wanted in (e.release.id, e.release.task_definition)), None)


def _readable(spec: Spec, facts: Mapping[str, str]) -> list[GateSpec]:
    """The gates that need to be told no more than ``facts``. A comparison needs to know both slots."""
    needed = {gate.name: facts_in(gate.settings) for gate in spec.gates}
    return [gate for gate in spec.gates if needed[gate.name] <= facts.keys() and (facts or gate.kind != COMPARISON)]
