"""Scalable targets in memory, for tests of the engine; as on AWS, a write brings the desired count into the range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bluegreen.compute.fake import FakeCompute, OnCall, nothing
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import ScalableTarget
from bluegreen.errors import BluegreenError, NotFoundError
from bluegreen.traffic.base import Fence


@dataclass(slots=True)
class FakeScaling:
    """``targets`` by slot name. ``refuses`` is raised by every call while it is set.

    ``found`` are the targets as they were added, ``writes`` what each register wrote. ``before_call`` raises before an
    effect, ``after_call`` after it.
    """

    compute: FakeCompute
    before_call: OnCall = nothing
    after_call: OnCall = nothing
    targets: dict[str, ScalableTarget] = field(default_factory=dict)
    found: dict[str, ScalableTarget] = field(default_factory=dict)
    refuses: BluegreenError | None = None
    calls: list[str] = field(default_factory=list)
    writes: list[ScalableTarget] = field(default_factory=list)

    def add(self, slot: Slot, least: int, most: int, **suspended: bool) -> None:
        self.targets[slot.name] = self.found[slot.name] = ScalableTarget(slot.name, least, most, **suspended)

    def scale_in(self, slot: Slot) -> None:
        """What a scaling policy does when the load is low: nothing while scale-in is suspended."""
        target = self.targets.get(slot.name)
        if target is not None and not target.in_suspended:
            service = self.compute.services[slot.name]
            self.compute.set(slot, count=min(service.desired, target.least))

    def read(self, slots: Sequence[Slot]) -> tuple[ScalableTarget, ...]:
        done = self._call("scaling.read")
        found = tuple(self.targets[slot.name] for slot in slots if slot.name in self.targets)
        done()
        return found

    def register(self, slot: Slot, wanted: ScalableTarget, fence: Fence) -> None:
        if slot.name not in self.targets:
            raise NotFoundError(f"service {slot.service} has no scalable target")
        fence()
        done = self._call("scaling.register")
        self.targets[slot.name] = wanted
        self.writes.append(wanted)
        desired = self.compute.services[slot.name].desired
        within = min(max(desired, wanted.least), wanted.most)
        if within != desired:
            self.compute.set(slot, count=within)
        done()

    def _call(self, name: str) -> Callable[[], None]:
        self.calls.append(name)
        self.before_call(name)
        if self.refuses is not None:
            raise self.refuses
        return lambda: self.after_call(name)
