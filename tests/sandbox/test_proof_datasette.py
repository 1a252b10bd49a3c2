"""Real releases of a web application that is not ours: Datasette's published versions, one deployed after the other.

Each version runs from an environment of its own, as a process of its own, behind the sandbox's load balancer.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.team import CLOCK, Team
from tests.sandbox.visitors import Visits, visitors

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("datasette")]

OLD, NEW = "0.64.8", "0.65.1"
MISLABELLED = "0.65.2"
"""Its image says so, but what is in it is OLD: the mistake that a smoke test of the version is for."""

ENVIRONMENTS = Path(__file__).parents[2] / "scripts" / "datasette-environments"
VERSIONS = "/-/versions.json"
SMOKE = """
import json
import urllib.request


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_version_is_that_of_the_image(base_url, deployment):
    tag = json.loads(deployment.facts["images"])["app"].rpartition(":")[2]
    assert get(base_url + "/-/versions.json")["datasette"]["version"] == tag


def test_sql_is_answered(base_url):
    assert get(base_url + "/_memory.json?sql=select+6*7+as+answer&_shape=array") == [{"answer": 42}]
"""
Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Deployed:
    """One `bluegreen deploy`: its end, its events, what visitors of production met, and what production says after."""

    code: int
    text: str
    events: list[dict[str, Any]]
    visits: Visits
    seconds: float
    live: str
    weights: dict[str, int]

    @property
    def versions(self) -> Counter[str]:
        return Counter(version_of(visit.answer) for visit in self.visits if not visit.problem)

    def began(self, phase: str) -> float:
        """Epoch seconds."""
        return next(at(event) for event in self.events if event["kind"] == "phase" and event["phase"] == phase)


@dataclass(frozen=True)
class Story:
    first: Deployed
    second: Deployed
    mislabelled: Deployed


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The first deployment replaces the sandbox's stand-in, the second the first, the third must not replace it."""
    programs = make_environments(OLD, NEW)
    team = Team(tmp_path_factory.mktemp("datasette"), HealthCheckPath=VERSIONS, DeregistrationDelay="1")
    try:
        (team.root / "smoke").mkdir()
        (team.root / "smoke" / "test_version.py").write_text(SMOKE)
        yield Story(
            first=deploy(team, OLD, programs[OLD]),
            second=deploy(team, NEW, programs[NEW]),
            mislabelled=deploy(team, MISLABELLED, programs[OLD]),
        )
    finally:
        team.close()


def make_environments(*versions: str) -> dict[str, str]:
    """Version → its program. About twenty seconds the first time."""
    done = subprocess.run(
        [sys.executable, str(ENVIRONMENTS), *versions], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(versions, done.stdout.split(), strict=True))


def deploy(team: Team, version: str, program: str) -> Deployed:
    http = {"path": VERSIONS, "status": 200, "json": {"$.datasette.version": version}, "times": 10}
    hooks = [{"http": http, "name": "version"}, {"pytest": {"path": "smoke"}, "name": "smoke"}]
    team.configure(hooks={"test": hooks}, shift={"canary": {"percent": 20, "wait": "2s"}}, bake={"time": "1s"})
    (team.root / "taskdef.json").write_text(json.dumps(task_definition(version, program, team.sandbox.region)))
    began = CLOCK.monotonic()
    with visitors(team.sandbox.url(80) + VERSIONS) as visits:
        done = team.run("deploy", "--task-definition", "taskdef.json", "-o", "json")
    seconds = CLOCK.monotonic() - began
    with visitors(team.sandbox.url(80) + VERSIONS, number=1) as after:
        CLOCK.sleep(0.5)
    said = {version_of(visit.answer) for visit in after}
    assert len(said) == 1, f"production answers with {said}"
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Deployed(done.returncode, done.stderr + done.stdout, events, visits, seconds, said.pop(), team.weights())


def task_definition(version: str, program: str, region: str) -> dict[str, Any]:
    container = {
        "name": "app",
        "image": f"docker.io/datasetteproject/datasette:{version}",
        "command": [program, "serve", "--memory", "-h", "${BIND_ADDRESS}", "-p", "${PORT}"],
        "essential": True,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/ecs/orders",
                "awslogs-region": region,
                "awslogs-stream-prefix": "datasette",
            },
        },
    }
    return {
        "family": "datasette",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }


def version_of(answer: Any) -> str:
    return str(answer["datasette"]["version"]) if answer and "datasette" in answer else "stand-in"


def at(event: dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(event["at"]).timestamp()


def test_two_published_versions_go_out_one_after_the_other(story: Story, record_property: Record) -> None:
    for name, deployed, version in (("first", story.first, OLD), ("second", story.second, NEW)):
        assert deployed.code == 0, deployed.text
        assert deployed.live == version
        record_property(f"{name} deployment", f"{deployed.seconds:.1f} s, answers {dict(deployed.versions)}")
    assert story.first.weights == {"orders-2": 100}
    assert story.second.weights == {"orders-1": 100}


def test_no_visitor_is_failed_by_any_of_the_deployments(story: Story) -> None:
    for deployed in (story.first, story.second, story.mislabelled):
        assert not deployed.visits.problems
        assert len(deployed.visits) > 200


def test_smoke_tests_check_the_version_through_the_test_route_before_the_shift(story: Story) -> None:
    for deployed in (story.first, story.second):
        ended = [event for event in deployed.events if event["kind"] == "hook_ended"]
        told = [(event["data"]["hook"], event["data"]["point"], event["data"]["status"]) for event in ended]
        assert told == [("version", "test", "passed"), ("smoke", "test", "passed")]
        assert all(at(event) <= deployed.began("shift") for event in ended)


def test_green_never_answers_in_production_before_the_shift(story: Story) -> None:
    for deployed, blue, green in ((story.first, "stand-in", OLD), (story.second, OLD, NEW)):
        assert set(deployed.versions) == {blue, green}
        first = next(visit.answered_at for visit in deployed.visits if version_of(visit.answer) == green)
        assert first >= deployed.began("shift")


def test_blue_never_answers_after_the_canary(story: Story) -> None:
    for deployed, blue in ((story.first, "stand-in"), (story.second, OLD)):
        last = max(visit.asked_at for visit in deployed.visits if version_of(visit.answer) == blue)
        assert last <= deployed.began("bake")


def test_release_that_is_not_the_version_it_claims_to_be_is_rolled_back_unseen(
    story: Story, record_property: Record
) -> None:
    third = story.mislabelled
    assert third.code == 3, third.text
    assert OLD in third.text, "it says which version answered"
    assert MISLABELLED in third.text
    assert third.live == NEW
    assert third.weights == {"orders-1": 100}
    assert set(third.versions) == {NEW}
    record_property("mislabelled release", f"{third.seconds:.1f} s, answers {dict(third.versions)}")
