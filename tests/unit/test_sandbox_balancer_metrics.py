"""Envoy's counters as CloudWatch's metrics."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.sandbox.balancer.cloudwatch import Sample, statistic, trimmed_count
from bluegreen.sandbox.balancer.metrics import Seen, host_counts, parse, request_counts, response_times
from bluegreen.sandbox.balancer.model import Forward, Listener, LoadBalancer, Rule, Snapshot, TargetGroup, Weighted

LB = ("LoadBalancer", "app/lb/1")
GROUP = ("TargetGroup", "targetgroup/g/2")


def counted(status: int, details: str, *, group: str = "g/2", number: int = 3) -> dict[tuple[str, ...], float]:
    """Metric and the names of its dimensions → value."""
    seen = Seen()
    seen.requests["app/lb/1", group, status, details] = number
    return {
        (name, *(dimension for dimension, _ in dimensions)): value for name, value, dimensions in request_counts(seen)
    }


def test_answer_of_a_target_counts_for_balancer_and_group() -> None:
    assert counted(500, "via_upstream") == {
        (name, *dimensions): 3.0
        for name in ("RequestCount", "HTTPCode_Target_5XX_Count")
        for dimensions in (("LoadBalancer",), ("TargetGroup", "LoadBalancer"), ("TargetGroup",))
    }


def test_empty_group_counts_as_the_load_balancers_own_503_and_as_no_request() -> None:
    assert counted(503, "no_healthy_upstream") == {
        ("HTTPCode_ELB_5XX_Count", "LoadBalancer"): 3.0,
        ("HTTPCode_ELB_503_Count", "LoadBalancer"): 3.0,
    }


def test_reset_target_counts_as_a_request_and_a_502_but_not_as_a_target_code() -> None:
    names = {key[0] for key in counted(502, "upstream_reset_before_response_started{connection_termination}")}
    assert names == {"RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count"}


def test_fixed_response_is_no_error_of_the_load_balancer() -> None:
    assert counted(404, "direct_response", group="") == {("HTTP_Fixed_Response_Count", "LoadBalancer"): 3.0}


def test_hosts_are_counted_by_their_health_for_each_group_that_a_rule_names() -> None:
    used, idle = (TargetGroup(f"arn:x:targetgroup/{name}/2", name) for name in ("g", "idle"))
    listener = Listener("arn:x:listener/app/lb/1/2", 80, "HTTP", (Rule("rule", Forward((Weighted(used.arn, 0),))),))
    snapshot = Snapshot((LoadBalancer("arn:x:loadbalancer/app/lb/1", "lb", (listener,)),), (used, idle))
    found = list(host_counts(snapshot, {used.arn: (2, 1), idle.arn: (5, 5)}))
    assert found == [("HealthyHostCount", 2.0, (GROUP, LB)), ("UnHealthyHostCount", 1.0, (GROUP, LB))]


def test_zero_is_not_reported() -> None:
    assert counted(200, "via_upstream", number=0) == {}


def test_envoys_answer_is_read_with_awkward_details() -> None:
    name = "alb.requests.lb.app/lb/1.tg.g/2.code.502.details.upstream_reset{a|b:_refused.}"
    histogram = {"name": "alb.time.lb.app/lb/1.tg.g/2", "totals": [{"lower_bound": 900, "width": 200, "count": 4}]}
    stats: dict[str, Any] = {"stats": [{"name": name, "value": 7}, {"histograms": {"details": [histogram]}}]}
    seen = parse(stats)
    assert dict(seen.requests) == {("app/lb/1", "g/2", 502, "upstream_reset{a|b:_refused.}"): 7}
    assert dict(response_times(seen)) == {
        (LB,): ((0.001, 4),),
        (GROUP, LB): ((0.001, 4),),
        (GROUP,): ((0.001, 4),),
    }


def test_connection_that_cannot_be_made_counts_as_one_for_the_target_group() -> None:
    found = counted(502, "upstream_reset_before_response_started{remote_connection_failure|...}")
    assert found["TargetConnectionErrorCount", "TargetGroup", "LoadBalancer"] == 3.0


@pytest.mark.parametrize(
    ("stat", "count"), [("TC(:0.2)", 5), ("TC(0.1:0.2)", 3), ("TC(0.2:)", 4), ("TC(:)", 9), ("TC(0.05:0.09)", 0)]
)
def test_a_trimmed_count_is_of_the_values_between_its_bounds(stat: str, count: int) -> None:
    bins = ((0.1, 2), (0.2, 3), (0.9, 4))
    assert statistic(stat, [Sample(0, 4.4, 9, 0.1, 0.9, bins)]) == count


def test_a_trimmed_count_by_percentages_is_not_spoken() -> None:
    with pytest.raises(ValueError, match="does not speak"):
        trimmed_count("TC(2%:98%)", ())
