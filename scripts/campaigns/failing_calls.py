"""Every call fails, each in turn.

Throttled; refused (AccessDenied); answered with 500 or timed out, without effect or having taken effect; answered with
a stale read: alone, and three times in a row. Of deployments and of rollbacks by hand for each shift strategy, of
automatic rollbacks for the canary. The driver's own patience must carry it through; where it ends instead
(a refusal), the person mends the fault and types `bluegreen resume`. In memory, with the real drivers and engine; after
every single call a checker looks at the whole world. What the sandbox's API itself answers is in *bad days*.
"""

from __future__ import annotations

from scripts.campaigns.frame import Budget, Row, count, sampled
from tests.faults.exploring import (
    Fault,
    Scenario,
    automatic_rollbacks,
    deployments,
    every,
    rollbacks_by_hand,
    try_point,
)
from tests.faults.failing import faults


def run(budget: Budget) -> list[Row]:
    scenarios = [*deployments(), *automatic_rollbacks(("canary",)), *rollbacks_by_hand()]
    return [
        _row(budget, fault, scenarios, suffix)
        for times, suffix in ((1, "once"), (3, "three times in a row"))
        for fault in faults(times)
    ]


# Private


def _row(budget: Budget, fault: Fault, scenarios: list[Scenario], suffix: str) -> Row:
    watched: list[int] = []
    tries = sampled(every(scenarios, [fault]), budget.share)
    losses = (try_point(scenario, each, point, watched) for scenario, each, point in tries)
    what = f"{fault.name}, {suffix}"
    row = count(what, losses, budget.clock, lambda: f"{sum(watched):,} states of the world looked at")
    budget.tell(f"{row.what}: {row.tried} points, {row.lost} lost")
    return row
