"""A deployment whose tests are what a team has already, and a driver that is killed while a person is asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
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
    team = Team(tmp_path_factory.mktemp("hooks"))
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
