"""Each call in turn fails, once or three times in a row: the run ends, and no safety rule is broken on the way."""

from __future__ import annotations

import pytest

from scripts.campaigns.frame import sampled
from tests.faults.exploring import Fault, automatic_rollbacks, deployments, every, rollbacks_by_hand, try_point
from tests.faults.failing import faults

pytestmark = pytest.mark.faults

SCENARIOS = [*deployments(), *automatic_rollbacks(), *rollbacks_by_hand()]
SHARE = 0.012
"""Of the points; scripts/faults tries all of them."""


def named(fault: Fault) -> str:
    return fault.name.replace(" ", "-")


@pytest.mark.parametrize("fault", faults(1), ids=named)
def test_run_ends_well_whichever_call_fails(fault: Fault) -> None:
    lost = [try_point(*each) for each in sampled(every(SCENARIOS, [fault]), SHARE)]
    assert len(lost) >= 10
    assert not [loss for loss in lost if loss]


@pytest.mark.parametrize("fault", faults(3), ids=named)
def test_run_ends_well_whichever_call_fails_three_times_in_a_row(fault: Fault) -> None:
    lost = [try_point(*each) for each in sampled(every(SCENARIOS, [fault]), SHARE)]
    assert len(lost) >= 10
    assert not [loss for loss in lost if loss]
