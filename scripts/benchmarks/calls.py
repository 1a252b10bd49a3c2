"""AWS calls of one deployment, by operation: with more tasks, and with more waiting time."""

from __future__ import annotations

from collections import Counter

from scripts.benchmarks.figures import Result, Table
from scripts.benchmarks.place import a_team
from tests.sandbox.team import Team

SHORT, LONG = 2.0, 32.0
CASES = {"2 tasks": (2, SHORT), "6 tasks": (6, SHORT), f"2 tasks, bake {LONG - SHORT:g} s longer": (2, LONG)}


def measure(rounds: int = 1) -> Result:
    """One deployment for each case: calls are counted, not timed."""
    return {"calls": {name: _deploy(tasks, bake) for name, (tasks, bake) in CASES.items()}}


def tables(result: Result) -> list[Table]:
    cases: dict[str, dict[str, int]] = result["calls"]
    first, more, longer = cases.values()
    operations = sorted({name for case in cases.values() for name in case}, key=lambda name: -first.get(name, 0))
    rows = [
        (name, *(case.get(name, 0) for case in cases.values()), _a_minute(first, longer, name)) for name in operations
    ]
    total = ("**all**", *(sum(case.values()) for case in cases.values()), sum(row[-1] for row in rows))
    writes = [name for name in operations if not name.partition(":")[2].startswith(("Describe", "List", "Get"))]
    grown = [name for name in writes if more.get(name, 0) != first.get(name, 0)]
    return [
        Table(
            "Calls of one deployment",
            ("operation", *cases, "for each minute of waiting"),
            [*rows, total],
            "A whole deployment with a canary, counted by the sandbox's API from the deploy command alone. No call is "
            "made for a task: the looks at green while it starts grow with the logarithm of the time that takes, and "
            + ("the writes are the same. " if not grown else f"the writes differ: {', '.join(grown)}. ")
            + "While it waits, the deployment looks every five seconds (`gate_interval`): the last column is what the "
            "longer bake had more, for a minute.",
        )
    ]


# Private


def _deploy(tasks: int, bake: float) -> dict[str, int]:
    with a_team(DesiredCount=str(tasks), DeregistrationDelay="1") as team:
        team.configure(bake={"time": f"{bake:g}s"})
        before = len(team.sandbox.ask("GET", "calls"))
        team.deploy()
        return _counted(team, before)


def _counted(team: Team, before: int) -> dict[str, int]:
    calls = team.sandbox.ask("GET", "calls")[before:]
    return dict(Counter(f"{call['service']}:{call['operation']}" for call in calls))


def _a_minute(short: dict[str, int], longer: dict[str, int], name: str) -> int:
    return round((longer.get(name, 0) - short.get(name, 0)) * 60 / (LONG - SHORT))
