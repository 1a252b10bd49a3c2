"""Looks at the whole world after every single call, and remembers each safety rule of the design that was broken.

Rule 1: no weight without enough healthy targets. Rule 2: all of a route but its two weights survives. Rule 4: nothing
puts traffic back on green once a rollback said *safe*, and one driver writes at a time. Rule 6: blue is untouched
until the bake passed and the split was read back; green goes only without traffic. Rule 7, at the end: nothing is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.compute.fake import FakeService
from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.lifecycle.routes.routing import last_write_at
from bluegreen.traffic.actions import weights_of
from bluegreen.traffic.fake import FakeRoute
from tests.stage import Stage


@dataclass(frozen=True, slots=True)
class Instant:
    """The world between two calls: weights of each production route and tasks wanted, both by slot name."""

    weights: tuple[Mapping[str, int], ...]
    desired: Mapping[str, int]
    releases: Mapping[str, str]

    def share(self, slot: str) -> int:
        return sum(weights.get(slot, 0) for weights in self.weights)


@dataclass
class Watchman:
    """``look`` is the stage's ``on_call``; ``broken`` holds each breach once, in the order they happened."""

    stage: Stage
    broken: list[str] = field(default_factory=list)
    instants: int = 0
    last: Instant = field(init=False)

    def __post_init__(self) -> None:
        self.last = _instant(self.stage)
        self._shapes = [_all_but_weights(route) for route in self.stage.router.routes.values()]
        self._was_safe: set[str] = set()
        self._seen_actions: list[object] = []
        self._read: tuple[bytes, Deployment | None] = (b"", None)

    def look(self, when: str, name: str) -> None:
        if when != "after":
            return
        self.instants += 1
        now, before = _instant(self.stage), self.last
        self.last = now
        deployment = self._newest()
        for breach in self._breaches(before, now, deployment):
            line = f"after {name}: {breach}"
            if line not in self.broken:
                self.broken.append(line)

    def _breaches(self, before: Instant, now: Instant, d: Deployment | None) -> Iterator[str]:
        yield from self._rule_1(before, now)
        yield from self._rule_2()
        yield from self._rule_6(before, now, d)
        if d is not None:
            yield from self._rule_4(before, now, d)

    def _rule_1(self, before: Instant, now: Instant) -> Iterator[str]:
        need = self.stage.spec.health.required(2)
        for weights in now.weights:
            if not any(weights.values()):
                yield "rule 1: a production route has no weight at all"
        for slot in now.desired:
            healthy = sum(task.target_state() == "healthy" for task in self.stage.compute.services[slot].tasks)
            if now.share(slot) and healthy < need:
                yield f"rule 1: {slot} has weight and {healthy} of {need} healthy targets"

    def _rule_2(self) -> Iterator[str]:
        """A route's actions are replaced as a whole: the same object was looked at before."""
        actions = [route.actions for route in self.stage.router.routes.values()]
        if all(a is b for a, b in zip(actions, self._seen_actions, strict=False)) and self._seen_actions:
            return
        self._seen_actions = [*actions]
        for route, shape in zip(self.stage.router.routes.values(), self._shapes, strict=True):
            if _all_but_weights(route) != shape:
                yield f"rule 2: {route.arn} lost more than its weights"
            strangers = set(weights_of(route.actions[-1])) - {self.stage.one.target_group_arn, _two(self.stage)}
            if strangers:
                yield f"rule 2: {route.arn} forwards to {strangers}"

    def _rule_4(self, before: Instant, now: Instant, d: Deployment) -> Iterator[str]:
        if d.rollback is not None and d.rollback.safe_at is not None:
            self._was_safe.add(d.id)
        if d.id in self._was_safe and now.share(d.green.name):
            yield f"rule 4: {d.green.name} has traffic after the rollback said safe"
        if d.phase is Phase.ROLLBACK and now.share(d.green.name) > before.share(d.green.name):
            yield f"rule 4: {d.green.name} got more traffic during the rollback"

    def _rule_6(self, before: Instant, now: Instant, d: Deployment | None) -> Iterator[str]:
        for slot in now.desired:
            shrinks = now.desired[slot] < before.desired[slot]
            changes = now.releases[slot] != before.releases[slot]
            if (shrinks or changes) and now.share(slot):
                yield f"rule 6: {slot} was changed while it has traffic"
            if not (shrinks or changes):
                continue
            if d is None:
                yield f"rule 6: {slot} was changed without a deployment"
            elif slot == d.blue.name:
                yield from _may_change_blue(self.stage, now, d)
            elif shrinks:
                yield from _may_remove_green(self.stage, d)

    def _newest(self) -> Deployment | None:
        """The newest deployment, also right after its end: its last write is judged by it. Read once for each save."""
        rows = self.stage.memory.rows.newest("orders", 1)
        raw = rows[0][1] if rows else b""
        if raw != self._read[0]:
            known = self.stage.memory.history("orders", 1)
            self._read = (raw, known[0] if known else None)
        return self._read[1]

    def left_over(self) -> Iterator[str]:
        """Rules 5 and 7, once the deployment has ended."""
        stage, now = self.stage, _instant(self.stage)
        live = [slot for slot in now.desired if now.share(slot)]
        if len(live) != 1:
            yield f"at the end {live} have traffic"
            return
        idle = next(slot for slot in now.desired if slot != live[0])
        if (now.desired[live[0]], now.desired[idle]) != (2, 0):
            yield f"rule 7: at the end {live[0]} wants {now.desired[live[0]]} tasks, {idle} {now.desired[idle]}"
        if any(task.draining is None for task in stage.compute.services[idle].tasks):
            yield f"rule 7: {idle} has tasks left"
        if stage.spec.test is not None and _live_of_test(stage) != live:
            yield f"rule 7: the test route is left at {_live_of_test(stage)}"
        yield from _scaling_disagrees(stage, live[0], idle)
        yield from _registered_twice(stage)
        yield from _record_disagrees(stage, live[0], now)


# Private


def _instant(stage: Stage) -> Instant:
    routes = list(stage.router.routes.values())[: len(stage.spec.production)]
    services = stage.compute.services
    return Instant(
        tuple(_weights(route) for route in routes),
        {name: service.desired for name, service in services.items()},
        {name: service.release.task_definition for name, service in services.items()},
    )


def _weights(route: FakeRoute) -> dict[str, int]:
    return {arn.rsplit("/", 1)[-1]: weight for arn, weight in weights_of(route.actions[-1]).items()}


def _two(stage: Stage) -> str:
    return stage.two.target_group_arn


def _all_but_weights(route: FakeRoute) -> str:
    *others, forward = route.actions
    config: dict[str, Any] = {k: v for k, v in forward.get("ForwardConfig", {}).items() if k != "TargetGroups"}
    return json.dumps([*others, {"Order": forward.get("Order"), "config": config}], sort_keys=True)


def _may_change_blue(stage: Stage, now: Instant, d: Deployment) -> Iterator[str]:
    """Blue may be scaled in in teardown, and may be brought back by a rollback."""
    if d.phase is not Phase.TEARDOWN:
        yield f"rule 6: blue {d.blue.name} was changed in phase {d.phase.value}"
        return
    if d.bake_until is None or stage.clock.now() < d.bake_until:
        yield "rule 6: blue was changed before the bake passed"
    if stage.clock.now() < last_write_at(d) + d.spec.settle:
        yield "rule 6: blue was changed before the split settled"
    if not all(route.written and route.written.confirmed and not route.written.split.blue for route in d.routes):
        yield "rule 6: blue was changed before the split was read back"
    if now.releases[d.blue.name] != d.previous.task_definition:
        yield "rule 6: blue runs another release"


def _may_remove_green(stage: Stage, d: Deployment) -> Iterator[str]:
    if d.phase is not Phase.ROLLBACK or d.rollback is None:
        yield f"rule 6: green {d.green.name} was scaled in in phase {d.phase.value}"
    elif d.rollback.safe_at is None:
        yield "rule 6: green was scaled in before the rollback was safe"
    elif stage.clock.now() < last_write_at(d) + d.spec.settle:
        yield "rule 6: green was scaled in before the split settled"


def _live_of_test(stage: Stage) -> list[str]:
    route = list(stage.router.routes.values())[len(stage.spec.production)]
    return [slot for slot, weight in _weights(route).items() if weight]


def _scaling_disagrees(stage: Stage, live: str, idle: str) -> Iterator[str]:
    """Nothing stays suspended; the live slot has the service's range (the first slot was live when it was found)."""
    for target in stage.scaling.targets.values():
        if target.in_suspended or target.out_suspended or target.scheduled_suspended:
            yield f"rule 7: scaling of {target.slot} is left suspended"
    if not stage.scaling.targets:
        return
    found, now = stage.scaling.found[stage.one.name], stage.scaling.targets[live]
    if (now.least, now.most) != (found.least, found.most):
        yield f"rule 7: {live} is left with {now.range} tasks, the service has {found.range}"
    if stage.scaling.targets[idle].least:
        yield f"rule 7: {idle} cannot stay at zero"


def _registered_twice(stage: Stage) -> Iterator[str]:
    known = len(stage.compute.definitions)
    deployments = len(stage.memory.history("orders", 20))
    if known > 1 + deployments:
        yield f"rule 7: {known} task definitions were registered for {deployments} deployments"


def _record_disagrees(stage: Stage, live: str, now: Instant) -> Iterator[str]:
    state, known = stage.memory.service("orders"), stage.memory.history("orders", 20)
    if state.active is not None:
        yield f"deployment {state.active} is still active"
    for d in known:
        if not d.phase.final:
            yield f"deployment {d.id} did not end: {d.phase.value}"
    if known:
        d = known[0]
        right, release = (d.green, d.release) if d.phase is Phase.SUCCEEDED else (d.blue, d.previous)
        if live != right.name:
            yield f"{d.phase.value}, but {live} is live"
        if release is not None and now.releases[live] != release.task_definition:
            yield f"{d.phase.value}, but {now.releases[live]} is live, not {release.task_definition}"
        yield from _ledger_disagrees(stage, d)


def _ledger_disagrees(stage: Stage, d: Deployment) -> Iterator[str]:
    state, release = stage.memory.service("orders"), d.release
    if d.phase is Phase.SUCCEEDED and state.known_good[0].release != release:
        yield "a deployment that succeeded is not the newest known-good one"
    if d.phase is Phase.ROLLED_BACK and release and release not in [q.release for q in state.quarantine]:
        yield "a release that was rolled back is not in quarantine"
    ends = [e.kind.value for e in stage.memory.events(d.id) if e.kind.value in ("succeeded", "rolled_back")]
    if len(ends) != 1:
        yield f"the end was told {len(ends)} times"


def service_of(stage: Stage, slot: str) -> FakeService:
    return stage.compute.services[slot]
