"""A process that is stopped for longer than its lease and then goes on never moves traffic again: real processes."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest

from tests.sandbox.team import CLOCK, GREEN, Team

pytestmark = [pytest.mark.sandbox, pytest.mark.faults, pytest.mark.xdist_group("stopped")]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    team = Team(tmp_path, DeregistrationDelay="1")
    team.configure(shift={"canary": {"percent": 5, "wait": "3s"}}, bake={"time": "60s"})
    yield team
    team.close()


@pytest.mark.parametrize("phase", ["shift", "bake"])
def test_deploy_that_was_stopped_past_its_lease_leaves_traffic_on_blue_and_ends_with_5(team: Team, phase: str) -> None:
    driver = team.start("deploy", "--image", GREEN, BLUEGREEN_LEASE_SECONDS="2")
    team.wait_for_phase(phase)
    _stop_outside_a_transaction(team, driver)
    try:
        CLOCK.sleep(2.5)
        back = team.run("rollback", "--reason", "pager", BLUEGREEN_LEASE_SECONDS="2")
        assert back.returncode == 0, back.stdout + back.stderr
        assert "SAFE" in back.stdout + back.stderr
        assert team.weights() == {"orders-1": 100}
    finally:
        driver.send_signal(signal.SIGCONT)
    assert _stays_on_blue_until_it_ends(team, driver)
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 5, err
    assert "rollback) rolled deployment" in err
    team.wait_for_phase("rolled_back", 90)
    assert team.weights() == {"orders-1": 100}


def test_deploy_that_was_stopped_past_its_lease_lets_a_resume_finish_and_writes_no_more(team: Team) -> None:
    team.configure(shift={"canary": {"percent": 5, "wait": "3s"}}, bake={"time": "3s"})
    driver = team.start("deploy", "--image", GREEN, BLUEGREEN_LEASE_SECONDS="2")
    team.wait_for_phase("bake")
    _stop_outside_a_transaction(team, driver)
    try:
        CLOCK.sleep(2.5)
        resumed = team.run("resume", seconds=120, BLUEGREEN_LEASE_SECONDS="2")
    finally:
        driver.send_signal(signal.SIGCONT)
    assert resumed.returncode == 0, resumed.stderr
    _, err = driver.communicate(timeout=30)
    assert driver.returncode == 5, err
    assert team.weights() == {"orders-2": 100}
    assert team.running("orders-1") == 0


# -- private


def _stop_outside_a_transaction(team: Team, driver: Popen[str]) -> None:
    """One that is stopped while it holds the file's lock keeps everybody from the record: that is another test."""
    file = team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
    for _ in range(50):
        driver.send_signal(signal.SIGSTOP)
        if _is_free(file):
            return
        driver.send_signal(signal.SIGCONT)
        CLOCK.sleep(0.05)
    raise AssertionError("it held the file's lock each time it was stopped")


def _is_free(file: str) -> bool:
    with (
        closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as store,
        contextlib.suppress(sqlite3.OperationalError),
    ):
        store.execute("BEGIN IMMEDIATE")
        store.execute("ROLLBACK")
        return True
    return False


def _stays_on_blue_until_it_ends(team: Team, driver: Popen[str]) -> bool:
    """Looks at the route while the process wakes up, and a little longer."""
    end = CLOCK.monotonic() + 6.0
    while CLOCK.monotonic() < end:
        assert team.weights() == {"orders-1": 100}
        if driver.poll() is not None and CLOCK.monotonic() > end - 4.0:
            return True
        CLOCK.sleep(0.5)  # looking more often is throttled, as on AWS
    return driver.poll() is not None
