"""Which CloudWatch alarms watch the service, so that they can be its gates. Pure.

An alarm is of the service when a metric of it has one of the two target groups as a dimension, or the load balancer
and no target group at all. Source: CloudWatch metrics of Application Load Balancers (AWS/ApplicationELB).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bluegreen.discovery.base import AlarmFacts, group_name
from bluegreen.discovery.found import GateFound

_OF_HOSTS = ("HealthyHostCount", "UnHealthyHostCount")
_LONGEST_NAME = 255


def gates_of(alarms: Sequence[AlarmFacts], groups: tuple[str, str], balancers: Iterable[str]) -> tuple[GateFound, ...]:
    """``groups`` and ``balancers`` are ARNs. Those that could be no gate say why."""
    ours = {_dimension(group): group_name(group) for group in groups}
    fronts = {_dimension(arn): arn.split("/")[-2] for arn in balancers}
    watched = {alarm.name: _watched(alarm, ours, fronts) for alarm in alarms}
    children = {name for name, what in watched.items() if what}
    gates = []
    for alarm in alarms:
        of = [child for child in alarm.children if child in children]
        what = watched[alarm.name] or (f"composite, of {', '.join(of)}" if of else "")
        if what:
            gates.append(GateFound(alarm.name, what, _left_out(alarm)))
    return tuple(sorted(gates, key=lambda gate: (bool(gate.left_out), gate.alarm)))


# Private


def _watched(alarm: AlarmFacts, ours: Mapping[str, str], fronts: Mapping[str, str]) -> str:
    slots = [name for value, name in ours.items() if any(d.get("TargetGroup") == value for d in alarm.dimensions)]
    metrics = ", ".join(dict.fromkeys(alarm.metrics))
    if len(slots) == 1:
        return f"{metrics} of {slots[0]} alone"
    if slots:
        return f"{metrics} of both slots"
    whole = [d.get("LoadBalancer", "") for d in alarm.dimensions if "TargetGroup" not in d]
    names = [fronts[value] for value in dict.fromkeys(whole) if value in fronts]
    return f"{metrics} of the whole load balancer {', '.join(names)}" if names else ""


def _left_out(alarm: AlarmFacts) -> str:
    if alarm.name.startswith("arn:") or len(alarm.name) > _LONGEST_NAME:
        return "a gate cannot have this name"
    if alarm.state == "ALARM":
        return "it is in ALARM now, and a deployment would be refused"
    if set(alarm.metrics) & set(_OF_HOSTS):
        return "it counts hosts, and one slot has none between deployments; bluegreen watches green's health itself"
    return ""


def _dimension(arn: str) -> str:
    """As a metric's dimension has it: ``targetgroup/NAME/ID``, ``app/NAME/ID``."""
    return arn.rsplit(":", 1)[-1].removeprefix("loadbalancer/")
