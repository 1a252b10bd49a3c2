"""A sandbox for campaigns: its team's releases, its record, and what must be true once a deployment has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.service import ServiceState
from bluegreen.store.base import StateStore
from bluegreen.store.dynamodb import DynamoStore
from bluegreen.store.sqlite import SqliteStore
from scripts.campaigns.frame import Budget
from tests.sandbox.team import CLOCK, Team

QUICK: dict[str, Any] = {
    "shift": {"canary": {"percent": 5, "wait": "600ms"}},
    "bake": {"time": "600ms"},
    "health": {"percent": 100, "settle": "300ms"},
    "settle": "300ms",
}
"""Waits as short as they can be told apart: the campaign is about what happens between them."""

SLOTS = ("orders-1", "orders-2")
TABLE = "bluegreen"
ROOT = Path(__file__).parents[2]


class HastyTeam(Team):
    """Its commands do not wait five minutes for the end of a dead driver's signature: see the module they run."""

    module = "tests.faults.hasty"

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(PYTHONPATH=str(ROOT), **more)


class CloudTeam(HastyTeam):
    """Keeps its records in the sandbox's DynamoDB: each save is a call too. There are no quotas: see ``throttles``."""

    def __init__(self, root: Path, **parameters: str) -> None:
        super().__init__(root, **parameters)
        made = self.run("store", "create")
        assert made.returncode == 0, made.stderr
        self.sandbox.ask("POST", "throttles", {"enabled": False})

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**{"BLUEGREEN_STORE": f"dynamodb://{TABLE}", **more})


TeamT = TypeVar("TeamT", bound=Team)


@contextmanager
def team_in(folder: Path, kind: type[TeamT], **parameters: str) -> Iterator[TeamT]:
    folder.mkdir(parents=True, exist_ok=True)
    team = kind(folder, DeregistrationDelay="2", **parameters)
    try:
        team.configure(**QUICK)
        yield team
    finally:
        team.close()


def store_path(team: Team) -> Path:
    return Path(team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///"))


@contextmanager
def store_of(team: Team) -> Iterator[StateStore]:
    if isinstance(team, CloudTeam):
        yield DynamoStore(team.sandbox.client("dynamodb"), TABLE)
        return
    with closing(SqliteStore(store_path(team))) as store:
        yield store


def last(team: Team, service: str = "orders") -> Deployment | None:
    with store_of(team) as store:
        known = store.history(service, 1)
    return known[0] if known else None


def state(team: Team, service: str = "orders") -> ServiceState:
    with store_of(team) as store:
        return store.service(service)


def image(number: int) -> str:
    return f"registry.example/orders:{number}.0.0"


def what_is_wrong(team: Team, budget: Budget) -> str | None:
    """None when the record has ended, the world agrees with it, and the idle slot is empty (given time to drain)."""
    d = last(team)
    if state(team).active is not None or d is None or not d.phase.final:
        return f"the deployment did not end: {d.phase.value if d else 'no record'}"
    live = d.green.name if d.phase is Phase.SUCCEEDED else d.blue.name
    if team.weights() != {live: 100}:
        return f"{d.phase.value}, but the weights are {team.weights()}"
    idle = next(slot for slot in SLOTS if slot != live)
    end = budget.clock.monotonic() + 15
    while team.running(idle) or team.running(live) != 2:
        if budget.clock.monotonic() > end:
            return f"{live} runs {team.running(live)} tasks, {idle} {team.running(idle)}"
        CLOCK.sleep(0.2)
    return None
