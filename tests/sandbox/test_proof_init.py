"""A newcomer: a sandbox, init, verify, deploy; nothing else is typed, and only times are edited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.team import GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("proof-init")]

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


def test_a_service_that_nobody_configured_is_deployed_after_init_and_verify(newcomer: Team) -> None:
    listed = newcomer.run("init")
    assert listed.returncode == 2
    assert "orders (orders-1, orders-2)" in listed.stderr
    written = newcomer.run("init", "orders")
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
