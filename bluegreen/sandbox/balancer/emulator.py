"""Reads moto's in-process ELBv2 backend. The only module that knows how the emulator keeps its state."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from moto.backends import get_backend

from bluegreen.sandbox.balancer.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Redirect,
    Rule,
    Snapshot,
    Target,
    TargetGroup,
    Weighted,
)
from bluegreen.sandbox.base import ACCOUNT

INTERVAL_TAG = "bluegreen:sandbox-interval"
_VALUES_KEY = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}
_NO_ACTION = FixedResponse(503)


def read_snapshot(region: str) -> Snapshot:
    """Application load balancers, and target groups for HTTP; of their targets those that are IP addresses.

    Raises RuntimeError when another thread changed the backend while it was read: read again."""
    backend = get_backend("elbv2")[ACCOUNT][region]
    return Snapshot(
        load_balancers=tuple(
            _load_balancer(each) for each in list(backend.load_balancers.values()) if each.type == "application"
        ),
        target_groups=tuple(
            _target_group(backend, each)
            for each in list(backend.target_groups.values())
            if each.protocol in ("HTTP", "HTTPS")
        ),
    )


def name_by_address(region: str, arn: str, address: str) -> None:
    """DescribeLoadBalancers answers a DNSName that leads somewhere: the address the load balancer listens on."""
    balancer = get_backend("elbv2")[ACCOUNT][region].load_balancers.get(arn)
    if balancer is not None:
        balancer.dns_name = address


def _load_balancer(raw: Any) -> LoadBalancer:
    return LoadBalancer(
        arn=raw.arn,
        name=raw.name,
        listeners=tuple(_listener(each) for each in list(raw.listeners.values())),
        idle_timeout=float(raw.attrs.get("idle_timeout.timeout_seconds", 60)),
    )


def _listener(raw: Any) -> Listener:
    rules = list(raw.rules.values())
    ordered = sorted((each for each in rules if each.priority != "default"), key=lambda each: int(each.priority))
    default = [each for each in rules if each.priority == "default"]
    return Listener(
        arn=raw.arn,
        port=int(raw.port),
        protocol=str(raw.protocol or "HTTP"),
        rules=tuple(_rule(each) for each in (*ordered, *default)),
    )


def _rule(raw: Any) -> Rule:
    return Rule(
        arn=raw.arn,
        action=_routing_action(raw.actions),
        conditions=tuple(_condition(each) for each in raw.conditions or ()),
    )


def _routing_action(actions: Iterable[Any]) -> Action:
    """The one forward, redirect or fixed-response; authenticate-* before it are passed over."""
    for action in actions:
        data = action.data if hasattr(action, "data") else action
        if data.get("Type") in _ACTIONS:
            return _ACTIONS[data["Type"]](data)
    return _NO_ACTION


def _forward(data: Mapping[str, Any]) -> Action:
    config = data.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or [{"TargetGroupArn": data["TargetGroupArn"], "Weight": 1}]
    sticky = config.get("TargetGroupStickinessConfig") or {}
    weighted = tuple(Weighted(each["TargetGroupArn"], int(each.get("Weight", 1))) for each in groups)
    return Forward(weighted, int(sticky.get("DurationSeconds") or 3600) if _true(sticky.get("Enabled")) else None)


def _fixed_response(data: Mapping[str, Any]) -> Action:
    config = data["FixedResponseConfig"]
    return FixedResponse(
        status=int(config["StatusCode"]),
        content_type=config.get("ContentType") or "text/plain",
        body=config.get("MessageBody") or "",
    )


def _redirect(data: Mapping[str, Any]) -> Action:
    config = data["RedirectConfig"]
    named = {key.lower(): str(config[key]) for key in ("Protocol", "Host", "Port", "Path", "Query") if key in config}
    return Redirect(status=int(str(config["StatusCode"]).removeprefix("HTTP_")), **named)


_ACTIONS = {"forward": _forward, "fixed-response": _fixed_response, "redirect": _redirect}


def _condition(raw: Mapping[str, Any]) -> Condition:
    field = raw["Field"]
    if field == "query-string":
        pairs = raw["QueryStringConfig"]["Values"]
        return Condition(field, pairs=tuple((each.get("Key"), each["Value"]) for each in pairs))
    config = raw.get(_VALUES_KEY[field]) or {}
    values = config.get("Values") or raw.get("Values") or ()
    return Condition(field, tuple(str(each) for each in values), name=config.get("HttpHeaderName"))


def _target_group(backend: Any, raw: Any) -> TargetGroup:
    attributes = raw.attributes
    sticky = _true(attributes.get("stickiness.enabled")) and attributes.get("stickiness.type") == "lb_cookie"
    return TargetGroup(
        arn=raw.arn,
        name=raw.name,
        targets=tuple(
            Target(each["Id"], int(each["Port"])) for each in list(raw.targets.values()) if _is_address(each["Id"])
        ),
        check=_health_check(raw, backend.tagging_service.get_tag_dict_for_resource(raw.arn)),
        protocol=raw.protocol or "HTTP",
        protocol_version=raw.protocol_version or "HTTP1",
        algorithm=str(attributes.get("load_balancing.algorithm.type", "round_robin")),
        deregistration_delay=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        cookie_seconds=int(attributes.get("stickiness.lb_cookie.duration_seconds", 86400)) if sticky else None,
    )


def _health_check(raw: Any, tags: Mapping[str, str]) -> HealthCheck:
    interval = float(tags.get(INTERVAL_TAG) or raw.health_check_interval_seconds)
    timeout = float(raw.health_check_timeout_seconds)
    port = raw.health_check_port
    return HealthCheck(
        protocol=raw.health_check_protocol or "HTTP",
        path=raw.health_check_path or "/",
        port=None if port in (None, "traffic-port") else int(port),
        interval=interval,
        # AWS keeps the timeout below the interval; a quick interval on a busy machine still gets a second.
        timeout=min(timeout, max(1.0, interval)) if INTERVAL_TAG in tags else timeout,
        healthy_threshold=int(raw.healthy_threshold_count),
        unhealthy_threshold=int(raw.unhealthy_threshold_count),
        matcher=str((getattr(raw, "matcher", None) or {}).get("HttpCode") or "200"),
        enabled=_true(raw.health_check_enabled),
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _true(value: object) -> bool:
    return str(value).lower() == "true"
