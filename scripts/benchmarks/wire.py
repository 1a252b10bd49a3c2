"""From the prompt to the users: when the production listener's answers change after a rollback was typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from scripts.benchmarks.figures import Result, Table, milliseconds, spread
from scripts.benchmarks.place import CLOCK, Baking, a_team
from scripts.benchmarks.rollback import roll_back
from tests.sandbox.team import BLUE, Team

ROUNDS = 15
DRIVEN_ROUNDS = 5

ALONE, DRIVEN = "nobody drives the deployment", "its driver is running and is pre-empted"


def measure(rounds: int = ROUNDS) -> Result:
    with a_team() as team:
        baking = Baking(team)
        with Poller.on(team.sandbox.url(80), team.root) as poller:
            alone = [_one(baking, poller) for _ in range(rounds + 1)][1:]
            driven = [_driven(baking, poller) for _ in range(min(rounds, DRIVEN_ROUNDS))]
    return {ALONE: _summary(alone), DRIVEN: _summary(driven)}


def tables(result: Result) -> list[Table]:
    rows = [
        (name, what, each["n"], *(milliseconds(each[key]) for key in ("median", "min", "max")))
        for name in (ALONE, DRIVEN)
        for what, each in result[name].items()
    ]
    return [
        Table(
            "From the prompt",
            ("deployment", "until", "n", "median", "least", "most"),
            rows,
            "Target: under one second to the write. Seen from outside: another process asks the production listener "
            "every five milliseconds and notes the first answer that comes from blue. With a driver running, the "
            "command stays until that driver has said that it stopped (its heartbeat is one second); the users are "
            "on blue before.",
        )
    ]


class Poller:
    """``first(image, since)``: monotonic time of the first answer of an image after ``since``."""

    def __init__(self, lines: Path) -> None:
        self._lines = lines

    @classmethod
    @contextmanager
    def on(cls, url: str, folder: Path) -> Iterator[Self]:
        lines = folder / "answers.txt"
        with lines.open("wb") as out:
            process = subprocess.Popen([sys.executable, str(Path(__file__).parent / "poller.py"), url], stdout=out)
        try:
            yield cls(lines)
        finally:
            process.kill()
            process.wait()

    def first(self, image: str, since: float, seconds: float = 10.0) -> float:
        end = CLOCK.monotonic() + seconds
        while CLOCK.monotonic() < end:
            for line in self._lines.read_text(encoding="utf-8").splitlines():
                at, seen, _ = line.split()
                if seen == image and float(at) > since:
                    return float(at)
            CLOCK.sleep(0.02)
        raise RuntimeError(f"no answer of {image} within {seconds:g} s")


# Private


def _one(baking: Baking, poller: Poller) -> tuple[float, float]:
    """Seconds to the first answer of blue, and to the process's end."""
    CLOCK.sleep(0.2)
    ended = roll_back(baking)
    return poller.first(BLUE, ended.began) - ended.began, ended.wall


def _driven(baking: Baking, poller: Poller) -> tuple[float, float]:
    driver = baking.team.start("resume", "orders")
    try:
        _wait_for_a_holder(baking.team)
        found = _one(baking, poller)
        driver.communicate(timeout=30)
    finally:
        driver.kill()
    if driver.returncode != 5:
        raise RuntimeError(f"the pre-empted driver ended with {driver.returncode}, not 5")
    return found


def _wait_for_a_holder(team: Team) -> None:
    from bluegreen.store.sqlite import SqliteStore

    store = SqliteStore(Path(team.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")))
    end = CLOCK.monotonic() + 20
    while store.service("orders").lease is None:
        if CLOCK.monotonic() > end:
            raise RuntimeError("nobody took the deployment up")
        CLOCK.sleep(0.05)
    store.close()
    CLOCK.sleep(1.0)


def _summary(samples: list[tuple[float, float]]) -> Result:
    return {
        "users are on blue": spread([wire for wire, _ in samples]),
        "the command has ended": spread([wall for _, wall in samples]),
    }
