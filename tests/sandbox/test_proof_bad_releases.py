"""A bad release ends with traffic on blue, green retired, the reason said, and the users' requests it met counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.team import BLUE, CLOCK, GREEN, Requests, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("bad")]
ALARM = [{"alarm": "orders-5xx"}]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("bad"), AlarmPeriod="1", DeregistrationDelay="1")
    yield team
    team.close()


@pytest.fixture
def team(house: Team) -> Iterator[Team]:
    """Whatever a test left: blue is orders-1 with all traffic, nothing unfinished."""
    house.configure()
    yield house
    assert house.weights() == {"orders-1": 100}


def faulty(team: Team, command: list[str] | None = None, **faults: str) -> str:
    """A task definition file: the live one, with another image and faults for the stand-in."""
    ecs = team.sandbox.client("ecs")
    definition: dict[str, Any] = ecs.describe_task_definition(taskDefinition="orders:1")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    container["image"] = GREEN
    container["environment"] = [{"name": name, "value": value} for name, value in faults.items()]
    if command:
        container["command"] = command
    kept = ("family", "containerDefinitions", "networkMode", "cpu", "memory", "requiresCompatibilities")
    path = team.root / "taskdef.json"
    path.write_text(json.dumps({key: definition[key] for key in kept if key in definition}))
    return str(path)


def deploy_bad(team: Team, path: str, record: Record) -> tuple[str, Requests]:
    with team.users(4) as seen:
        done = team.run("deploy", "--task-definition", path, "--force")
        CLOCK.sleep(0.5)
    text = done.stdout + done.stderr
    record("saw green", f"{seen.answered.get(GREEN, 0) + seen.failures} of {seen.total}")
    assert done.returncode == 3, text
    assert team.running("orders-2") == 0
    return text, seen


def test_release_that_is_never_healthy_gets_no_request_at_all(team: Team, record_property: Record) -> None:
    text, seen = deploy_bad(team, faulty(team, STANDIN_UNHEALTHY="1"), record_property)
    assert set(seen.answered) == {BLUE}
    assert seen.failures == 0
    assert "503" in text


def test_crash_loop_is_recognised_with_exit_code_and_log(team: Team, record_property: Record) -> None:
    loop = ["sh", "-c", "echo no database here; exit 7"]
    began = CLOCK.monotonic()
    text, seen = deploy_bad(team, faulty(team, command=loop), record_property)
    assert set(seen.answered) == {BLUE}
    assert "exited with code 7" in text
    assert "no database here" in text
    assert CLOCK.monotonic() - began < 60, "recognised long before the launch deadline of fifteen minutes"


def test_failed_smoke_test_through_the_test_route_keeps_users_on_blue(team: Team, record_property: Record) -> None:
    smoke = {"http": {"path": "/", "status": 200, "json": {"tag": "3.0.0"}}}
    team.configure(hooks={"test": [smoke]})
    text, seen = deploy_bad(team, faulty(team), record_property)
    assert set(seen.answered) == {BLUE}
    assert "3.0.0" in text


def test_errors_under_production_traffic_alone_are_caught_by_the_alarm_during_the_canary(
    team: Team, record_property: Record
) -> None:
    smoke = {"http": {"path": "/", "status": 200}}
    team.configure(
        hooks={"test": [smoke]},
        gates=ALARM,
        gate_interval="500ms",
        shift={"canary": {"percent": 5, "wait": "30s"}},
    )
    path = faulty(team, STANDIN_ERROR_RATE="1", STANDIN_ERROR_PORT="80")
    text, seen = deploy_bad(team, path, record_property)
    assert "orders-5xx" in text
    assert 0 < seen.failures < seen.total * 0.1


def test_release_that_dies_during_the_bake_is_rolled_back(team: Team, record_property: Record) -> None:
    team.configure(shift="all-at-once", bake={"time": "60s"}, gate_interval="500ms")
    text, seen = deploy_bad(team, faulty(team, STANDIN_CRASH_AFTER="8"), record_property)
    assert "healthy targets" in text
    assert seen.answered.get(GREEN, 0) > 0
