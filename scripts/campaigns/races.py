"""Drivers race: every interleaving in a model, and real processes over DynamoDB Local.

The model: a state is the store's item, the record, the load balancer, the requests on their way, and what each process
does next; a move is one call of one process, the arrival of a request, a crash, or the passing of time. The lease's
rules, the check before a request is sent and the rules of the word SAFE are the code's own functions. Breadth first,
every state is looked at. With one of these rules taken away the exploration finds what it is for (in the tests).

The processes: a deploy, and one or two rollbacks and resumes typed at random moments; killed, stopped for longer than
their lease and continued; one write in seven is carried out up to its signature's end after it was sent. A last
``resume`` must end it, and a checker judges every write, the moment of SAFE, and the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bluegreen.domain.deployment import Phase
from bluegreen.store.dynamodb_table import create_table
from scripts.campaigns.frame import Budget, Row
from tests.contract.store_support import WITHOUT, a_client, dynamodb_local
from tests.faults.protocol_model import (
    GREEN,
    UNIT,
    Record,
    Route,
    Story,
    Written,
    driver,
    explore,
    resume,
    rollback,
)
from tests.faults.race_driver import TABLE
from tests.faults.races import Race, run_races

RACES = 240
BATCH = 24
MOST_STATES = 1_500_000

DEPLOY, RESUME, ROLLBACK = driver("deploy"), resume("resume"), rollback("rollback")
IN_TEARDOWN = Record(Phase.TEARDOWN, (Route(Written(GREEN, confirmed=True)),))
SECOND = rollback("rollback-2", host="d")

STORIES = {
    "two drivers and a rollback": Story((DEPLOY, RESUME, ROLLBACK)),
    "two drivers and a rollback in the teardown": Story(
        (DEPLOY, RESUME, ROLLBACK), tears_down=True, start=IN_TEARDOWN, route=GREEN
    ),
    "two drivers and a rollback whose clock is ahead": Story((DEPLOY, RESUME, rollback("rollback", ahead=UNIT))),
    "two drivers, one ahead, and a rollback": Story((driver("deploy", ahead=UNIT), RESUME, ROLLBACK)),
    "two drivers and a rollback; one dies": Story((DEPLOY, RESUME, ROLLBACK), crashes=1),
    "a driver and two rollbacks": Story((DEPLOY, ROLLBACK, SECOND)),
    "a driver and two rollbacks in the teardown": Story((DEPLOY, ROLLBACK, SECOND), tears_down=True),
    "a driver and a rollback; an answer is lost": Story((DEPLOY, ROLLBACK), timeouts=1),
    "the same, and gates fire": Story((DEPLOY, ROLLBACK), timeouts=1, gates_fire=True),
    "two drivers in two steps; an answer is lost": Story((DEPLOY, RESUME), timeouts=1, tears_down=True, steps=(5, 100)),
}
"""In the order of importance: a small budget explores the first ones."""


def run(budget: Budget) -> list[Row]:
    rows = [_explored(budget, name, STORIES[name]) for name in list(STORIES)[: budget.of(len(STORIES))]]
    return [*rows, _raced(budget)]


# Private


def _explored(budget: Budget, name: str, story: Story) -> Row:
    began = budget.clock.monotonic()
    found = explore(story, limit=MOST_STATES)
    took = budget.clock.monotonic() - began
    budget.tell(f"{name}: {found.states} states in {took:.0f} s")
    losses = (found.told(),) if found.broken else ()
    note = f"states; in {found.said_safe} SAFE was said"
    return Row(f"model: {name}", found.states, len(losses), took, note, losses)


def _raced(budget: Budget) -> Row:
    began = budget.clock.monotonic()
    races: list[Race] = []
    wanted = budget.of(RACES, least=4)
    with _store(budget.folder) as store:
        while len(races) < wanted:
            first = budget.seed * 100_000 + len(races)
            races += run_races(range(first, first + min(BATCH, wanted - len(races))), store, budget.folder, at_once=6)
            budget.tell(f"{len(races)} of {wanted} races, {sum(bool(race.lost) for race in races)} lost")
    lost = [race.told() for race in races if race.lost]
    took = budget.clock.monotonic() - began
    where = "DynamoDB Local" if store.startswith("http") else "SQLite"
    return Row(f"races of real processes, over {where}", len(races), len(lost), took, _figures(races), tuple(lost[:20]))


def _figures(races: list[Race]) -> str:
    def total(number: Callable[[Race], int]) -> int:
        return sum(number(race) for race in races)

    ends = {phase: sum(race.phase == phase for race in races) for phase in sorted({race.phase for race in races})}
    return (
        f"{total(lambda r: r.kills)} killed, {total(lambda r: r.stops)} stopped and continued, "
        f"{total(lambda r: r.writes)} writes ({total(lambda r: r.late_writes)} late), "
        f"SAFE {total(lambda r: r.said_safe)} times; " + ", ".join(f"{phase} {count}" for phase, count in ends.items())
    )


@contextmanager
def _store(folder: Path) -> Iterator[str]:
    """DynamoDB Local; where there is no java, a SQLite file."""
    if os.environ.get(WITHOUT) == "1":
        yield str(folder / "races.db")
        return
    with dynamodb_local(folder) as server:
        create_table(a_client(server.url), TABLE)
        yield server.url
