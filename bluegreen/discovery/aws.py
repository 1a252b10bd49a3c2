"""The live world as AWS answers it: Describe and List calls alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from bluegreen.aws.clients import Clients
from bluegreen.compute.fitness import target_groups_of, unfit
from bluegreen.discovery.base import AlarmFacts, BalancerFacts, GroupFacts, RouteFacts, ServiceFacts
from bluegreen.together import Together, one_by_one
from bluegreen.traffic.actions import target_groups, weights_of
from bluegreen.traffic.conditions import as_configured, describe

Facts = dict[str, Any]
T = TypeVar("T")

SERVICES_A_CALL = 10
"""DescribeServices takes no more (ecs API)."""

CALLS_AT_ONCE = 5

_CHILD = re.compile(r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"([^\"]+)\"|'([^']+)'|([^\s()\"']+))\s*\)")


class AwsSource:
    def __init__(self, clients: Clients, together: Together = one_by_one) -> None:
        self._clients = clients
        self._together = together

    @property
    def region(self) -> str:
        return self._clients.region

    def clusters(self) -> Sequence[str]:
        pages = self._pages(self._clients.ecs.list_clusters, "nextToken", "nextToken")
        return [arn.rsplit("/", 1)[-1] for page in pages for arn in page["clusterArns"]]

    def services(self, cluster: str) -> Sequence[ServiceFacts]:
        """One call for a hundred services, and one for ten of them."""
        pages = self._pages(self._clients.ecs.list_services, "nextToken", "nextToken", cluster=cluster, maxResults=100)
        arns = [str(arn) for page in pages for arn in page["serviceArns"]]
        described: dict[str, list[Facts]] = {}
        parts = [partial(self._describe, cluster, chunk, described) for chunk in _chunks(arns, SERVICES_A_CALL)]
        for some in _chunks(parts, CALLS_AT_ONCE):
            self._together(some)
        return [_service(each) for first in sorted(described) for each in described[first]]

    def groups(self, arns: Sequence[str]) -> Sequence[GroupFacts]:
        answer = self._clients.read(self._clients.elbv2.describe_target_groups, TargetGroupArns=list(arns))
        return [_group(cast(Facts, group)) for group in answer["TargetGroups"]]

    def balancers(self, arns: Sequence[str]) -> Sequence[BalancerFacts]:
        answer = self._clients.read(self._clients.elbv2.describe_load_balancers, LoadBalancerArns=list(arns))
        return [
            BalancerFacts(
                each["LoadBalancerArn"],
                each["LoadBalancerName"],
                str(each.get("Type", "application")),
                each.get("Scheme") == "internal",
            )
            for each in answer["LoadBalancers"]
        ]

    def routes(self, balancer: BalancerFacts) -> Sequence[RouteFacts]:
        method = self._clients.elbv2.describe_listeners
        pages = self._pages(method, "NextMarker", "Marker", LoadBalancerArn=balancer.arn)
        listeners = [listener for page in pages for listener in page["Listeners"]]
        found: dict[str, list[RouteFacts]] = {}
        parts = [partial(self._routes_of, balancer, listener, found) for listener in listeners]
        for some in _chunks(parts, CALLS_AT_ONCE):
            self._together(some)
        ordered = sorted(listeners, key=lambda each: int(each["Port"]))
        return [route for listener in ordered for route in found[listener["ListenerArn"]]]

    def alarms(self) -> Sequence[AlarmFacts]:
        method = self._clients.cloudwatch.describe_alarms
        kinds = ["MetricAlarm", "CompositeAlarm"]
        pages = list(self._pages(method, "NextToken", "NextToken", AlarmTypes=kinds, MaxRecords=100))
        metric = [_metric_alarm(alarm) for page in pages for alarm in page.get("MetricAlarms", [])]
        return metric + [_composite(alarm) for page in pages for alarm in page.get("CompositeAlarms", [])]

    def _describe(self, cluster: str, arns: Sequence[str], into: dict[str, list[Facts]]) -> None:
        answer = self._clients.read(self._clients.ecs.describe_services, cluster=cluster, services=list(arns))
        into[arns[0]] = [cast(Facts, service) for service in answer["services"]]

    def _routes_of(self, balancer: BalancerFacts, listener: Facts, into: dict[str, list[RouteFacts]]) -> None:
        method = self._clients.elbv2.describe_rules
        pages = self._pages(method, "NextMarker", "Marker", ListenerArn=listener["ListenerArn"])
        rules = [rule for page in pages for rule in page["Rules"] if not rule.get("IsDefault")]
        into[listener["ListenerArn"]] = _routes(balancer, listener, sorted(rules, key=_priority))

    def _pages(self, method: Callable[..., Any], answered: str, asked: str, **parameters: Any) -> Iterator[Facts]:
        """``answered`` and ``asked`` are what the API calls the next page's token."""
        page: Facts = self._clients.read(method, **parameters)
        yield page
        while token := page.get(answered):
            page = self._clients.read(method, **parameters, **{asked: token})
            yield page


# Private


def _chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _service(live: Facts) -> ServiceFacts:
    reason, way_out = unfit(live) or ("", "")
    return ServiceFacts(
        name=live["serviceName"],
        groups=target_groups_of(live),
        desired=int(live.get("desiredCount", 0)),
        unfit=reason,
        way_out=way_out,
    )


def _group(live: Facts) -> GroupFacts:
    return GroupFacts(
        arn=live["TargetGroupArn"],
        balancers=tuple(dict.fromkeys(live.get("LoadBalancerArns") or [])),
        port=int(live.get("Port") or 0),
        version=str(live.get("ProtocolVersion") or ""),
        health_path=str(live.get("HealthCheckPath") or ""),
        health_port=str(live.get("HealthCheckPort") or "traffic-port"),
        health_codes=str((live.get("Matcher") or {}).get("HttpCode") or "200"),
    )


def _routes(balancer: BalancerFacts, listener: Facts, rules: Sequence[Facts]) -> list[RouteFacts]:
    worded = [as_configured(rule) for rule in rules]
    found = [
        _route(balancer, listener, rule, _told_apart(words, worded, rule))
        for rule, words in zip(rules, worded, strict=True)
    ]
    found.append(_route(balancer, listener, None, None))
    return [route for route in found if route.weights]


def _told_apart(
    words: dict[str, object] | None, all_words: Sequence[dict[str, object] | None], rule: Facts
) -> dict[str, object] | None:
    """Two rules with the same conditions differ in their priority."""
    if words is None or all_words.count(words) == 1:
        return words
    return words | {"priority": int(rule["Priority"])}


def _route(balancer: BalancerFacts, listener: Facts, rule: Facts | None, words: dict[str, object] | None) -> RouteFacts:
    actions = listener["DefaultActions"] if rule is None else rule["Actions"]
    forwards = [action for action in actions if target_groups([action])]
    place = f"{balancer.name}:{listener['Port']}"
    return RouteFacts(
        balancer=balancer,
        port=int(listener["Port"]),
        protocol=str(listener.get("Protocol", "HTTP")),
        arn=str(listener["ListenerArn"] if rule is None else rule["RuleArn"]),
        name=place if rule is None else f"{place} {describe(rule)}",
        weights=weights_of(forwards[-1]) if forwards else {},
        rule=words,
        by_arn=rule is not None and words is None,
    )


def _priority(rule: Facts) -> int:
    return int(rule["Priority"])


def _metric_alarm(alarm: Facts) -> AlarmFacts:
    inner = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics") or [] if "MetricStat" in each]
    metrics = [alarm, *inner] if alarm.get("MetricName") else inner
    return AlarmFacts(
        name=alarm["AlarmName"],
        state=str(alarm.get("StateValue", "OK")),
        metrics=tuple(str(each.get("MetricName", "")) for each in metrics),
        dimensions=tuple(_dimensions(each) for each in metrics),
    )


def _dimensions(metric: Mapping[str, Any]) -> dict[str, str]:
    return {str(each["Name"]): str(each["Value"]) for each in metric.get("Dimensions") or []}


def _composite(alarm: Facts) -> AlarmFacts:
    """An alarm is named in the rule by its name or its ARN."""
    named = ["".join(groups) for groups in _CHILD.findall(str(alarm.get("AlarmRule", "")))]
    children = [name.split(":alarm:", 1)[-1] if name.startswith("arn:") else name for name in named]
    return AlarmFacts(alarm["AlarmName"], str(alarm.get("StateValue", "OK")), children=tuple(dict.fromkeys(children)))
