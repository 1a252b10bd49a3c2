"""Someone else writes the weights between any two calls of a deployment: never written over in silence."""

from __future__ import annotations

import pytest

from bluegreen.domain.spec import RouteSpec
from bluegreen.drivers.foreground import deploy
from scripts.campaigns.frame import sampled
from tests.faults.foreign import ONE_ROUTE, TWO_ROUTES, instants, overwritten, spec_of
from tests.stage import NEW, Recorder, Stage

pytestmark = pytest.mark.faults

SHARE = 0.03
"""Of the instants; scripts/faults tries all of them."""


@pytest.mark.parametrize(
    ("routes", "written", "slow_hooks"),
    [(ONE_ROUTE, 0, False), (TWO_ROUTES, 0, False), (TWO_ROUTES, 1, False), (ONE_ROUTE, 0, True)],
)
def test_a_foreign_write_is_held_within_a_look_and_left_alone_whenever_it_comes(
    routes: tuple[RouteSpec, ...], written: int, slow_hooks: bool
) -> None:
    spec = spec_of(routes, slow_hooks=slow_hooks)
    closed = [instant for instant in instants(spec) if not instant.open]
    lost = [overwritten(spec, instant, written) for instant in sampled(closed, SHARE)]
    assert len(lost) >= 10
    assert not [loss for loss in lost if loss]


def test_right_around_every_call_to_a_route_but_in_the_gap_a_foreign_write_is_held() -> None:
    spec = spec_of(ONE_ROUTE)
    near = [each for each in instants(spec) if each.call.startswith("router.") and not each.open]
    lost = [overwritten(spec, instant, 0) for instant in sampled(near, 0.3)]
    assert len(lost) >= 5
    assert not [loss for loss in lost if loss]


def test_the_gap_that_stays_is_one_for_each_write_with_nothing_but_the_fence_in_it() -> None:
    spec = spec_of(ONE_ROUTE)
    stage = Stage(spec)
    deploy(stage.session(), spec, NEW, Recorder())
    production, test_route = (sum(arn == route for arn, _ in stage.router.writes) for route in stage.router.routes)
    # After the read, before and after the fence, before the write.
    assert sum(instant.open for instant in instants(spec)) == 4 * (production + test_route)
