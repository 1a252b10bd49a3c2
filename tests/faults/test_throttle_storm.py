"""Many drivers in one account: they slow down, a rollback does not, and a throttle is never taken for an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from bluegreen.aws.calls import READ_PAUSES, URGENT_PAUSES, Calls
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Phase
from bluegreen.domain.split import ALL_GREEN
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import ThrottledError
from bluegreen.traffic.fake import FakeRouter
from bluegreen.traffic.shifting import shift_split
from tests.faults.exploring import Scenario, rollbacks_by_hand, small_spec
from tests.stage import NEW, SPEC, Recorder, Stage
from tests.unit.test_alb_shifting import BLUE, GREEN, routed

pytestmark = pytest.mark.faults


class Throttling:
    """Throttles the first calls of a name."""

    def __init__(self, stage: Stage, name: str, times: int) -> None:
        self.stage, self.name, self.left, self.at = stage, name, times, list[float]()

    def __call__(self, when: str, name: str) -> None:
        if when == "before" and name == self.name and self.left:
            self.left -= 1
            self.at.append(self.stage.clock.now())
            raise ThrottledError(f"AWS throttles {name}")


def describe() -> None:
    raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "DescribeRules")


def test_throttled_writes_delay_no_teardown_and_no_rollback_by_their_announcement() -> None:
    stage = Stage(replace(SPEC, bake=30))
    stage.on_call = Throttling(stage, "router.modify", 4)
    began = stage.clock.now()
    assert deploy(stage.session(), stage.spec, NEW, Recorder()).phase is Phase.SUCCEEDED
    assert stage.latest().late_until == 0.0
    assert stage.clock.now() - began < 200


def test_a_rollback_repeats_a_throttled_tick_at_once_while_a_deployment_backs_off() -> None:
    def gaps(scenario: Scenario) -> list[float]:
        stage = scenario.stage()
        throttle = Throttling(stage, "router.modify", 5)
        stage.on_call = throttle
        scenario.act(stage)
        return [later - earlier for earlier, later in zip(throttle.at, throttle.at[1:], strict=False)]

    back = next(each for each in rollbacks_by_hand() if each.name == "rollback by hand in bake, canary")
    assert max(gaps(back)) <= 0.2
    forward = replace(back, spec=small_spec("canary"), prepare=lambda stage: None, act=_deploy)
    assert min(gaps(forward)[1:]) >= 1.0


def test_a_throttled_survey_is_repeated_and_refuses_nothing() -> None:
    stage = Stage(replace(SPEC, bake=30))
    stage.on_call = Throttling(stage, "router.describe", 3)
    assert deploy(stage.session(), stage.spec, NEW, Recorder()).phase is Phase.SUCCEEDED


def test_reads_slow_down_under_throttles_and_a_rollback_s_do_not() -> None:
    took = []
    for urgent in (False, True):
        clock = FakeClock()
        calls = Calls(clock)
        calls.hurry(urgent)
        for _ in range(2):
            with pytest.raises(ThrottledError):
                calls.read(describe)
        took.append(clock.monotonic() - 1_700_000_000.0)
    patient, urgent_ones = took
    assert patient > 2 * sum(READ_PAUSES) + 1.0, "slower with each throttle"
    assert urgent_ones == pytest.approx(2 * sum(URGENT_PAUSES), abs=0.01)


def test_reads_recover_their_pace_once_aws_answers() -> None:
    clock = FakeClock()
    calls = Calls(clock)
    with pytest.raises(ThrottledError):
        calls.read(describe)
    for _ in range(30):
        calls.read(dict)
    before = clock.monotonic()
    calls.read(dict)
    assert clock.monotonic() == before


def test_a_throttled_write_is_repeated_only_where_asked_and_fenced_each_time() -> None:
    fences: list[int] = []
    left = [2]

    def throttle(name: str) -> None:
        if name == "router.modify" and left[0]:
            left[0] -= 1
            raise ThrottledError("too many")

    router = FakeRouter(before_call=throttle)
    route = routed(router)
    live = shift_split(
        router, route, BLUE, GREEN, ALL_GREEN,
        fence=lambda: fences.append(1), clock=router.clock, write_pauses=(0.1, 0.1, 0.1),
    )  # fmt: skip
    assert live.split == ALL_GREEN
    assert len(fences) == 3
    left[0] = 1
    with pytest.raises(ThrottledError) as raised:
        shift_split(router, route, GREEN, BLUE, ALL_GREEN, fence=lambda: None, clock=router.clock)
    assert raised.value.changed_nothing


def _deploy(stage: Stage) -> object:
    return deploy(stage.session(), stage.spec, NEW, Recorder())
