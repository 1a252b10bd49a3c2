"""Elastic Load Balancing v2: the rules the emulator does not keep, and health as the proxy sees it.

Corrected here: forward actions in AWS's own form (a lone target group is both TargetGroupArn and ForwardConfig),
weights 0 to 999, at most five target groups, unknown ones refused, group stickiness, one closing action,
`authenticate-oidc` without its secret, the default rule, duplicate listeners, which load balancer a target group is
used by, and DescribeTargetHealth. Sources: the elbv2 API reference and its service model in botocore.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2 import urls
from moto.elbv2.exceptions import (
    ActionTargetGroupNotFoundError,
    DuplicateListenerError,
    ELBClientError,
    RuleNotFoundError,
    TargetGroupNotFoundError,
)
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeListener, FakeListenerRule, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from bluegreen.sandbox.base import Balancer, TargetState

_CLOSING = {"forward", "redirect", "fixed-response"}
_MOST_GROUPS = 5
_MOST_WEIGHT = 999
_MOST_RULES = 100
_LONGEST_DELAY = 3600
_DELAY = "deregistration_delay.timeout_seconds"


class Elbv2Backend(ELBv2Backend):
    """The emulator's ELBv2 with AWS's rules for actions."""

    @property
    def _url_module(self) -> Any:
        # The emulator looks for the module beside the class, and ours is not beside its own.
        return urls

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        # Kept apart from the actions, so that no answer can show one: issuer and client → secret.
        self._client_secrets: dict[tuple[str, str], str] = {}

    def create_listener(self, load_balancer_arn: str, *args: Any, **kwargs: Any) -> FakeListener:
        given = dict(zip(("protocol", "port", "ssl_policy", "certificate", "actions"), args, strict=False)) | kwargs
        given["port"] = int(given["port"]) if given.get("port") is not None else None
        given["actions"] = self.settled(given.get("actions") or [], load_balancer_arn)
        if given.get("protocol") not in {"HTTPS", "TLS"}:
            given["ssl_policy"] = None
        self._refuse_taken_port(load_balancer_arn, given["port"])
        listener = super().create_listener(load_balancer_arn, **given)
        self._follow_use()
        return listener

    def modify_listener(self, arn: str, *args: Any, **kwargs: Any) -> FakeListener:
        given = dict(zip(("port", "protocol", "ssl_policy", "certificates", "actions"), args, strict=False)) | kwargs
        listener: Any = self.describe_listeners(None, [arn])[0]
        if given.get("port") is not None and int(given["port"]) != listener.port:
            given["port"] = int(given["port"])
            self._refuse_taken_port(listener.load_balancer_arn, given["port"])
        given["actions"] = self.settled(given.get("actions") or [], listener.load_balancer_arn)
        given["certificates"] = given.get("certificates") or []
        changed = super().modify_listener(arn, **given)
        self._follow_use()
        return changed

    def create_rule(
        self,
        listener_arn: str,
        conditions: list[dict[str, Any]],
        priority: int,
        actions: list[dict[str, Any]],
        tags: list[dict[str, str]] | None = None,
    ) -> FakeListenerRule:
        listener = self.describe_listeners(None, [listener_arn])[0]
        balancer = self.load_balancers[listener.load_balancer_arn]
        if sum(len(item._non_default_rules) for item in balancer.listeners.values()) >= _MOST_RULES:
            raise ELBClientError("TooManyRules", "The quota for the number of rules has been reached")
        settled = self.settled(actions, listener.load_balancer_arn)
        rule = super().create_rule(listener_arn, conditions, int(priority), settled, tags)
        self._follow_use()
        return rule

    def modify_rule(self, rule_arn: str, conditions: list[dict[str, Any]], actions: list[dict[str, Any]]) -> Any:
        rule = self.describe_rules(None, [rule_arn])[0]
        if rule.is_default:
            raise ELBClientError("OperationNotPermitted", f"Default rule '{rule_arn}' cannot be modified")
        listener = self.describe_listeners(None, [rule.listener_arn])[0]
        changed = super().modify_rule(rule_arn, conditions or [], self.settled(actions, listener.load_balancer_arn))
        self._follow_use()
        return changed

    def delete_rule(self, arn: str) -> None:
        rule = self.describe_rules(None, [arn])[0]
        if rule.is_default:
            raise ELBClientError("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
        super().delete_rule(arn)
        self._follow_use()

    def describe_rules(self, listener_arn: str | None, rule_arns: list[str] | None) -> list[Any]:
        rules = super().describe_rules(listener_arn, rule_arns)
        if rule_arns and not rules:
            raise RuleNotFoundError()
        return sorted(rules, key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)))

    def set_rule_priorities(self, rule_priorities: list[dict[str, Any]]) -> list[Any]:
        """Two rules may change places: those that move too do not stand in each other's way."""
        moving = self.describe_rules(None, [item["RuleArn"] for item in rule_priorities])
        before = [(rule, rule.priority) for rule in moving]
        for place, rule in enumerate(moving, start=1):
            rule.priority = -place
        try:
            return super().set_rule_priorities(rule_priorities)
        except ELBClientError:
            for rule, priority in before:
                rule.priority = priority
            raise

    def delete_listener(self, listener_arn: str) -> FakeListener:
        listener = super().delete_listener(listener_arn)
        self._follow_use()
        return listener

    def delete_load_balancer(self, arn: str) -> None:
        super().delete_load_balancer(arn)
        self._follow_use()

    def modify_target_group_attributes(self, target_group_arn: str, attributes: dict[str, Any]) -> None:
        # The emulator's range ends one second early.
        if str(attributes.get(_DELAY)) == str(_LONGEST_DELAY):
            rest = {key: value for key, value in attributes.items() if key != _DELAY}
            super().modify_target_group_attributes(target_group_arn, rest)
            self.target_groups[target_group_arn].attributes[_DELAY] = str(_LONGEST_DELAY)
        else:
            super().modify_target_group_attributes(target_group_arn, attributes)

    def settled(self, actions: Sequence[dict[str, Any]], load_balancer_arn: str) -> list[dict[str, Any]]:
        """``actions`` as AWS keeps them, or the error AWS answers. Empty stays empty (nothing is changed)."""
        if not actions:
            return []
        _refuse_bad_order(actions)
        kept = []
        for action in actions:
            if action.get("Type") == "forward":
                action = self._forward(action, load_balancer_arn)
            elif action.get("Type") == "authenticate-oidc":
                action = self._without_secret(action)
            kept.append({**action, "Order": int(action["Order"])} if action.get("Order") is not None else action)
        return kept

    # -- private

    def _forward(self, action: dict[str, Any], load_balancer_arn: str) -> dict[str, Any]:
        config = action.get("ForwardConfig") or {}
        given = config.get("TargetGroups") or [{"TargetGroupArn": action.get("TargetGroupArn")}]
        groups = [
            {"TargetGroupArn": item.get("TargetGroupArn"), "Weight": int(item.get("Weight", 1))} for item in given
        ]
        self._check_groups(groups, load_balancer_arn)
        stickiness = _stickiness(config.get("TargetGroupStickinessConfig") or {})
        self._check_stickiness(groups, stickiness)
        whole = {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness},
        }
        if len(groups) == 1:
            whole["TargetGroupArn"] = groups[0]["TargetGroupArn"]
        if action.get("Order") is not None:
            whole["Order"] = action["Order"]
        return whole

    def _check_groups(self, groups: Sequence[dict[str, Any]], load_balancer_arn: str) -> None:
        if len(groups) > _MOST_GROUPS:
            raise ELBClientError("TooManyTargetGroups", f"A forward action takes at most {_MOST_GROUPS} target groups")
        arns = [item["TargetGroupArn"] for item in groups]
        if len(set(arns)) != len(arns):
            raise ELBClientError("ValidationError", "A target group is named more than once in a forward action")
        for item in groups:
            arn, weight = item["TargetGroupArn"], item["Weight"]
            if not 0 <= weight <= _MOST_WEIGHT:
                raise ELBClientError("ValidationError", f"Weight '{weight}' must be between 0 and {_MOST_WEIGHT}")
            if arn not in self.target_groups:
                raise ActionTargetGroupNotFoundError(arn)
            if set(self.target_groups[arn].load_balancer_arns) - {load_balancer_arn}:
                raise ELBClientError(
                    "TargetGroupAssociationLimit",
                    f"The following target groups cannot be associated with more than one load balancer: {arn}",
                )

    def _check_stickiness(self, groups: Sequence[dict[str, Any]], stickiness: dict[str, Any]) -> None:
        if stickiness["Enabled"] or len(groups) < 2:
            return
        sticky = [item["TargetGroupArn"] for item in groups if self._is_sticky(item["TargetGroupArn"])]
        if sticky:
            raise ELBClientError(
                "InvalidConfigurationRequest",
                "You must enable group stickiness on a rule if you enabled target stickiness on one of its"
                f" target groups: {', '.join(sticky)}",
            )

    def _is_sticky(self, arn: str) -> bool:
        return str(self.target_groups[arn].attributes.get("stickiness.enabled")).lower() == "true"

    def _without_secret(self, action: dict[str, Any]) -> dict[str, Any]:
        config = dict(action.get("AuthenticateOidcConfig") or {})
        who = (str(config.get("Issuer")), str(config.get("ClientId")))
        secret = config.pop("ClientSecret", None)
        existing = str(config.pop("UseExistingClientSecret", False)).lower() == "true"
        if secret is None and not existing:
            raise ELBClientError("ValidationError", "ClientSecret is required unless UseExistingClientSecret is true")
        if existing and who not in self._client_secrets:
            raise ELBClientError("ValidationError", "UseExistingClientSecret is true, and no client secret is known")
        if secret is not None:
            self._client_secrets[who] = secret
        return {**action, "AuthenticateOidcConfig": config}

    def _refuse_taken_port(self, load_balancer_arn: str, port: int | None) -> None:
        balancer: Any = self.load_balancers.get(load_balancer_arn)
        if balancer and port is not None and any(item.port == port for item in balancer.listeners.values()):
            raise DuplicateListenerError()

    def _follow_use(self) -> None:
        """A target group belongs to the load balancers whose rules name it now."""
        used: dict[str, list[str]] = {arn: [] for arn in self.target_groups}
        for balancer in self.load_balancers.values():
            for listener in balancer.listeners.values():
                for action in [action for rule in listener.rules.values() for action in rule.actions]:
                    for arn in self._get_target_group_arns_from(action.data):
                        if balancer.arn not in used.setdefault(arn, []):
                            used[arn].append(balancer.arn)
        for arn, group in self.target_groups.items():
            group.load_balancer_arns = used[arn]


class Elbv2Response(ELBV2Response):
    """The emulator's answers; health is what the proxy's checks saw."""

    def __init__(self, balancer: Balancer) -> None:
        super().__init__()
        self._balancer = balancer

    def describe_target_health(self) -> ActionResult:
        arn = self._get_param("TargetGroupArn")
        group = self.elbv2_backend.target_groups.get(arn)
        if group is None:
            raise TargetGroupNotFoundError()
        seen = {(state.address, state.port): state for state in self._balancer.target_health(arn)}
        wanted = self._get_param("Targets", [])
        if wanted:
            keys = [(item["Id"], int(item.get("Port") or group.port)) for item in wanted]
            states = [seen.get(key) or _not_registered(*key) for key in keys]
        else:
            states = list(seen.values())
        return ActionResult({"TargetHealthDescriptions": [_health(group, state) for state in states]})

    def modify_target_group_attributes(self) -> ActionResult:
        super().modify_target_group_attributes()
        group = self.elbv2_backend.target_groups[self._get_param("TargetGroupArn")]
        return ActionResult({"Attributes": group.attributes})


def _refuse_bad_order(actions: Sequence[dict[str, Any]]) -> None:
    if all(action.get("Order") is not None for action in actions):
        actions = sorted(actions, key=lambda action: int(action["Order"]))
    kinds = [str(action.get("Type")) for action in actions]
    closing = [kind for kind in kinds if kind in _CLOSING]
    if len(closing) != 1 or kinds[-1] not in _CLOSING:
        raise ELBClientError(
            "InvalidLoadBalancerAction",
            "Exactly one forward, redirect or fixed-response action is required, and it must be performed last",
        )


def _stickiness(config: dict[str, Any]) -> dict[str, Any]:
    enabled = str(config.get("Enabled", False)).lower() == "true"
    if not enabled:
        return {"Enabled": False}
    seconds = config.get("DurationSeconds")
    if seconds is None or not 1 <= int(seconds) <= 604800:
        raise ELBClientError("ValidationError", "Target group stickiness duration must be between 1 and 604800 seconds")
    return {"Enabled": True, "DurationSeconds": int(seconds)}


def _not_registered(address: str, port: int) -> TargetState:
    reason = "Target.NotRegistered"
    return TargetState(address, port, "unused", reason, "Target is not registered to the target group")


def _health(group: FakeTargetGroup, state: TargetState) -> Any:
    checked = group.health_check_port
    checked = str(state.port) if checked in {None, "traffic-port"} else checked
    port: Any = state.port  # the emulator's type says text, AWS's model says number
    return FakeHealthStatus(state.address, port, checked, state.state, state.reason, state.description)
