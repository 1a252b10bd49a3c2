"""A newcomer: a sandbox, init, verify, deploy; nothing else is typed, and only times are edited. And one whose service
has a single slot: the manual's commands give it the second."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import wait_for
from tests.sandbox.team import GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("proof-init")]

DOCS = Path(__file__).parents[2] / "docs"
QUICK = {"wait: 5m": "wait: 500ms", "time: 30m": "time: 500ms", "settle: 10s": "settle: 500ms"}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("init"), DeregistrationDelay="1")
    (team.root / "bluegreen.yaml").unlink()
    yield team
    team.close()


def hurry(file: Path) -> None:
    """Nobody waits for users here."""
    text = file.read_text()
    for slow, quick in QUICK.items():
        assert slow in text
        text = text.replace(slow, quick)
    file.write_text(text + "\nsettle: 1s\n")


def look_around(team: Team, *, without: str = "") -> str:
    """An access key with the permissions that docs/iam.md names for init, enforced; ``without`` one of them."""
    text = (DOCS / "iam.md").read_text(encoding="utf-8").split("## Before there is a configuration", 1)[1]
    policy = json.loads(text.split("```json\n", 1)[1].split("```", 1)[0])
    policy["Statement"][0]["Action"] = [each for each in policy["Statement"][0]["Action"] if each != without]
    team.sandbox.ask("POST", "policies", {"access_key": "newcomer", "policy": policy})
    return "newcomer"


def second_slot(known: dict[str, str]) -> list[str]:
    """The manual's commands, with what stands in capitals filled in."""
    text = (DOCS / "manual.md").read_text(encoding="utf-8")
    section = text.split("### The second slot", 1)[1].split("### ", 1)[0]
    block = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    filled = re.sub(r"[A-Z][A-Z-]+[A-Z]", lambda word: known.get(word[0], word[0]), block)
    return re.split(r"\n(?=aws |bluegreen )", filled)


def aws(team: Team, command: str) -> str:
    done = subprocess.run(
        ["sh", "-c", command.replace("aws", str(Path(sys.executable).with_name("aws")), 1)],
        env=team.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, command + done.stderr
    return done.stdout


def keep_one_slot(team: Team) -> tuple[str, dict[str, str]]:
    """Of both slots the live one, as most services are; its name, and what the manual's capitals stand for."""
    ecs, elb = team.sandbox.client("ecs"), team.sandbox.client("elbv2")
    (name,) = team.weights()
    (idle,) = {"orders-1", "orders-2"} - {name}
    live = team.sandbox.target_group(name)
    for port in (80, 8080):
        forward = [{"Type": "forward", "TargetGroupArn": live}]
        elb.modify_listener(ListenerArn=team.sandbox.listener(port), DefaultActions=forward)
    ecs.delete_service(cluster="production", service=idle, force=True)
    service = ecs.describe_services(cluster="production", services=[name])["services"][0]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    return name, {
        "VPC": elb.describe_target_groups(TargetGroupArns=[live])["TargetGroups"][0]["VpcId"],
        "LISTENER": team.sandbox.listener(80),
        "ORDERS": live,
        "SUBNETS": ",".join(network["subnets"]),
        "GROUPS": ",".join(network["securityGroups"]),
    }


def test_a_service_that_nobody_configured_is_deployed_after_init_and_verify(newcomer: Team) -> None:
    listed = newcomer.run("init")
    assert listed.returncode == 2
    assert "orders (orders-1, orders-2)" in listed.stderr
    denied = newcomer.run("init", "orders", AWS_ACCESS_KEY_ID=look_around(newcomer, without="ecs:ListServices"))
    assert denied.returncode == 6
    assert "error: not allowed: ecs:ListServices" in denied.stderr
    written = newcomer.run("init", "orders", AWS_ACCESS_KEY_ID=look_around(newcomer))
    assert written.returncode == 0, written.stderr
    verified = newcomer.run("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "nothing stands in the way of a deploy of orders" in verified.stdout
    hurry(newcomer.root / "bluegreen.yaml")
    said = newcomer.deploy(GREEN)
    assert "GET /health" in said
    assert newcomer.weights() == {"orders-2": 100}
    spoken = {call["operation"] for call in newcomer.sandbox.ask("GET", "calls")}
    assert {"ListServices", "DescribeAlarms", "DescribeRules"} <= spoken
    again = newcomer.run("init", "orders")
    assert again.returncode == 6


def test_a_service_with_one_slot_is_refused_until_the_manuals_commands_gave_it_the_second(newcomer: Team) -> None:
    live, known = keep_one_slot(newcomer)
    refused = newcomer.run("init", "orders", "--force")
    assert refused.returncode == 6
    assert f"service {live} has no second slot" in refused.stderr
    assert "docs/manual.md, The second slot" in refused.stderr
    create, *others, init = second_slot(known)
    made = json.loads(aws(newcomer, create))
    known["ORDERS-GREEN"] = made["TargetGroups"][0]["TargetGroupArn"]
    for command in second_slot(known)[1:-1]:
        aws(newcomer, command)
    assert (len(others), init.split()[:2]) == (2, ["bluegreen", "init"])
    written = newcomer.run(*init.split()[1:], "--force")
    assert written.returncode == 0, written.stderr
    assert "orders-green, service orders-green" in written.stdout
    # The sandbox looks at a target anew when the routes around it change: for a moment blue is not healthy yet.
    said: list[str] = []

    def is_verified() -> bool:
        verified = newcomer.run("verify")
        said.append(verified.stdout + verified.stderr)
        return verified.returncode == 0

    wait_for(is_verified, 30, lambda: said[-1])
