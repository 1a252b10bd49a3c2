"""Where the measuring is done: a sandbox with a team in it, and a deployment in its bake that can be put back there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bluegreen.clock import SystemClock
from bluegreen.domain.events import Event
from tests.sandbox.team import GREEN, Team

CLOCK = SystemClock()
BIN = Path(sys.executable).parent


@contextmanager
def a_team(**parameters: str) -> Iterator[Team]:
    """A sandbox of its own; nothing of it is left."""
    root = Path(tempfile.mkdtemp(prefix="bluegreen-bench-"))
    try:
        team = Team(root, **parameters)
        try:
            yield team
        finally:
            team.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def an_environment() -> Iterator[tuple[dict[str, str], Path]]:
    """For processes that reach nothing, and a folder of theirs."""
    folder = Path(tempfile.mkdtemp(prefix="bluegreen-bench-"))
    try:
        yield {**os.environ, "XDG_STATE_HOME": str(folder)}, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Baking:
    """A deployment in its bake that nobody drives: it was driven there and its driver ended by Ctrl-C.

    ``again`` restores that state, row for row in the store, before the next rollback: what an on-call meets.
    """

    def __init__(self, team: Team) -> None:
        self.team = team
        # The finisher of a rollback must not have touched green before it is ended and the state is restored.
        team.configure(shift="all-at-once", bake={"time": "2h"}, health={"settle": "0s"}, settle="8s")
        driver = team.start("deploy", "--image", GREEN)
        try:
            team.wait_for_phase("bake", 30.0)
            CLOCK.sleep(1.0)
        except AssertionError as error:
            raise RuntimeError(f"{error}\n{_stopped(driver)}") from None
        said = _stopped(driver)
        if driver.returncode != 130:
            raise RuntimeError(f"the deployment did not stay in its bake:\n{said}")
        # What puts the deployment back must not use up the writes of what is measured.
        team.sandbox.ask("POST", "throttles", {"enabled": True, "scale": 100})
        self.environment = team.environment()
        self._store = Path(self.environment["BLUEGREEN_STORE"].removeprefix("sqlite:///"))
        self._kept = self._store.with_suffix(".kept")
        _copy(self._store, self._kept)
        self.listener = team.sandbox.listener(80)
        self._elbv2 = team.sandbox.client("elbv2")
        self._green = {arn: self._actions(arn) for arn in (self.listener, team.sandbox.listener(8080))}

    def again(self, output: str = "") -> None:
        """``output`` is the last rollback's: it names the process that cleans up, which is ended first."""
        for pid in re.findall(r"by process (\d+) in the background", output):
            _end(int(pid))
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._store}{suffix}").unlink(missing_ok=True)
        _copy(self._kept, self._store)
        for arn, actions in self._green.items():
            self._elbv2.modify_listener(ListenerArn=arn, DefaultActions=actions)

    def to_blue(self) -> None:
        self._elbv2.modify_listener(ListenerArn=self.listener, DefaultActions=self._weighted("orders-1"))

    def to_green(self) -> None:
        self._elbv2.modify_listener(ListenerArn=self.listener, DefaultActions=self._green[self.listener])

    def blue_actions(self) -> str:
        """What a person would type for ``--default-actions``: all traffic on blue."""
        return json.dumps(self._weighted("orders-1"))

    def must_be_blue(self) -> None:
        found = self.team.weights()
        if found != {"orders-1": 100}:
            raise RuntimeError(f"the traffic is not on blue: {found}")

    def _actions(self, arn: str) -> list[dict[str, Any]]:
        answer = self._elbv2.describe_listeners(ListenerArns=[arn])
        actions: list[dict[str, Any]] = answer["Listeners"][0]["DefaultActions"]
        for action in actions:
            action.pop("TargetGroupArn", None)
        return actions

    def _weighted(self, full: str) -> list[dict[str, Any]]:
        groups = self._green[self.listener][0]["ForwardConfig"]["TargetGroups"]
        pairs = [{**group, "Weight": 100 * (f"/{full}/" in group["TargetGroupArn"])} for group in groups]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": pairs}}]


def newest_events(team: Team) -> list[Event]:
    """The events of the newest deployment."""
    from bluegreen.store.sqlite import SqliteStore

    path = team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
    with closing(SqliteStore(Path(path))) as store:
        return list(store.events(store.history("orders", 1)[0].id))


# Private


def _stopped(driver: subprocess.Popen[str]) -> str:
    """Ended by Ctrl-C; what it had said."""
    driver.send_signal(signal.SIGINT)
    return "\n".join(driver.communicate(timeout=30))


def _copy(source: Path, target: Path) -> None:
    """With what is still in the log beside the file."""
    with closing(sqlite3.connect(source)) as held, closing(sqlite3.connect(target)) as copy:
        held.backup(copy)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        while True:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
            if state == "Z":
                return
            CLOCK.sleep(0.005)
    except (ProcessLookupError, FileNotFoundError):
        return
