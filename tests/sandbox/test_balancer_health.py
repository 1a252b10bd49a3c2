"""Health, fail-open, draining, metrics and alarms with a real Envoy and real targets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest

from bluegreen.clock import SystemClock
from bluegreen.sandbox.balancer.cloudwatch import naive
from tests.sandbox.balancer_stand import Answer, Stand, forward, stand_in

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand_in(tmp_path_factory.mktemp("sandbox")) as stand:
        yield stand


@pytest.fixture
def stand(shared: Stand) -> Iterator[Stand]:
    with shared.fresh() as stand:
        yield stand


def told(stand: Stand, group: str) -> tuple[str, str | None, str | None]:
    state = stand.balancer.target_health(group)[0]
    return state.state, state.reason, state.description


def test_group_without_a_rule_is_unused_and_not_checked(stand: Stand) -> None:
    backend = stand.backend("blue")
    group = stand.target_group("blue", backend)
    threading.Event().wait(0.2)
    words = "Target group is not configured to receive traffic from the load balancer"
    assert told(stand, group) == ("unused", "Target.NotInUse", words)
    assert backend.checks == 0
    stand.listener(80, forward((group, 0)))
    stand.until_healthy(group)


def test_new_target_gets_no_request_before_it_passed_a_check(stand: Stand) -> None:
    old, new = stand.backend("old"), stand.backend("new")
    group = stand.target_group("blue", old, healthy=5)
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    new.health = 503
    stand.register(group, new)
    assert stand.states(group)[new.address] == "initial"
    assert stand.shares(80, 50) == {"old": 50}
    stand.until(lambda: stand.states(group)[new.address] == "unhealthy")
    assert stand.shares(80, 50) == {"old": 50}
    new.health = 200
    stand.until(lambda: stand.states(group)[new.address] == "healthy")
    stand.balancer.reconcile()
    assert stand.shares(80, 50) == {"old": 25, "new": 25}


def test_initial_target_alone_answers_503(stand: Stand) -> None:
    backend = stand.backend("blue")
    backend.health = 503
    group = stand.target_group("blue", backend, healthy=10, UnhealthyThresholdCount=10)
    stand.listener(80, forward((group, 1)))
    assert told(stand, group)[0] == "initial"
    assert stand.get(80).status == 503
    backend.health = 200
    stand.until_healthy(group)
    assert stand.get(80).status == 200


def test_unhealthy_reasons_are_those_of_aws(stand: Stand) -> None:
    backend = stand.backend("blue")
    backend.health = 500
    group = stand.target_group("blue", backend, Matcher={"HttpCode": "200-299,404"})
    stand.listener(80, forward((group, 1)))
    stand.until(lambda: stand.states(group)[backend.address] == "unhealthy")
    mismatch = "Health checks failed with these codes: [500]"
    assert told(stand, group) == ("unhealthy", "Target.ResponseCodeMismatch", mismatch)
    backend.health = 404
    stand.until_healthy(group)
    backend.stop()
    stand.until(lambda: stand.states(group)[backend.address] == "unhealthy")
    assert told(stand, group) == ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def test_fails_open_when_every_target_is_unhealthy(stand: Stand) -> None:
    one, two = stand.backend("one"), stand.backend("two")
    group = stand.target_group("blue", one, two)
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    one.health = two.health = 503
    stand.until(lambda: set(stand.states(group).values()) == {"unhealthy"})
    stand.balancer.reconcile()
    assert stand.shares(80, 40) == {"one": 20, "two": 20}
    two.health = 200
    stand.until(lambda: stand.states(group)[two.address] == "healthy")
    stand.balancer.reconcile()
    assert stand.shares(80, 40) == {"two": 40}


def test_draining_target_finishes_its_request_and_gets_no_new_one(stand: Stand) -> None:
    leaving, staying = stand.backend("leaving"), stand.backend("staying")
    group = stand.target_group("blue", leaving, delay=30)
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    answers: list[Answer] = []
    request = threading.Thread(target=lambda: answers.append(stand.get(80, "/slow")))
    request.start()
    assert leaving.entered.wait(5)
    stand.register(group, staying)
    stand.deregister(group, leaving)
    stand.until(lambda: stand.states(group)[staying.address] == "healthy")
    stand.balancer.reconcile()
    assert stand.states(group)[leaving.address] == "draining"
    assert stand.shares(80, 30) == {"staying": 30}
    threading.Event().wait(0.5)
    assert stand.balancer.is_draining(group, leaving.address, leaving.port)
    leaving.release.set()
    request.join()
    assert (answers[0].status, answers[0].body.partition("\n")[0]) == (200, "leaving")
    stand.until(lambda: not stand.balancer.is_draining(group, leaving.address, leaving.port), seconds=2)
    assert stand.states(group)[leaving.address] == "draining"


def test_deregistration_ends_after_its_delay_even_with_a_request_in_flight(stand: Stand) -> None:
    backend = stand.backend("blue")
    group = stand.target_group("blue", backend, delay=1)
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    request = threading.Thread(target=stand.get, args=(80, "/slow"))
    request.start()
    assert backend.entered.wait(5)
    stand.deregister(group, backend)
    assert stand.balancer.is_draining(group, backend.address, backend.port)
    stand.until(lambda: not stand.balancer.is_draining(group, backend.address, backend.port), seconds=3)
    stand.until(lambda: not stand.states(group), seconds=3)
    backend.release.set()
    request.join()


def test_target_that_dies_shows_as_502_and_then_as_unhealthy(stand: Stand) -> None:
    dying, living = stand.backend("dying"), stand.backend("living")
    group = stand.target_group("blue", dying, living)
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    dying.stop()
    seen = stand.shares(80, 4)
    assert seen["502"] >= 1
    stand.until(lambda: stand.states(group)[dying.address] == "unhealthy")
    stand.balancer.reconcile()
    assert stand.shares(80, 20) == {"living": 20}


def test_envoy_that_dies_comes_back_with_what_it_served(stand: Stand) -> None:
    group = stand.target_group("blue", stand.backend("blue"))
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    stand.kill_envoy()
    stand.until(lambda: stand.serves(80))
    assert stand.shares(80, 5) == {"blue": 5}


def series(stand: Stand, name: str, dimensions: dict[str, str], statistic: Literal["Sum", "Maximum"] = "Sum") -> float:
    now = naive(SystemClock().now())
    found = stand.cloudwatch.get_metric_statistics(
        Namespace="AWS/ApplicationELB",
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=[statistic],
    )["Datapoints"]
    return float(sum(each[statistic] for each in found))


def test_what_was_seen_reaches_cloudwatch_for_both_listeners_of_a_group(stand: Stand) -> None:
    group = stand.target_group("blue", stand.backend("blue"))
    empty = stand.target_group("empty")
    stand.listener(80, forward((group, 1)))
    stand.listener(8080, forward((group, 1)))
    stand.listener(9090, forward((empty, 1)))
    stand.until_healthy(group)
    stand.shares(80, 10)
    stand.shares(8080, 10)
    stand.shares(8080, 3, "/status/500")
    stand.shares(8080, 2, "/status/404")
    stand.get(9090)
    of_group = {"TargetGroup": group.split(":")[-1], "LoadBalancer": stand.front.partition("loadbalancer/")[2]}
    stand.until(lambda: series(stand, "RequestCount", of_group) == 25)
    balancer = {"LoadBalancer": of_group["LoadBalancer"]}
    stand.until(lambda: series(stand, "HTTPCode_ELB_5XX_Count", balancer) == 1)
    counted = {
        name: series(stand, name, of_group)
        for name in ("HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count")
    }
    assert list(counted.values()) == [20, 2, 3]
    assert series(stand, "RequestCount", balancer) == 25
    stand.until(lambda: 0 < series(stand, "TargetResponseTime", of_group) < 5)
    assert series(stand, "HealthyHostCount", of_group) >= 1


def test_healthy_and_unhealthy_hosts_of_a_group_reach_cloudwatch(stand: Stand) -> None:
    sick, well = stand.backend("sick"), stand.backend("well")
    sick.health = 503
    group = stand.target_group("blue", sick, well)
    stand.listener(80, forward((group, 1)))
    stand.until(lambda: set(stand.states(group).values()) == {"healthy", "unhealthy"})
    of_group = {"TargetGroup": group.split(":")[-1], "LoadBalancer": stand.front.partition("loadbalancer/")[2]}
    counts = ("HealthyHostCount", "UnHealthyHostCount")
    stand.until(lambda: [series(stand, name, of_group, "Maximum") for name in counts] == [1, 1])


def alarm_state(stand: Stand, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stand.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return found


def test_alarm_changes_state_by_itself_and_back(stand: Stand) -> None:
    group = stand.target_group("blue", stand.backend("blue"))
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    dimensions = [
        {"Name": "TargetGroup", "Value": group.split(":")[-1]},
        {"Name": "LoadBalancer", "Value": stand.front.partition("loadbalancer/")[2]},
    ]
    stand.cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=dimensions,
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=2.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    stand.until(lambda: alarm_state(stand, "errors")["StateReason"].startswith("Threshold Crossed: no datapoints"))
    assert alarm_state(stand, "errors")["StateValue"] == "OK"
    stand.shares(80, 5, "/status/503")
    stand.until(lambda: alarm_state(stand, "errors")["StateValue"] == "ALARM")
    reason = alarm_state(stand, "errors")["StateReason"]
    assert reason.startswith("Threshold Crossed: 1 datapoint [5.0 (")
    assert reason.endswith(")] was greater than the threshold (2.0).")
    stand.until(lambda: alarm_state(stand, "errors")["StateValue"] == "OK")
    stand.cloudwatch.delete_alarms(AlarmNames=["errors"])
