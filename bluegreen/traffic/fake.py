"""A router over routes in memory, for tests of the engine: the same algorithm, and faults between its calls."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bluegreen.clock import Clock, FakeClock
from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import GroupSettings, LiveRoute
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import Split
from bluegreen.errors import NotFoundError, NotThereError, RefusedError
from bluegreen.traffic.actions import Action, live_route, target_groups
from bluegreen.traffic.base import Fence, Inspect, accept
from bluegreen.traffic.shifting import read_split, shift_split

OnCall = Callable[[str], None]
"""Told the name of each call to the world, ``router.describe`` or ``router.modify``; it may raise."""


def nothing(name: str) -> None:
    """No fault."""


@dataclass(slots=True)
class FakeRoute:
    """``spec`` is what finds it. ``sticky_targets`` are target groups whose own stickiness is on."""

    arn: str
    spec: RouteSpec
    actions: list[Action]
    url: str | None = None
    sticky_targets: frozenset[str] = frozenset()


def forward_to(weights: Mapping[str, int], *, sticky: int | None = None) -> Action:
    """A forward action with these weights by target group ARN; ``sticky`` in seconds."""
    config: dict[str, object] = {
        "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()],
        "TargetGroupStickinessConfig": (
            {"Enabled": False} if sticky is None else {"Enabled": True, "DurationSeconds": sticky}
        ),
    }
    return {"Type": "forward", "ForwardConfig": config}


@dataclass(slots=True)
class FakeRouter:
    """``before_call`` raises before an effect, ``after_call`` after it (a crash, a timeout that took effect).

    ``calls`` names every call; ``writes`` keeps what each modify wrote. ``stale_reads`` next reads answer the
    actions from before the last write.
    """

    routes: dict[str, FakeRoute] = field(default_factory=dict)
    before_call: OnCall = nothing
    after_call: OnCall = nothing
    clock: Clock = field(default_factory=FakeClock)
    stale_reads: int = 0
    calls: list[str] = field(default_factory=list)
    writes: list[tuple[str, list[Action]]] = field(default_factory=list)
    groups: dict[str, tuple[dict[str, str], dict[str, str]]] = field(default_factory=dict)
    removed_groups: set[str] = field(default_factory=set)
    _previous: dict[str, list[Action]] = field(default_factory=dict)

    def add(self, spec: RouteSpec, weights: Mapping[str, int], *, arn: str = "", url: str | None = None) -> FakeRoute:
        """A route that forwards with these weights, by target group ARN."""
        return self.add_actions(spec, [forward_to(weights)], arn=arn, url=url)

    def add_actions(
        self, spec: RouteSpec, actions: list[Action], *, arn: str = "", url: str | None = None
    ) -> FakeRoute:
        arn = arn or spec.arn or f"arn:aws:elasticloadbalancing:fake:{_kind(spec)}/{len(self.routes) + 1}"
        self.routes[arn] = FakeRoute(arn, spec, copy.deepcopy(actions), url)
        return self.routes[arn]

    def set_weights(self, arn: str, weights: Mapping[str, int]) -> None:
        """Someone else writes."""
        self.routes[arn].actions = [*self.routes[arn].actions[:-1], forward_to(weights)]

    def attached(self, target_group_arn: str) -> bool:
        """True when a route forwards to it, at any weight: without one, targets are ``unused``."""
        return any(target_group_arn in target_groups(route.actions) for route in self.routes.values())

    def resolve(self, spec: RouteSpec, slots: tuple[Slot, Slot]) -> Route:
        self._called("router.resolve")
        found = [route for route in self.routes.values() if _names(spec, route)]
        if len(found) != 1:
            kind = RefusedError if found else NotThereError
            raise kind(f"{len(found)} routes match {spec}; there are {sorted(self.routes)}")
        route = found[0]
        groups = target_groups(route.actions)
        if groups and not {slot.target_group_arn for slot in slots} & set(groups):
            raise NotThereError(f"{route.arn} forwards to neither slot: {groups}")
        self.after_call("router.resolve")
        live = live_route(route.actions, *slots, place=route.arn)
        name = f"{route.spec.load_balancer or route.arn}:{route.spec.port} {route.spec.rule or ''}".strip()
        return Route(
            name=name,
            arn=route.arn,
            kind=_kind(route.spec),
            load_balancer=route.spec.load_balancer or "",
            url=route.url,
            before=live.actions,
            shape=live.shape,
        )

    def read(self, route: Route, blue: Slot, green: Slot) -> LiveRoute:
        return read_split(self, route, blue, green)

    def settings(self, slots: tuple[Slot, Slot]) -> tuple[GroupSettings, GroupSettings]:
        self._called("router.settings")
        first, second = (self._settings(slot) for slot in slots)
        self.after_call("router.settings")
        return first, second

    def set_group(self, slot: Slot, health_check: Mapping[str, str], attributes: Mapping[str, str]) -> None:
        """Someone changes a target group."""
        self.groups[slot.target_group_arn] = (dict(health_check), dict(attributes))

    def _settings(self, slot: Slot) -> GroupSettings:
        if slot.target_group_arn in self.removed_groups:
            raise NotFoundError(f"target group {slot.target_group_arn} does not exist")
        health_check, attributes = self.groups.get(slot.target_group_arn, ({}, {}))
        return GroupSettings(slot.name, slot.target_group_arn, dict(health_check), dict(attributes))

    def shift(
        self,
        route: Route,
        blue: Slot,
        green: Slot,
        desired: Split,
        fence: Fence,
        *,
        insist: bool = False,
        inspect: Inspect = accept,
    ) -> LiveRoute:
        return shift_split(
            self, route, blue, green, desired, fence=fence, clock=self.clock, insist=insist, inspect=inspect
        )

    def fetch(self, route: Route) -> list[Action]:
        self._called("router.describe")
        actions = self._live(route).actions
        if self.stale_reads and route.arn in self._previous:
            self.stale_reads -= 1
            actions = self._previous[route.arn]
        answer = copy.deepcopy(actions)
        self.after_call("router.describe")
        return answer

    def replace(self, route: Route, actions: list[Action]) -> None:
        self._called("router.modify")
        live = self._live(route)
        _refuse_stickiness(live, actions)
        self._previous[route.arn] = live.actions
        live.actions = copy.deepcopy(actions)
        self.writes.append((route.arn, copy.deepcopy(actions)))
        self.after_call("router.modify")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.before_call(name)

    def _live(self, route: Route) -> FakeRoute:
        if route.arn not in self.routes:
            raise NotFoundError(f"{route.kind} {route.arn} does not exist")
        return self.routes[route.arn]


def _kind(spec: RouteSpec) -> str:
    return "rule" if spec.rule is not None or ":listener-rule/" in (spec.arn or "") else "listener"


def _names(spec: RouteSpec, route: FakeRoute) -> bool:
    return spec.arn == route.arn if spec.arn else spec == route.spec


def _refuse_stickiness(route: FakeRoute, actions: list[Action]) -> None:
    """As ELBv2 does: a sticky target group among several needs the forward's own stickiness."""
    groups = set(target_groups(actions))
    config = actions[-1].get("ForwardConfig", {}).get("TargetGroupStickinessConfig") or {}
    if len(groups) > 1 and groups & route.sticky_targets and not config.get("Enabled"):
        raise RefusedError(f"{route.arn}: a sticky target group needs stickiness on the forward")
