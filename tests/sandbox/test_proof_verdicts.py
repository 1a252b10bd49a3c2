"""A canary at 5% under real load, judged beside its blue: what is worse goes back, what is as bad as blue goes on.

Blue fails one request in a hundred, and answers as real services do: most at once, some late. Beside the comparison
the alarms are watched that a team would have: on green's errors above twice blue's, and on green's p99 above one and
a half of blue's, each by the minute, two of three (docs/canary-verdicts.md). Orders of events are asserted, no seconds.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, HoldKind
from bluegreen.store.sqlite import SqliteStore
from tests.sandbox.conftest import wait_for
from tests.sandbox.team import BLUE, CLOCK, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("verdicts")]
Record = Callable[[str, object], None]

USERS = 16
AS_BLUE = {"STANDIN_ERROR_RATE": "0.01", "STANDIN_LATENCY_MS": "10", "STANDIN_LATENCY_SPREAD": "0.5"}
TWO_POINTS_MORE = {**AS_BLUE, "STANDIN_ERROR_RATE": "0.03"}
P99_DOUBLED = {**AS_BLUE, "STANDIN_LATENCY_SPREAD": "0.798"}
"""The same median: exp(2.326 × 0.798) is twice exp(2.326 × 0.5)."""

VERSUS = {
    "name": "versus",
    "compare": {
        "period": "1s",
        "delay": "2s",
        "errors": {"absolute": "1%"},
        "latency": {"absolute": "2%", "tolerated": {"absolute": "1%"}},
    },
}
ERRORS, LATENCY = "green-errors", "green-p99"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("verdicts"), DeregistrationDelay="1")
    try:
        _blue_fails_one_in_a_hundred(team)
        _alarms(team)
        yield team
    finally:
        team.close()


def configure(team: Team, at_most: str, *alarms: str) -> None:
    """``alarms`` are gates too: what fires first turns the release back."""
    team.configure(
        shift={"until_verdict": {"percent": 5, "at_least": "2s", "at_most": at_most}},
        gates=[VERSUS, *({"alarm": name} for name in alarms)],
        gate_interval="1s",
        bake={"time": "1s"},
    )


def test_a_canary_without_traffic_holds_for_a_person(team: Team, record_property: Record) -> None:
    configure(team, "5s")
    done = team.run("deploy", "--task-definition", definition(team, GREEN, AS_BLUE))
    assert done.returncode == 4, done.stdout + done.stderr
    hold = latest(team).hold
    assert hold is not None
    record_property("hold", hold.reason)
    assert hold.kind is HoldKind.INCONCLUSIVE
    assert hold.reason == "gate versus cannot tell: no data: green had no requests"
    assert team.weights() == {"orders-1": 95, "orders-2": 5}
    for way in ("bluegreen resume orders", "bluegreen promote orders", "bluegreen rollback orders"):
        assert way in done.stdout + done.stderr
    back = team.run("rollback", "--reason", "nobody came")
    assert back.returncode == 0, back.stderr
    team.wait_for_phase("rolled_back", 60)


@pytest.mark.parametrize(
    ("fault", "said", "alarm"),
    [(TWO_POINTS_MORE, "errors: green", ERRORS), (P99_DOUBLED, "slower than blue's p99", LATENCY)],
    ids=["two-points-more-errors", "p99-doubled"],
)
def test_a_worse_release_is_turned_back_by_the_verdict_before_the_alarm_would_have(
    team: Team, fault: dict[str, str], said: str, alarm: str, record_property: Record
) -> None:
    configure(team, "90s", alarm)
    with team.users(USERS):
        done = team.run("deploy", "--task-definition", definition(team, GREEN, fault), "--force")
        seen = _state(team, alarm)
    assert done.returncode == 3, done.stdout + done.stderr
    ended = latest(team)
    assert ended.rollback is not None
    gate = next(gate for gate in ended.gates if gate.name == "versus")
    record_property("verdict", ended.rollback.reason)
    record_property("seconds from the canary to the verdict", _since_canary(ended, ended.rollback.requested_at))
    record_property("requests on green until then", gate.numbers["errors_green_of"])
    record_property("requests on blue until then", gate.numbers["errors_blue_of"])
    record_property("the alarm, when all was over", f"{seen['StateValue']}: {seen['StateReason']}")
    assert ended.rollback.reason.startswith("gate versus fired: ")
    assert said in ended.rollback.reason
    fired_later = seen["StateValue"] != "ALARM" or seen["StateUpdatedTimestamp"].timestamp() > (
        ended.rollback.requested_at
    )
    assert fired_later, "the alarm had fired already"
    worst = _worst_moment(team, seen)
    record_property("the alarm's value in its worst ten seconds", f"{worst:.3g}, threshold {seen['Threshold']}")
    assert worst > seen["Threshold"], "minutes like that would have fired it: it looks at the right numbers"
    assert team.weights() == {"orders-1": 100}
    assert "gate versus fired" in done.stdout + done.stderr


def test_a_release_that_is_only_as_bad_as_blue_is_promoted(team: Team, record_property: Record) -> None:
    configure(team, "90s")
    with team.users(USERS) as seen:
        done = team.run("deploy", "--task-definition", definition(team, GREEN, AS_BLUE), "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    ended = latest(team)
    gate = next(gate for gate in ended.gates if gate.name == "versus")
    record_property("verdict", gate.detail)
    record_property("seconds in the shift", _seconds_in(ended, "shift"))
    record_property("failed requests of all users", f"{seen.failures} of {seen.total}")
    assert "green is not worse than blue by more than the margin" in gate.detail
    assert gate.numbers["errors_green"] > 0, "green fails as blue does"
    assert team.weights() == {"orders-2": 100}
    status = team.status()["deployment"]["watched"]
    assert [each["state"] for each in status if each["name"] == "versus"] == ["ok"]


# Private


def definition(team: Team, image: str, faults: dict[str, str]) -> str:
    """A task definition file: that of the service, with another image and faults for the stand-in."""
    path = team.root / "taskdef.json"
    path.write_text(json.dumps(_definition(team, image, faults)))
    return str(path)


def _definition(team: Team, image: str, faults: dict[str, str]) -> dict[str, Any]:
    live: dict[str, Any] = team.sandbox.client("ecs").describe_task_definition(taskDefinition="orders:1")
    known = live["taskDefinition"]
    container = known["containerDefinitions"][0]
    container["image"] = image
    container["environment"] = [{"name": name, "value": value} for name, value in faults.items()]
    kept = ("family", "containerDefinitions", "networkMode", "cpu", "memory", "requiresCompatibilities")
    return {key: known[key] for key in kept if key in known}


def _blue_fails_one_in_a_hundred(team: Team) -> None:
    ecs = team.sandbox.client("ecs")
    made = ecs.register_task_definition(**_definition(team, BLUE, AS_BLUE))["taskDefinition"]
    revision = f"{made['family']}:{made['revision']}"
    ecs.update_service(cluster="production", service="orders-1", taskDefinition=revision)

    def is_blue() -> bool:
        tasks = [each for each in team.sandbox.status()["tasks"] if each["service"] == "orders-1"]
        left = [(each["state"], each["task_definition"]) for each in tasks if each["state"] != "STOPPED"]
        return left == [("RUNNING", revision)] * 2

    wait_for(is_blue, 60)


def _alarms(team: Team) -> None:
    group = team.sandbox.target_group("orders-2").rpartition(":")[2]
    dimensions = [
        {"Name": "TargetGroup", "Value": group},
        {"Name": "LoadBalancer", "Value": team.sandbox.load_balancer()},
    ]

    def metric(name: str, stat: str) -> dict[str, Any]:
        measured = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        return {"Metric": measured, "Period": 60, "Stat": stat}

    two_of_three = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2, "ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch = team.sandbox.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=ERRORS,
        Threshold=0.02,
        Metrics=[
            {"Id": "errors", "MetricStat": metric("HTTPCode_Target_5XX_Count", "Sum"), "ReturnData": False},
            {"Id": "all", "MetricStat": metric("RequestCount", "Sum"), "ReturnData": False},
            {"Id": "rate", "Expression": "FILL(errors, 0) / all", "ReturnData": True},
        ],
        **two_of_three,
    )
    cloudwatch.put_metric_alarm(
        AlarmName=LATENCY,
        Threshold=0.048,
        Namespace="AWS/ApplicationELB",
        MetricName="TargetResponseTime",
        Dimensions=dimensions,
        ExtendedStatistic="p99",
        Period=60,
        **two_of_three,
    )


def _state(team: Team, alarm: str) -> dict[str, Any]:
    found: dict[str, Any] = team.sandbox.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]
    return found


def _worst_moment(team: Team, alarm: dict[str, Any]) -> float:
    """What the alarm compares with its threshold, over ten seconds: a minute may hold another test's release."""
    single = {
        "Id": "value",
        "MetricStat": {
            "Metric": {key: alarm.get(key) for key in ("Namespace", "MetricName", "Dimensions")},
            "Stat": alarm.get("ExtendedStatistic"),
        },
    }
    queries = copy.deepcopy(alarm.get("Metrics") or [single])
    for query in queries:
        query.get("MetricStat", {})["Period"] = 10
    now = CLOCK.now()
    answer = team.sandbox.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - 300, EndTime=now + 60
    )
    return max(float(value) for each in answer["MetricDataResults"] for value in each["Values"])


def latest(team: Team) -> Deployment:
    path = team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
    with closing(SqliteStore(Path(path))) as store:
        return store.history("orders", 1)[0]


def _since_canary(d: Deployment, at: float) -> float:
    assert d.watched_since is not None
    return round(at - d.watched_since, 1)


def _seconds_in(d: Deployment, phase: str) -> float:
    return round(sum((span.ended_at or 0) - span.began_at for span in d.spans if span.phase.value == phase), 1)
