"""Every call fails, each in turn.

Throttled; refused (AccessDenied); answered with 500 or timed out, without effect or having taken effect; answered with
a stale read: alone, and three times in a row. The driver's own patience must carry it through; where it ends instead
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
    scenarios = [*deployments(), *automatic_rollbacks(), *rollbacks_by_hand()]
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
    return count(
        f"{fault.name}, {suffix}", losses, budget.clock, lambda: f"{sum(watched)} states of the world looked at"
    )
