"""A deployment whose tests are what a team has already, and a driver that is killed while a person is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from bluegreen.store.sqlite import SqliteStore
from tests.sandbox.conftest import wait_for
from tests.sandbox.functions import CODEDEPLOY_HOOK, ECS_HOOK, create
from tests.sandbox.team import GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("proof-hooks")]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("hooks"), DeregistrationDelay="1")
    yield team
    team.close()


def configure(team: Team, *, errors: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        receiver = f"127.0.0.1:{probe.getsockname()[1]}"
    create(
        team.sandbox,
        "ecs-gate",
        ECS_HOOK,
        "app.lambda_handler",
        variables={"TEST_URL": team.sandbox.url(8080), "EXPECTED": GREEN},
    )
    variables = {"AWS_ENDPOINT_URL_CODEDEPLOY": f"http://{receiver}"}
    create(team.sandbox, "codedeploy-gate", CODEDEPLOY_HOOK, variables=variables)
    metric = {"namespace": "AWS/ApplicationELB", "metric": errors}
    team.configure(
        hooks={
            "test": [
                {"lambda": "ecs-gate", "timeout": "30s"},
                {"lambda": {"function": "codedeploy-gate", "contract": "codedeploy", "receiver": receiver}},
            ],
            "before_shift": [{"approval": "Notes read?", "name": "notes", "timeout": "2m"}],
        },
        gates=[{"metric": {"metrics": {"errors": metric}, "max": 1000, "no_data": "ok", "interval": "1s"}}],
    )


def hook_runs(team: Team) -> list[Any]:
    path = team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
    with closing(SqliteStore(Path(path))) as store:
        return [run for deployment in store.history("orders", 1) for run in deployment.hooks]


def waits_for_approval(team: Team) -> bool:
    return any(run.name == "notes" and run.status.value == "running" and run.handle for run in hook_runs(team))


def test_a_team_s_own_functions_and_a_person_decide_and_a_killed_driver_doubles_none_of_it(team: Team) -> None:
    configure(team, errors="HTTPCode_Target_5XX_Count")
    team.sandbox.ask("POST", "reset")
    driver = team.start("deploy", "--image", GREEN)
    try:
        wait_for(lambda: driver.poll() is not None or waits_for_approval(team), 60)
        ended = driver.poll()
    finally:
        driver.kill()
        out, err = driver.communicate()
    assert ended is None, out + err
    approved = team.run("approve", "orders", "--reason", "read")
    assert approved.returncode == 0, approved.stderr
    resumed = team.run("resume", "orders", seconds=90)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert team.weights() == {"orders-2": 100}
    runs = {run.name: run for run in hook_runs(team)}
    assert {run.status.value for run in runs.values()} == {"passed"}
    assert "approved by" in runs["notes"].detail
    assert runs["lambda"].numbers["invocations"] == 2
    calls = team.sandbox.ask("GET", "calls")
    assert [call["operation"] for call in calls if call["service"] == "lambda"] == ["Invoke"] * 3
    root = Xml.fromstring(team.run("hooks", "report", "orders").stdout)
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [
        ("orders.test", "0"),
        ("orders.before_shift", "0"),
    ]


def test_hooks_run_together_a_dry_run_decides_nothing_and_others_are_told_through_aws(team: Team) -> None:
    create(team.sandbox, "gate", 'def handler(event, context):\n    return {"hookStatus": "SUCCEEDED"}\n')
    states = {"StartAt": "look", "States": {"look": {"Type": "Pass", "Result": {"orders": 7}, "End": True}}}
    role = "arn:aws:iam::123456789012:role/hooks"
    machine = team.sandbox.client("stepfunctions").create_state_machine(
        name="verify", definition=json.dumps(states), roleArn=role
    )["stateMachineArn"]
    topic, letters = topic_and_queue(team)
    (team.root / "test_smoke.py").write_text("def test_it(base_url):\n    assert base_url\n")
    group = [
        {"pytest": "test_smoke.py"},
        {"lambda": "gate"},
        {"stepfunctions": machine, "timeout": "30s"},
        {"http": {"path": "/", "json": {"image": "nobody"}}, "dry_run": True, "name": "new"},
    ]
    notify = [{"sns": topic, "on": ["started", "succeeded"]}, {"webhook": "http://127.0.0.1:9/nobody", "timeout": "1s"}]
    team.configure(hooks={"test": [{"http": "/health", "name": "first"}, {"parallel": group}]}, notify=notify)
    said = team.deploy("registry.example/orders:3.0.0", "--junit", "results.xml")
    assert "LIVE: " in said
    assert "new (test) failed, which decided nothing" in " ".join(said.split())
    assert "warning: notifier webhook was not told that orders succeeded: 127.0.0.1: connection refused" in said
    runs = {run.name: run for run in hook_runs(team)}
    assert {name: run.status.value for name, run in runs.items()} == {
        "first": "passed", "pytest": "passed", "lambda": "passed", "stepfunctions": "passed", "new": "failed",
    }  # fmt: skip
    together = [runs[name] for name in ("pytest", "lambda", "stepfunctions")]
    assert max(run.started_at for run in together) < min(run.ended_at for run in together)
    assert "states/home" in runs["stepfunctions"].links["execution"]
    root = Xml.parse(team.root / "results.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("5", "0", "1")
    assert [json.loads(letter)["moment"] for letter in letters()] == ["started", "succeeded"]


def topic_and_queue(team: Team) -> tuple[str, Callable[[], list[str]]]:
    """A topic, and what has arrived in the queue behind it, oldest first."""
    sns, sqs = team.sandbox.client("sns"), team.sandbox.client("sqs")
    topic = sns.create_topic(Name="deployments")["TopicArn"]
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def letters() -> list[str]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return sorted(
            (json.loads(each["Body"])["Message"] for each in found), key=lambda text: str(json.loads(text)["at"])
        )

    return str(topic), letters


def test_a_rollback_is_safe_as_quickly_as_ever_while_whoever_is_told_hangs(team: Team) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody_reads:
        url = f"http://127.0.0.1:{nobody_reads.getsockname()[1]}/hook"
        everything = ["started", "held", "rolling_back", "safe", "rolled_back"]
        team.configure(bake={"time": "5m"}, notify=[{"webhook": url, "on": everything, "timeout": "1m"}])
        driver = team.start("deploy", "--image", "registry.example/orders:4.0.0")
        try:
            team.wait_for_phase("bake")
            rolled_back = team.run("rollback", "orders")
        finally:
            driver.communicate(timeout=60)
    assert rolled_back.returncode == 0, rolled_back.stderr
    team.wait_for_phase("rolled_back", 60)
    facts = newest(team).rollback
    assert facts.safe_at - facts.requested_at < 2.5
    assert "warning: notifier webhook was not told that orders is rolling back" in rolled_back.stderr


def newest(team: Team) -> Any:
    path = team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
    with closing(SqliteStore(Path(path))) as store:
        return store.history("orders", 1)[0]
