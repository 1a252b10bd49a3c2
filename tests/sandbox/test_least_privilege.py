"""The policy that iam-policy prints is enough for every command, and no action in it is for nothing.

The sandbox enforces it, with resources and conditions, for the access key of whoever types.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bluegreen.sandbox.api.iam import allowing, needs_of
from bluegreen.sandbox.api.request import Call
from tests.sandbox.team import BLUE, CLOCK, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("privilege")]

ACCOUNT = "123456789012"
STORE = "dynamodb://bluegreen"
ROUTES = [{"load_balancer": "prod", "port": 80}, {"load_balancer": "prod", "port": 80, "rule": {"path": "/api/*"}}]
GATES = [
    {"alarm": "orders-5xx"},
    {"compare": {"period": "1s", "delay": "1s"}, "inconclusive": "go_on"},
]
Done = subprocess.CompletedProcess[str]


class People:
    """A deployer, an on-call and a viewer, each with the policy that iam-policy prints for them."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.policies = {purpose: self._print(purpose) for purpose in ("deploy", "rollback", "read")}
        for purpose, policy in self.policies.items():
            self.grant(purpose, policy)

    def grant(self, key: str, policy: Mapping[str, Any] | None) -> None:
        self.team.sandbox.ask("POST", "policies", {"access_key": key, "policy": policy})

    def revoke(self, key: str, sid: str) -> None:
        policy = self.policies[key]
        kept = [statement for statement in policy["Statement"] if statement["Sid"] != sid]
        self.grant(key, {**policy, "Statement": kept})

    def type(self, key: str, *words: str) -> Done:
        return self.team.run(*words, AWS_ACCESS_KEY_ID=key, BLUEGREEN_STORE=STORE)

    def _print(self, purpose: str) -> dict[str, Any]:
        words = ("--purpose", purpose, "--account", ACCOUNT, "--log-group", "/ecs/orders", "--family", "orders")
        done = self.team.run("iam-policy", *words, BLUEGREEN_STORE=STORE)
        assert done.returncode == 0, done.stderr
        policy: dict[str, Any] = json.loads(done.stdout)
        return policy


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("privilege"), DeregistrationDelay="1")
    team.configure(production=ROUTES, gates=GATES)
    made = team.run("store", "create", "--store", STORE)
    assert made.returncode == 0, made.stderr
    add_rule(team)
    add_scaling(team)
    team.sandbox.ask("POST", "reset")
    team.sandbox.ask("POST", "throttles", {"enabled": False})
    yield team
    team.close()


@pytest.fixture(scope="module")
def people(team: Team) -> People:
    return People(team)


def add_rule(team: Team) -> None:
    """Forwards to blue alone: the slots share it from their first deployment on."""
    team.sandbox.client("elbv2").create_rule(
        ListenerArn=team.sandbox.listener(80),
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": team.sandbox.target_group("orders-1")}],
    )


def add_scaling(team: Team) -> None:
    for service in ("orders-1", "orders-2"):
        team.sandbox.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/production/{service}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=0,
            MaxCapacity=6,
        )


def crashing(team: Team) -> str:
    """A release whose container says something and ends: its reasons must be readable."""
    definition = team.sandbox.client("ecs").describe_task_definition(taskDefinition="orders:1")["taskDefinition"]
    container = {**definition["containerDefinitions"][0], "image": GREEN}
    container["command"] = ["sh", "-c", "echo no such column; exit 3"]
    kept = ("family", "networkMode", "cpu", "memory", "requiresCompatibilities", "taskRoleArn", "executionRoleArn")
    path = team.root / "crashing.json"
    path.write_text(json.dumps({key: definition[key] for key in kept} | {"containerDefinitions": [container]}))
    return str(path)


def test_whole_life_of_a_service_is_allowed_by_the_policy_and_uses_all_of_it(people: People) -> None:
    team = people.team
    for key, words, code in (
        ("deploy", ("verify", "--image", GREEN), 0),
        ("deploy", ("deploy", "--image", GREEN), 0),
        ("rollback", ("rollback", "--wait"), 0),
        ("deploy", ("deploy", "--task-definition", crashing(team)), 3),
        ("read", ("status",), 0),
        ("read", ("history",), 0),
        ("read", ("verify", "--image", BLUE), 0),
    ):
        done = people.type(key, *words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        if code == 3:
            assert "no such column" in done.stdout + done.stderr
    used = judge_every_call(people)
    granted = {
        (statement["Sid"], action)
        for statement in people.policies["deploy"]["Statement"]
        for action in statement["Action"]
    }
    assert granted - used == set(), "granted for nothing"


def judge_every_call(people: People) -> set[tuple[str, str]]:
    """Outside of the sandbox's own enforcement; answers statement and action of everything that was used."""
    ecs = people.team.sandbox.client("ecs")

    def roles_of(name: str) -> list[str]:
        found = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
        return [found[key] for key in ("taskRoleArn", "executionRoleArn") if key in found]

    used: set[tuple[str, str]] = set()
    calls = [each for each in people.team.sandbox.ask("GET", "calls") if "bluegreen/" in each["user_agent"]]
    assert len(calls) > 100
    for each in calls:
        call = Call(each["service"], each["operation"], "json", each["region"], each["parameters"], each["user_agent"])
        for need in needs_of(call, roles_of):
            statement = allowing(people.policies["deploy"], need)
            assert statement is not None, need
            used.add((statement["Sid"], need.action))
    return used


def test_viewer_can_not_deploy_and_is_told_which_permission_it_takes(people: People) -> None:
    before = people.team.weights()
    done = people.type("read", "deploy", "--image", GREEN, "--force")
    assert done.returncode == 6, done.stderr
    assert "not allowed: dynamodb:UpdateItem on arn:aws:dynamodb:" in done.stderr
    assert people.team.weights() == before


def test_permission_lost_during_the_shift_holds_names_it_and_goes_on_when_granted(people: People) -> None:
    team = people.team
    team.configure(production=ROUTES, gates=GATES, shift={"canary": {"percent": 5, "wait": "4s"}})
    blue, green = live_and_idle(team)
    driver = team.start(
        "deploy", "--image", GREEN, "--force", AWS_ACCESS_KEY_ID="deploy", BLUEGREEN_STORE=STORE
    )  # fmt: skip
    wait_for_weights(team, {blue: 95, green: 5})
    people.revoke("deploy", "MoveTrafficOfListeners")
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 4, err
    assert f"not allowed: elasticloadbalancing:ModifyListener on {team.sandbox.listener(80)}" in err
    assert "stands at blue 95% / green 5%" in err
    assert "bluegreen resume orders" in err
    assert team.weights() == {blue: 95, green: 5}
    status = people.type("read", "status", "-o", "json")
    assert json.loads(status.stdout)["deployment"]["hold"]["kind"] == "permission"
    people.grant("deploy", people.policies["deploy"])
    resumed = people.type("deploy", "resume")
    assert resumed.returncode == 0, resumed.stderr
    assert team.weights() == {green: 100}


def test_session_that_expires_during_the_shift_holds_and_the_on_call_puts_blue_back(people: People) -> None:
    team = people.team
    blue, green = live_and_idle(team)
    image = BLUE if blue == "orders-2" else GREEN
    expired = {"operation": "elbv2:ModifyListener", "error": "ExpiredToken", "status": 403, "message": "expired"}
    driver = team.start(
        "deploy", "--image", image, "--force", AWS_ACCESS_KEY_ID="deploy", BLUEGREEN_STORE=STORE
    )  # fmt: skip
    wait_for_weights(team, {blue: 95, green: 5})
    team.sandbox.ask("POST", "faults", expired)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 4, err
    assert "ExpiredToken" in err
    assert "aws sso login" in err
    team.sandbox.ask("DELETE", "faults")
    back = people.type("rollback", "rollback", "--wait")
    assert back.returncode == 0, back.stderr
    assert "SAFE" in back.stdout + back.stderr
    assert team.weights() == {blue: 100}


def live_and_idle(team: Team) -> tuple[str, str]:
    (live,) = team.weights()
    return live, "orders-2" if live == "orders-1" else "orders-1"


def wait_for_weights(team: Team, wanted: dict[str, int], seconds: float = 60.0) -> None:
    end = CLOCK.monotonic() + seconds
    while team.weights() != wanted:
        assert CLOCK.monotonic() < end, team.weights()
        CLOCK.sleep(0.1)
