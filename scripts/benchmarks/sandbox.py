"""The sandbox's own times: until it is up, until a weight change carries traffic, until it is gone."""

from __future__ import annotations

import sys

from scripts.benchmarks.figures import Result, Table, milliseconds, run, spread
from scripts.benchmarks.place import CLOCK, Baking, a_team, an_environment
from scripts.benchmarks.wire import Poller
from tests.sandbox.team import BLUE, GREEN

UPS = 3
ROUNDS = 20
TARGET = 0.1


def measure(rounds: int = ROUNDS) -> Result:
    ups, downs = zip(*(_up_and_down() for _ in range(UPS)), strict=True)
    with a_team() as team:
        baking = Baking(team)
        with Poller.on(team.sandbox.url(80), team.root) as poller:
            changes = [_change(baking, poller, number % 2 == 0) for number in range(rounds)]
    return {
        "up": spread(ups),
        "down": spread(downs),
        "called": spread([called for called, _ in changes]),
        "answered": spread([answered for _, answered in changes]),
    }


def tables(result: Result) -> list[Table]:
    names = {
        "up": "`sandbox up`, until its services are healthy",
        "down": "`sandbox down`, until nothing is left",
        "called": "ModifyListener called → first answer with the new weights",
        "answered": "ModifyListener answered → first answer with the new weights",
    }
    rows = [
        (text, result[key]["n"], *(milliseconds(result[key][of]) for of in ("median", "min", "max")))
        for key, text in names.items()
    ]
    most = result["answered"]["max"]
    return [
        Table(
            "The sandbox",
            ("what", "n", "median", "least", "most"),
            rows,
            f"Target: a weight change carries traffic within {milliseconds(TARGET)}; at most "
            f"{milliseconds(max(0.0, most))} after the API's answer were seen. A negative time says that the traffic "
            "had changed before the API had answered.",
        )
    ]


# Private


def _up_and_down() -> tuple[float, float]:
    with an_environment() as (environment, folder):
        kept = {key: value for key, value in environment.items() if not key.startswith("AWS_")}
        command = [sys.executable, "-m", "bluegreen", "sandbox"]
        up, down = (run([*command, word], kept, folder) for word in ("up", "down"))
    for ended in (up, down):
        if ended.code != 0:
            raise RuntimeError(f"the sandbox: {ended.out}\n{ended.err}")
    return up.wall, down.wall


def _change(baking: Baking, poller: Poller, blue: bool) -> tuple[float, float]:
    """Seconds from the call's start, and from its end."""
    CLOCK.sleep(0.2)
    began = CLOCK.monotonic()
    baking.to_blue() if blue else baking.to_green()
    ended = CLOCK.monotonic()
    seen = poller.first(BLUE if blue else GREEN, began)
    return seen - began, seen - ended
