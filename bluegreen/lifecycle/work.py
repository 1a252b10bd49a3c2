"""A tick's hands: the record as it stands, and the only ways to change it, to show it, and to touch the world."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Clock
from bluegreen.compute.base import ComputeProvider, Scaling
from bluegreen.domain.deployment import Deployment, Slot
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Failure, Observation, SlotHealth
from bluegreen.domain.service import Lease, ServiceState
from bluegreen.domain.spec import GateSpec, HookSpec
from bluegreen.domain.split import Split
from bluegreen.errors import AccessDeniedError
from bluegreen.notify.base import Reporter
from bluegreen.store.base import LEASE_SECONDS, StateStore
from bluegreen.together import Together, one_by_one
from bluegreen.traffic.base import TrafficRouter

if TYPE_CHECKING:
    from bluegreen.hooks.base import Gate, Hook


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside the engine, handed in. ``together`` runs reads that need not wait for each other."""

    store: StateStore
    router: TrafficRouter
    compute: ComputeProvider
    hook: Callable[[HookSpec], Hook]
    gate: Callable[[GateSpec, Mapping[str, str]], Gate]
    clock: Clock
    reporter: Reporter
    scaling: Scaling
    write_only_before: Callable[[float], None] = lambda deadline: None
    hurry: Callable[[bool], None] = lambda urgent: None
    aws_now: Callable[[], float] | None = None
    lease_seconds: float = LEASE_SECONDS
    together: Together = one_by_one


@dataclass(slots=True)
class Looks:
    """When this driver looked at the gates, and when it wrote what they showed (epoch seconds).

    It goes from tick to tick and into no record: who drives on, looks at once.
    """

    at: float = -math.inf
    written: float = -math.inf


@dataclass(slots=True)
class Work:
    """``looked``: in this tick the gates were looked at."""

    world: World
    deployment: Deployment
    lease: Lease
    state: ServiceState
    slots_seen: dict[str, SlotHealth] = field(default_factory=dict)
    live_seen: dict[str, Split] = field(default_factory=dict)
    gates_seen: dict[str, str] = field(default_factory=dict)
    routes_at: float = 0.0
    looks: Looks = field(default_factory=Looks)
    looked: bool = False

    @classmethod
    def after(
        cls,
        seen: Observation | None,
        looks: Looks,
        world: World,
        deployment: Deployment,
        lease: Lease,
        state: ServiceState,
    ) -> Work:
        """With what earlier ticks saw: a step looks only at what it decides on, a person wants to see it all."""
        known = seen or Observation()
        return cls(
            world,
            deployment,
            lease,
            state,
            dict(known.slots),
            dict(known.live),
            dict(known.gates),
            known.routes_at,
            looks,
        )

    def now(self) -> float:
        return self.world.clock.now()

    def aws_now(self) -> float:
        """A time that has passed on AWS's clocks; our own, where they were not read."""
        return self.world.aws_now() if self.world.aws_now else self.now()

    def event(self, kind: Kind, message: str, **data: object) -> Event:
        d = self.deployment
        return Event(self.now(), d.id, d.service, d.phase, kind, message, dict(data))

    def record(self, *events: Event, **changes: Any) -> None:
        """Persist changed fields and events in one write, then show the events."""
        changed = replace(self.deployment, **changes)
        self.deployment = self.world.store.save(changed, self.lease, events)
        self.publish(*events)

    def publish(self, *events: Event) -> None:
        for event in events:
            self.world.reporter.event(event)

    def fence(self) -> None:
        """Right before a mutating call: raises PreemptedError when another driver took over."""
        self.lease, self.state = self.world.store.renew(self.lease, now=self.now(), seconds=self.world.lease_seconds)
        self.world.write_only_before(self.lease.expires_at)

    def health(self, slot: Slot) -> SlotHealth:
        return self._seen(slot, self.world.compute.health(slot))

    def diagnose(self, slot: Slot, since: float) -> SlotHealth:
        """Where AWS does not allow to ask for the reasons, that is the reason: it must not keep a verdict back."""
        try:
            return self._seen(slot, self.world.compute.diagnose(slot, since))
        except AccessDeniedError as error:
            return replace(self.health(slot), failures=(Failure(f"why is not known: {error.message}"),))

    def observation(self) -> Observation:
        return Observation(dict(self.slots_seen), dict(self.live_seen), dict(self.gates_seen), self.routes_at)

    def _seen(self, slot: Slot, health: SlotHealth) -> SlotHealth:
        self.slots_seen[slot.name] = health
        return health
