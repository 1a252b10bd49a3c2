"""A driver dies at every call.

Every call to AWS and every write to the store, of a whole deployment and of a rollback (by hand in each phase,
automatic, as a redeployment), for each shift strategy (explicit steps are to the engine what linear is: a list of
steps), and with autoscaling to be suspended and restored. The process dies before the call, or after it took effect and
before its answer came; dying after the answer is dying before the next call, because only its own memory changes in
between. Another driver then resumes, dies at a call of its own, or a person rolls back instead. In memory, with the
real drivers and engine; after every single call a checker looks at the whole world.
"""

from __future__ import annotations

from collections.abc import Callable

from scripts.campaigns.frame import Budget, Row, count, sampled
from tests.faults.exploring import (
    Scenario,
    automatic_rollbacks,
    autoscaled,
    deployments,
    die,
    every,
    pairs_of_deaths,
    rollbacks_by_hand,
    try_death_of_two,
    try_point,
    try_rollback_instead,
)

FAULTS = [die("before"), die("after")]
SECOND_DEATHS = 0.002
"""The part of all pairs of deaths that is tried: there are half a million."""


def run(budget: Budget) -> list[Row]:
    groups = (
        ("a deployment's driver dies", deployments()),
        ("the driver of an automatic rollback dies", automatic_rollbacks()),
        ("a rollback by hand dies", rollbacks_by_hand()),
    )
    rows = [_once(budget, what, scenarios) for what, scenarios in groups]
    everything = [scenario for _, scenarios in groups for scenario in scenarios]
    rows.append(_once(budget, "the same, of the canary, with autoscaling", _autoscaled()))
    return [*rows, _instead(budget), _twice(budget, everything)]


# Private


def _autoscaled() -> list[Scenario]:
    canary = [each for each in (*deployments(), *automatic_rollbacks()) if "canary" in each.name]
    return [autoscaled(each) for each in (*canary, *rollbacks_by_hand(("canary",)))]


def _once(budget: Budget, what: str, scenarios: list[Scenario]) -> Row:
    watched: list[int] = []
    tries = sampled(every(scenarios, FAULTS), budget.share)
    losses = (try_point(scenario, fault, point, watched) for scenario, fault, point in tries)
    return count(what, losses, budget.clock, _instants(watched))


def _instead(budget: Budget) -> Row:
    watched: list[int] = []
    tries = sampled(every(deployments(), FAULTS), budget.share)
    losses = (try_rollback_instead(scenario, fault, point, watched) for scenario, fault, point in tries)
    return count("a deployment's driver dies, and a person rolls back", losses, budget.clock, _instants(watched))


def _twice(budget: Budget, scenarios: list[Scenario]) -> Row:
    watched: list[int] = []
    tries = sampled(pairs_of_deaths(scenarios, FAULTS), budget.share * SECOND_DEATHS)
    losses = (try_death_of_two(*each, watched) for each in tries)
    return count("the driver dies, and so does the one that resumes", losses, budget.clock, _instants(watched))


def _instants(watched: list[int]) -> Callable[[], str]:
    return lambda: f"{sum(watched):,} states of the world looked at"
