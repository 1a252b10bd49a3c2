"""A stage for the engine: two services, their routes, a store and a clock, all in memory, driven by the real drivers.

Faults are injected between any two calls (``Stage.crash_at``); ``Watchman`` looks at every state of the world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bluegreen.clock import FakeClock
from bluegreen.compute.fake import FakeCompute, simple_definition
from bluegreen.compute.fake_scaling import FakeScaling
from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Owner
from bluegreen.domain.spec import GateSpec, HealthSpec, HookSpec, RouteSpec, ShiftStep, SlotSpec, Spec
from bluegreen.hooks.base import Gate, Hook, HookCall, Passed, Reading, Verdict, Watch
from bluegreen.hooks.kept import KeptGate, KeptHook
from bluegreen.lifecycle.work import World
from bluegreen.notify.base import Reporter
from bluegreen.redact import Redactor
from bluegreen.store.base import StateStore
from bluegreen.store.memory import MemoryStore
from bluegreen.traffic.actions import weights_of
from bluegreen.traffic.fake import FakeRouter
from bluegreen.wiring import Options, Session

PRODUCTION = RouteSpec(load_balancer="prod", port=443)
TEST = RouteSpec(load_balancer="prod", port=8080)
SPEC = Spec(
    service="orders",
    cluster="production",
    slots=(SlotSpec("orders-1", "orders-1"), SlotSpec("orders-2", "orders-2")),
    production=(PRODUCTION,),
    test=TEST,
    shift=(ShiftStep(5, 60), ShiftStep(100, 0)),
    bake=600,
    health=HealthSpec(100, 10),
    settle=10,
)
NEW = ReleaseRequest(images={"app": "registry.example/orders:2"})


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Recorder:
    events: list[Event] = field(default_factory=list)
    last: Observation = field(default_factory=Observation)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        self.last = observation

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.events]

    def text(self) -> str:
        return "\n".join(event.message for event in self.events)


@dataclass
class ScriptedHook:
    """Answers its verdicts in turn, the last one for ever."""

    verdicts: list[Verdict | Exception]
    calls: list[HookCall] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def start(self, call: HookCall) -> Verdict:
        self.calls.append(call)
        return self._next()

    def poll(self, handle: str) -> Verdict:
        return self._next()

    def cancel(self, handle: str) -> None:
        self.cancelled.append(handle)

    def _next(self) -> Verdict:
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


@dataclass
class ScriptedGate:
    """``read`` answers at each check."""

    read: Callable[[], Reading]
    told: list[Watch] = field(default_factory=list)

    def check(self, watch: Watch) -> Reading:
        self.told.append(watch)
        return self.read()


class FaultyStore:
    """A store that tells each call before and after it is made."""

    def __init__(self, inner: StateStore, before: Callable[[str], None], after: Callable[[str], None]) -> None:
        self._inner, self._before, self._after = inner, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def told(*args: Any, **kwargs: Any) -> Any:
            self._before(f"store.{name}")
            answer = method(*args, **kwargs)
            self._after(f"store.{name}")
            return answer

        return told


class StagedSession(Session):
    """Its hooks and gates are scripted, and guarded as those of the registry are."""

    stage: Stage

    @cached_property
    def store(self) -> StateStore:
        return self.stage.faulty_store

    @property
    def router(self) -> FakeRouter:
        return self.stage.router

    @property
    def compute(self) -> FakeCompute:
        return self.stage.compute

    def spawn(self, command: Sequence[str], log: Path) -> int:
        self.stage.spawned.append(list(command))
        return 4712

    @property
    def scaling(self) -> FakeScaling:
        return self.stage.scaling

    def world(self, reporter: Reporter) -> World:
        return World(self.store, self.router, self.compute, self.hook, self.gate, self.clock, reporter, self.scaling)

    def hook(self, spec: HookSpec) -> Hook:
        scripted = self.stage.hooks.setdefault(spec.name, ScriptedHook([Passed("fine")]))
        return KeptHook(scripted, f"hook {spec.name}", Redactor())

    def gate(self, spec: GateSpec, facts: Mapping[str, str]) -> Gate:
        return KeptGate(self.stage.gates[spec.name], f"gate {spec.name}", Redactor())


class Stage:
    """blue is orders-1 with two tasks of image ``orders:1``; green is orders-2, idle."""

    def __init__(self, spec: Spec = SPEC, *, drains_after: int = 2) -> None:
        self.spec = spec
        self.clock = FakeClock()
        self.recorder = Recorder()
        self.memory = MemoryStore()
        self.hooks: dict[str, ScriptedHook] = {}
        self.gates: dict[str, ScriptedGate] = {}
        self.calls: list[str] = []
        self.spawned: list[list[str]] = []
        self.on_call: Callable[[str, str], None] = lambda when, name: None
        self.router = FakeRouter(before_call=self._before, after_call=self._after, clock=self.clock)
        self.compute = FakeCompute(
            in_use=self.router.attached,
            before_call=self._before,
            after_call=self._after,
            clock=self.clock,
            drains_after=drains_after,
        )
        self.scaling = FakeScaling(self.compute, before_call=self._before, after_call=self._after)
        self.faulty_store: StateStore = FaultyStore(self.memory, self._before, self._after)
        definition = self.compute.register(simple_definition("orders", "registry.example/orders:1"))
        self.one = self.compute.add(spec.slots[0], definition, count=2, cluster="production")
        self.two = self.compute.add(spec.slots[1], definition, count=0, cluster="production")
        for route in spec.production:
            self.router.add(route, {self.one.target_group_arn: 100})
        if spec.test:
            self.router.add(spec.test, {self.one.target_group_arn: 100}, url="http://prod.example:8080")

    def session(self, command: str = "deploy", host: str = "laptop") -> StagedSession:
        session = StagedSession(Options(), Owner("ada", host, 4711, command), environment={}, clock=self.clock)
        session.stage = self
        return session

    def weights(self, index: int = 0) -> Mapping[str, int]:
        """Weights of the route by target group name; 0 and absent look the same."""
        route = list(self.router.routes.values())[index]
        return {arn.rsplit("/", 1)[-1]: weight for arn, weight in weights_of(route.actions[-1]).items() if weight}

    def spec_with(self, **changes: Any) -> Spec:
        return replace(self.spec, **changes)

    def latest(self) -> Deployment:
        return self.memory.history("orders", 1)[0]

    def phase(self) -> Phase | None:
        """None before the first deployment."""
        known = self.memory.history("orders", 1)
        return known[0].phase if known else None

    def _before(self, name: str) -> None:
        self.calls.append(name)
        self.on_call("before", name)

    def _after(self, name: str) -> None:
        self.on_call("after", name)


@dataclass
class Watchman:
    """Looks at the world after every call and remembers each broken safety rule."""

    stage: Stage
    broken: list[str] = field(default_factory=list)

    def look(self, when: str, name: str) -> None:
        if name == "router.modify" and when == "after":
            self._no_traffic_without_targets()
        if name in ("compute.scale", "compute.launch") and when == "after":
            self._nothing_with_traffic_is_scaled_in()

    def _no_traffic_without_targets(self) -> None:
        for name in self.stage.weights():
            service = self.stage.compute.services[name]
            healthy = [task for task in service.tasks if task.target_state() == "healthy"]
            if len(healthy) < 2:
                self.broken.append(f"rule 1: {name} has weight and {len(healthy)} healthy targets")

    def _nothing_with_traffic_is_scaled_in(self) -> None:
        for name in self.stage.weights():
            if self.stage.compute.services[name].desired < 2:
                self.broken.append(f"rule 6: {name} has weight and was scaled in")
