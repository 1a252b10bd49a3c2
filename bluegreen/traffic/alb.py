"""Weighted target groups of an Elastic Load Balancing listener or rule.

A read is one call (DescribeListeners or DescribeRules, by ARN). A shift is three: describe, modify, describe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from bluegreen.aws.clients import Clients
from bluegreen.clock import Clock, SystemClock
from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import GroupSettings, LiveRoute
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import Split
from bluegreen.errors import AwsError, NotFoundError, NotThereError, RefusedError
from bluegreen.traffic.actions import Action, live_route, target_groups
from bluegreen.traffic.base import Fence, Inspect, accept
from bluegreen.traffic.conditions import describe, matches, wanted_conditions
from bluegreen.traffic.shifting import read_split, shift_split

Facts = dict[str, Any]

REFUSALS = frozenset(
    {
        "InvalidConfigurationRequest",
        "InvalidLoadBalancerAction",
        "IncompatibleProtocols",
        "TargetGroupAssociationLimit",
        "TooManyActions",
        "TooManyTargets",
        "TooManyUniqueTargetGroupsPerLoadBalancer",
        "UnsupportedProtocol",
        "ValidationError",
    }
)
"""Codes with which ELBv2 refuses an action list and changes nothing (elbv2 API, ModifyRule, ModifyListener)."""


HEALTH_CHECK = (
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
)
"""What ModifyTargetGroup can change, besides the matcher (elbv2 API)."""


class AlbRouter:
    """``sandbox_ports``: which port a sandbox serves each listener's port on. They change no URL of AWS's own."""

    def __init__(
        self, clients: Clients, clock: Clock | None = None, sandbox_ports: Mapping[int, int] | None = None
    ) -> None:
        self._clients = clients
        self._clock = clock or SystemClock()
        self._sandbox_ports = sandbox_ports or {}

    def resolve(self, spec: RouteSpec, slots: tuple[Slot, Slot]) -> Route:
        """Three or four reads; two more when the slots share no forward yet, to see whether one is sticky."""
        found = self._by_arn(spec) if spec.arn else self._by_name(spec)
        self._refuse_foreign(found, slots)
        first, second = slots
        live = live_route(found.actions, first, second, place=found.name)
        if len(live.attached) < 2 and live.sticky is None:
            self._refuse_sticky(found, slots)
        return Route(
            name=found.name,
            arn=found.arn,
            kind=found.kind,
            load_balancer=found.load_balancer["LoadBalancerName"],
            url=found.url(self._sandbox_ports),
            before=live.actions,
            shape=live.shape,
        )

    def read(self, route: Route, blue: Slot, green: Slot) -> LiveRoute:
        return read_split(_LiveActions(self._clients), route, blue, green)

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
        store = _LiveActions(self._clients)
        return shift_split(
            store,
            route,
            blue,
            green,
            desired,
            fence=fence,
            clock=self._clock,
            insist=insist,
            inspect=inspect,
            write_pauses=self._clients.calls.write_pauses,
        )

    def settings(self, slots: tuple[Slot, Slot]) -> tuple[GroupSettings, GroupSettings]:
        """Three calls: the groups in one, and the attributes of each."""
        arns = list(dict.fromkeys(slot.target_group_arn for slot in slots))
        answer = self._clients.read(self._clients.elbv2.describe_target_groups, TargetGroupArns=arns)
        found = {group["TargetGroupArn"]: cast(Facts, group) for group in answer["TargetGroups"]}
        first, second = (
            GroupSettings(
                slot.name,
                slot.target_group_arn,
                health_check_of(found[slot.target_group_arn]),
                self._attributes(slot),
            )
            for slot in slots
        )
        return first, second

    def _attributes(self, slot: Slot) -> dict[str, str]:
        method = self._clients.elbv2.describe_target_group_attributes
        answer = self._clients.read(method, TargetGroupArn=slot.target_group_arn)
        return {str(item.get("Key")): str(item.get("Value")) for item in answer["Attributes"]}

    def _by_arn(self, spec: RouteSpec) -> _Found:
        arn = spec.arn or ""
        rule = self._rule(arn) if _is_rule(arn) else None
        listener = self._listener(_listener_of(arn))
        balancer = self._balancer(LoadBalancerArns=[listener["LoadBalancerArn"]])
        if rule is None and spec.rule:
            rule = self._rule_of(listener, spec.rule)
        return _Found(balancer, listener, rule)

    def _by_name(self, spec: RouteSpec) -> _Found:
        balancer = self._balancer(Names=[spec.load_balancer or ""])
        listener = self._listener_on(balancer, spec.port)
        return _Found(balancer, listener, self._rule_of(listener, spec.rule) if spec.rule else None)

    def _balancer(self, **by: Any) -> Facts:
        try:
            answer = self._clients.read(self._clients.elbv2.describe_load_balancers, **by)
        except NotFoundError as error:
            self._refuse_missing_balancer(by, error)
        return cast(Facts, answer["LoadBalancers"][0])

    def _refuse_missing_balancer(self, by: Facts, error: NotFoundError) -> NoReturn:
        wanted = next(iter(by.values()))[0]
        answer = self._clients.read(self._clients.elbv2.describe_load_balancers)
        names = sorted(balancer["LoadBalancerName"] for balancer in answer["LoadBalancers"])
        raise NotThereError(
            f"no load balancer {wanted} in {self._clients.region}; there are: {', '.join(names) or 'none'}",
            hint="correct load_balancer in the configuration, or the region",
        ) from error

    def _rule(self, arn: str) -> Facts:
        try:
            return _rule(self._clients, arn)
        except NotFoundError as error:
            raise NotThereError(f"rule {arn} does not exist", hint="aws elbv2 describe-rules") from error

    def _listener(self, arn: str) -> Facts:
        try:
            return _listener(self._clients, arn)
        except NotFoundError as error:
            raise NotThereError(f"listener {arn} does not exist", hint="aws elbv2 describe-listeners") from error

    def _listener_on(self, balancer: Facts, port: int | None) -> Facts:
        arn = balancer["LoadBalancerArn"]
        answer = self._clients.read(self._clients.elbv2.describe_listeners, LoadBalancerArn=arn, PageSize=400)
        listeners = cast(list[Facts], answer["Listeners"])
        found = [listener for listener in listeners if port in (None, listener["Port"])]
        if len(found) == 1:
            return found[0]
        ports = ", ".join(f"{listener['Port']} ({listener.get('Protocol', '?')})" for listener in listeners)
        wanted = "one listener" if port is None else f"a listener on port {port}"
        raise (RefusedError if found else NotThereError)(
            f"load balancer {balancer['LoadBalancerName']} does not have {wanted}; there are: {ports or 'none'}",
            hint="correct port in the configuration, or make the listener",
        )

    def _rule_of(self, listener: Facts, wanted: dict[str, object]) -> Facts:
        wanted_conditions(wanted)
        rules = self._rules(listener["ListenerArn"])
        found = [rule for rule in rules if matches(wanted, rule)]
        if len(found) == 1:
            return found[0]
        listed = "; ".join(f"{rule['Priority']}: {describe(rule)}" for rule in (found or rules))
        count = f"{len(found)} rules" if found else "no rule"
        raise (RefusedError if found else NotThereError)(
            f"{count} of the listener on port {listener['Port']} match {wanted}; "
            f"{'they' if found else 'there'} are: {listed or 'none'}",
            hint="give every condition of the rule, or its priority, or its arn",
        )

    def _rules(self, listener_arn: str) -> list[Facts]:
        pages = self._clients.read(self._clients.elbv2.describe_rules, ListenerArn=listener_arn, PageSize=400)
        return [cast(Facts, rule) for rule in pages["Rules"] if not rule.get("IsDefault")]

    def _refuse_foreign(self, found: _Found, slots: tuple[Slot, Slot]) -> None:
        groups = target_groups(found.actions)
        if not groups or {slot.target_group_arn for slot in slots} & set(groups):
            return
        names = ", ".join(arn.split("/")[1] if "/" in arn else arn for arn in groups)
        raise NotThereError(
            f"{found.name} forwards to neither {slots[0].name} nor {slots[1].name}; it forwards to: {names}",
            hint="forward it to the slot that serves now, once, by hand or by template",
        )

    def _refuse_sticky(self, found: _Found, slots: tuple[Slot, Slot]) -> None:
        for slot in slots:
            if self._attributes(slot).get("stickiness.enabled") == "true":
                raise RefusedError(
                    f"target group {slot.name} is sticky, but the forward of {found.name} is not: "
                    "AWS refuses weights for them",
                    hint="turn on group stickiness in the forward, or the target group's stickiness off",
                )


def health_check_of(group: Facts) -> dict[str, str]:
    """A target group's health check as ModifyTargetGroup takes it, each value as text; what is not set is left out."""
    kept = {key: group.get(key) for key in HEALTH_CHECK}
    matcher = {f"Matcher.{key}": value for key, value in (group.get("Matcher") or {}).items()}
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in (kept | matcher).items()
        if value not in (None, "")
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """What a specification named. ``rule`` is None for a listener's default action."""

    load_balancer: Facts
    listener: Facts
    rule: Facts | None

    @property
    def kind(self) -> str:
        return "listener" if self.rule is None else "rule"

    @property
    def arn(self) -> str:
        return str(self.listener["ListenerArn"] if self.rule is None else self.rule["RuleArn"])

    @property
    def actions(self) -> Sequence[Action]:
        return list(self.listener["DefaultActions"] if self.rule is None else self.rule["Actions"])

    @property
    def name(self) -> str:
        listener = f"{self.load_balancer['LoadBalancerName']}:{self.listener['Port']}"
        return listener if self.rule is None else f"{listener} {describe(self.rule)}"

    def url(self, sandbox_ports: Mapping[int, int]) -> str:
        host, port = self.load_balancer["DNSName"], self.listener["Port"]
        # Only a sandbox's load balancer is named by such an address. It needs no root, and speaks no TLS.
        if host.startswith("127.") and port in sandbox_ports:
            return f"http://{host}:{sandbox_ports[port]}"
        scheme = "https" if self.listener.get("Protocol") in ("HTTPS", "TLS") else "http"
        return f"{scheme}://{host}:{port}"


class _LiveActions:
    """The action lists as AWS holds them now."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def fetch(self, route: Route) -> list[Action]:
        if route.kind == "rule":
            return cast(list[Action], _rule(self._clients, route.arn)["Actions"])
        return cast(list[Action], _listener(self._clients, route.arn)["DefaultActions"])

    def replace(self, route: Route, actions: list[Action]) -> None:
        elbv2, wanted = self._clients.elbv2, cast(Any, actions)
        try:
            if route.kind == "rule":
                self._clients.write(elbv2.modify_rule, RuleArn=route.arn, Actions=wanted)
            else:
                self._clients.write(elbv2.modify_listener, ListenerArn=route.arn, DefaultActions=wanted)
        except AwsError as error:
            if error.code not in REFUSALS:
                raise
            raise RefusedError(f"{route.name} was left as it is. {error.message}", hint=_way_to_see(route)) from error


def _way_to_see(route: Route) -> str:
    kinds = {"rule": "describe-rules --rule-arns", "listener": "describe-listeners --listener-arns"}
    return f"aws elbv2 {kinds[route.kind]} {route.arn} shows what is there"


def _rule(clients: Clients, arn: str) -> Facts:
    answer = clients.read(clients.elbv2.describe_rules, RuleArns=[arn])
    return _the_one(answer["Rules"], f"rule {arn}")


def _listener(clients: Clients, arn: str) -> Facts:
    answer = clients.read(clients.elbv2.describe_listeners, ListenerArns=[arn])
    return _the_one(answer["Listeners"], f"listener {arn}")


def _the_one(found: Sequence[Any], what: str) -> Facts:
    if not found:
        raise NotFoundError(f"{what} does not exist")
    return cast(Facts, found[0])


def _is_rule(arn: str) -> bool:
    return ":listener-rule/" in arn


def _listener_of(arn: str) -> str:
    """A rule's ARN is its listener's with another word and one more part."""
    return arn.replace(":listener-rule/", ":listener/").rpartition("/")[0] if _is_rule(arn) else arn
