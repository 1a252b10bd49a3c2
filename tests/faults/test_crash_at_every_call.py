"""A driver may die between any two instructions: before a call, or after it took effect. Another one converges.

In memory: the calls to the world and to the store, of whole deployments and of rollbacks. Every twentieth point is
tried here, of the canary deployment every fourth; scripts/faults tries each.
"""

from __future__ import annotations

import pytest

from scripts.campaigns.crashes import FAULTS, SECOND_DEATHS
from scripts.campaigns.frame import sampled
from tests.faults.exploring import (
    Scenario,
    automatic_rollbacks,
    autoscaled,
    deployments,
    every,
    pairs_of_deaths,
    rollbacks_by_hand,
    try_death_of_two,
    try_point,
    try_rollback_instead,
)

pytestmark = pytest.mark.faults

SHARE = 1 / 20


def named(scenario: Scenario) -> str:
    return scenario.name.replace(" ", "-")


@pytest.mark.parametrize("scenario", deployments(), ids=named)
def test_deployment_converges_wherever_its_driver_dies(scenario: Scenario) -> None:
    share = 1 / 4 if "canary" in scenario.name else SHARE
    lost = [try_point(*each) for each in sampled(every([scenario], FAULTS), share)]
    assert len(lost) > 10
    assert not [loss for loss in lost if loss]


@pytest.mark.parametrize("scenario", automatic_rollbacks(), ids=named)
def test_automatic_rollback_converges_wherever_its_driver_dies(scenario: Scenario) -> None:
    lost = [try_point(*each) for each in sampled(every([scenario], FAULTS), SHARE)]
    assert len(lost) > 6
    assert not [loss for loss in lost if loss]


@pytest.mark.parametrize("scenario", rollbacks_by_hand(), ids=named)
def test_rollback_by_hand_converges_wherever_it_dies(scenario: Scenario) -> None:
    lost = [try_point(*each) for each in sampled(every([scenario], FAULTS), SHARE)]
    assert len(lost) >= 2
    assert not [loss for loss in lost if loss]


@pytest.mark.parametrize("scenario", deployments(), ids=named)
def test_deployment_whose_driver_died_anywhere_can_be_rolled_back(scenario: Scenario) -> None:
    lost = [try_rollback_instead(*each) for each in sampled(every([scenario], FAULTS), SHARE)]
    assert not [loss for loss in lost if loss]


def test_deployment_converges_when_the_resuming_driver_dies_too() -> None:
    scenarios = [*deployments(), *automatic_rollbacks(), *rollbacks_by_hand()]
    lost = [try_death_of_two(*each) for each in sampled(pairs_of_deaths(scenarios, FAULTS), SECOND_DEATHS / 40)]
    assert len(lost) > 25
    assert not [loss for loss in lost if loss]


@pytest.mark.parametrize(
    "scenario",
    [autoscaled(each) for each in (deployments()[1], automatic_rollbacks()[2], *rollbacks_by_hand(("canary",)))],
    ids=named,
)
def test_whoever_finishes_restores_autoscaling_wherever_the_driver_dies(scenario: Scenario) -> None:
    lost = [try_point(*each) for each in sampled(every([scenario], FAULTS), SHARE)]
    assert len(lost) >= 2
    assert not [loss for loss in lost if loss]
