"""Nothing is lost: real releases under real load, counted by a load generator that is not ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path

import pytest

from tests.sandbox.team import BLUE, CLOCK, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("load")]
THIRD = "registry.example/orders:3.0.0"
ENOUGH = 10_000


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path)
    yield team
    team.close()


def test_fifty_thousand_requests_through_deploy_rollback_deploy_are_all_answered_right(
    team: Team, record_property: Callable[[str, object], None]
) -> None:
    with team.users() as seen:
        CLOCK.sleep(5)
        driver = team.start("deploy", "--image", GREEN)
        team.wait_for_phase("bake")
        back = team.run("rollback", "--reason", "practice")
        assert back.returncode == 0, back.stderr
        driver.communicate(timeout=60)
        assert driver.returncode == 5
        team.wait_for_phase("rolled_back", 60)
        team.deploy(THIRD)
        while team.running("orders-1"):
            CLOCK.sleep(0.2)
        CLOCK.sleep(8)
        # However slow the machine is today.
        while team.served() < 52_000:
            CLOCK.sleep(2)
    record_property("requests", seen.total)
    record_property("answered", str(seen.answered))
    assert seen.failures == 0, seen.failed[:5]
    assert set(seen.answered) == {BLUE, GREEN, THIRD}
    assert seen.total >= 50_000, seen.answered


def test_canary_share_lies_within_the_binomial_bounds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    team = Team(tmp_path)
    try:
        wait = {"command": ["sh", "-c", "while [ ! -e go ]; do sleep 0.1; done"]}
        team.configure(
            hooks={"before_shift": [wait]}, shift={"canary": {"percent": 5, "wait": "120s"}}, bake={"time": "1s"}
        )
        driver = team.start("deploy", "--image", GREEN)
        team.wait_for_phase("shift")
        with team.users() as before:
            CLOCK.sleep(1)
        (tmp_path / "go").touch()
        while team.weights().get("orders-2") != 5:
            CLOCK.sleep(0.05)
        canary: Counter[str] = Counter()
        # However slow the machine is today: so many that the bounds mean something.
        while canary.total() < ENOUGH:
            with team.users() as seen:
                CLOCK.sleep(8)
            assert seen.failures == 0, seen.failed[:5]
            canary.update(seen.answered)
        assert team.weights()["orders-2"] == 5
        assert team.run("promote").returncode == 0
        driver.communicate(timeout=60)
        with team.users() as after:
            CLOCK.sleep(2)
    finally:
        team.close()
    share, n = canary[GREEN], canary.total()
    record_property("canary", f"{share} of {n}")
    assert driver.returncode == 0
    assert set(before.answered) == {BLUE}, "before the shift green's share is exactly 0"
    assert set(after.answered) == {GREEN}, "after teardown blue's share is exactly 0"
    # Four standard deviations: one false alarm in sixteen thousand runs.
    assert abs(share - 0.05 * n) < 4 * sqrt(n * 0.05 * 0.95)
