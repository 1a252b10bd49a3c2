"""What every kind of gate promises, whatever it measures: one suite, and for each kind a world that can be set."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Reading, State, Watch
from bluegreen.hooks.registry import build_gate, gate_kinds
from bluegreen.hooks.running import Links
from tests.contract.hook_aws import FakeAws, refused
from tests.contract.hook_kit import PLANTED, Release, serving

FACTS = {
    "green_target_group": "targetgroup/orders-2/2",
    "blue_target_group": "targetgroup/orders-1/1",
    "load_balancer": "app/prod/50dc",
    "green": "orders-2",
    "blue": "orders-1",
    "green_service": "orders-2",
    "blue_service": "orders-1",
}
GOOD, BAD, EMPTY, DOWN = "good", "bad", "empty", "down"
METRIC = {"namespace": "AWS/ApplicationELB", "metric": "Errors", "dimensions": {"TargetGroup": "${green_target_group}"}}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "alarm": {"alarm": "errors", "no_data": "hold", "error_limit": 1},
    "metric": {"metrics": {"errors": METRIC}, "period": "10s", "max": 5, "error_limit": 1},
    "prometheus": {"query": 'x{token="${PLANTED_TOKEN}"}', "max": 5, "error_limit": 1},
    "compare": {"latency": False, "period": "10s", "delay": "0s"},
}


@dataclass
class World:
    """What is measured is ``good``, ``bad``, ``empty`` (there is none) or ``down`` (nobody answers)."""

    kind: str
    prometheus: str = ""
    state: str = GOOD
    clock: FakeClock = field(default_factory=FakeClock)

    def gate(self, **settings: object) -> Gate:
        """A new one each time, as a driver that takes over builds it."""
        known = {**SETTINGS[self.kind], **settings}
        if self.kind == "prometheus":
            known["url"] = self.prometheus
        aws = FakeAws(clock=self.clock)
        aws.cloudwatch = cast(Any, self)
        board = AlarmBoard(lambda: cast(Any, self), self.clock)
        spec = GateSpec("g", self.kind, known)
        links = Links(cast(Any, lambda: aws))
        return build_gate(spec, {"PLANTED_TOKEN": PLANTED}, Path("/"), board, self.clock, links, FACTS)

    def describe_alarms(self, *, AlarmNames: Sequence[str], AlarmTypes: Any, MaxRecords: int) -> Mapping[str, Any]:
        if self.state == DOWN:
            raise refused("DescribeAlarms", "Throttling")
        word = {GOOD: "OK", BAD: "ALARM", EMPTY: "INSUFFICIENT_DATA"}[self.state]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": word, "StateReason": "so"} for name in AlarmNames]}

    def get_metric_data(self, **query: Any) -> dict[str, Any]:
        if self.state == DOWN:
            raise refused("GetMetricData", "Throttling")
        return {"MetricDataResults": [self._result(each, query) for each in query["MetricDataQueries"]]}

    def _result(self, asked: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
        period = float(asked["MetricStat"]["Period"])
        seconds = query["EndTime"].timestamp() - query["StartTime"].timestamp()
        moments = [
            datetime.fromtimestamp(query["StartTime"].timestamp() + period * n, query["StartTime"].tzinfo)
            for n in range(round(seconds / period))
        ]
        value = self._value(asked)
        found = [] if value is None or self.state == EMPTY else moments
        newest_first = query["ScanBy"] == "TimestampDescending"
        return {
            "Id": asked["Id"],
            "StatusCode": "Complete",
            "Timestamps": found[::-1] if newest_first else found,
            "Values": [value] * len(found),
        }

    def _value(self, asked: Mapping[str, Any]) -> float | None:
        if self.kind == "metric":
            return 1.0 if self.state == GOOD else 9.0
        green = asked["Id"].startswith("green")
        if asked["Id"].endswith("requests"):
            return 500.0 if green else 9500.0
        share = 0.05 if green and self.state == BAD else 0.01
        return share * (500 if green else 9500) if asked["Id"].endswith("errors_0") else None


@pytest.fixture(params=gate_kinds())
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        world = World(request.param)
        if world.kind == "prometheus":
            release = stack.enter_context(serving(Release({})))
            release.answers = cast(Any, _Answers(world))
            world.prometheus = release.url
        yield world


@dataclass
class _Answers:
    world: World

    def get(self, path: str, default: object) -> tuple[int, str]:
        if self.world.state == DOWN:
            return 503, "not now"
        value = {GOOD: "1", BAD: "9", EMPTY: None}[self.world.state]
        result = [] if value is None else [{"metric": {}, "value": [1, value]}]
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def looks(world: World, number: int, gate: Callable[[], Gate], since: float) -> Iterator[Reading | None]:
    """One look every ten seconds, None where it could not be asked; the memory goes along as the engine carries it."""
    memory: Mapping[str, object] = {}
    for _ in range(number):
        world.clock.sleep(10)
        reading = _read(gate(), Watch(since, True, memory))
        if reading is None:
            yield None
            continue
        assert json.loads(json.dumps(reading.memory)) == reading.memory, "plain, and the same when it comes back"
        memory = reading.memory
        yield reading


def _read(gate: Gate, watch: Watch) -> Reading | None:
    try:
        return gate.check(watch)
    except HookUnavailableError as error:
        if PLANTED in error.message:
            raise AssertionError("what came from the environment is told") from error
        return None


def states(world: World, number: int = 40, gate: Callable[[], Gate] | None = None) -> list[str]:
    one = world.gate()
    found = looks(world, number, gate or (lambda: one), world.clock.now())
    return ["unavailable" if reading is None else str(reading.state) for reading in found]


def test_what_is_good_is_ok_in_the_end_and_never_fires(world: World) -> None:
    found = states(world)
    assert found[-1] == State.OK
    assert State.FIRING not in found


def test_what_is_bad_fires_and_stays_firing(world: World) -> None:
    world.state = BAD
    found = states(world)
    assert State.FIRING in found
    assert set(itertools.dropwhile(lambda state: state != State.FIRING, found)) == {State.FIRING}


def test_no_data_is_neither_good_nor_bad(world: World) -> None:
    world.state = EMPTY
    assert set(states(world)) <= {State.NO_DATA, State.NOT_YET}


def test_what_gives_no_answer_is_never_a_measurement(world: World) -> None:
    world.state = DOWN
    found = states(world)
    assert set(found) <= {State.NO_DATA, "unavailable"}
    assert found[-1] == "unavailable"


def test_what_answers_again_is_measured_again(world: World) -> None:
    one = world.gate()
    world.state = DOWN
    states(world, 3, lambda: one)
    world.state = GOOD
    assert states(world, 40, lambda: one)[-1] == State.OK


@pytest.mark.parametrize("state", [GOOD, BAD, EMPTY])
def test_a_driver_at_every_look_sees_what_a_single_one_sees(world: World, state: str) -> None:
    world.state = state
    alone = states(world)
    relayed = World(world.kind, world.prometheus, state)
    assert states(relayed, gate=relayed.gate) == alone


def test_failures_let_pass_are_counted_across_drivers(world: World) -> None:
    if world.kind == "compare":
        pytest.skip("it counts requests, not looks")
    world.state = BAD
    gate = {"failure_limit": 2, "interval": "10s"}
    found = states(world, 5, lambda: world.gate(**gate))
    assert found == [State.OK, State.OK, State.FIRING, State.FIRING, State.FIRING]


def test_a_word_is_one_short_line_without_what_came_from_the_environment(world: World) -> None:
    for state in (GOOD, BAD, EMPTY):
        world.state = state
        for reading in looks(world, 3, world.gate, world.clock.now()):
            assert reading is not None
            assert "\n" not in reading.detail
            assert 0 < len(reading.detail) <= 300
            assert PLANTED not in reading.detail


def test_before_green_has_traffic_a_gate_can_be_tried_and_remembers_nothing_that_counts(world: World) -> None:
    reading = world.gate().check(Watch())
    assert reading.state in (State.OK, State.NO_DATA)
    world.state = DOWN
    with pytest.raises(HookUnavailableError):
        world.gate(**({} if world.kind == "compare" else {"error_limit": 0})).check(Watch())
