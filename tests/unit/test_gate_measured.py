"""A measured gate: success, failure, inconclusive and error are four things, and only the first is ok."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bluegreen.clock import FakeClock
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Watch
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.settings_gates import MeasuredSettings

ERROR = HookUnavailableError("no answer")
Measured = float | None | HookUnavailableError


class Bench:
    """A gate with the values it will measure, and the time between two looks at it."""

    def __init__(self, *values: Measured, look: float = 10.0, **settings: Any) -> None:
        self.clock = FakeClock()
        self.look = look
        self.measured = 0
        self._values = itertools.chain(values, itertools.repeat(values[-1]))
        bounds = settings if {"max", "min"} & settings.keys() else {"max": 5.0, **settings}
        around = Surroundings({}, Path("/"), self.clock)
        self.gate = MeasuredGate("errors", MeasuredSettings(**bounds), self._measure, around)

    def _measure(self, watch: Watch) -> float | None:
        self.measured += 1
        value = next(self._values)
        if isinstance(value, HookUnavailableError):
            raise value
        return value

    def states(self, looks: int) -> list[str]:
        """What each look says, ``unavailable`` where the gate could not be asked."""
        return [state for state, _ in self.readings(looks)]

    def readings(self, looks: int) -> list[tuple[str, str]]:
        return list(self._looks(looks))

    def _looks(self, looks: int) -> Iterable[tuple[str, str]]:
        for _ in range(looks):
            try:
                reading = self.gate.check(Watch())
                yield reading.state, reading.detail
            except HookUnavailableError as error:
                yield "unavailable", error.message
            self.clock.sleep(self.look)


def test_a_number_within_its_bounds_is_ok_and_is_told() -> None:
    assert Bench(3.25).readings(1) == [("ok", "errors is 3.25, allowed is at most 5")]


@pytest.mark.parametrize(
    ("bounds", "value", "state"),
    [
        ({"max": 5.0}, 5.0, "ok"),
        ({"max": 5.0}, 5.1, "firing"),
        ({"min": 1.0}, 0.9, "firing"),
        ({"min": 1.0, "max": 5.0}, 3.0, "ok"),
        ({"min": 1.0, "max": 5.0}, 6.0, "firing"),
        ({"max": 5.0, "ok_max": 2.0}, 3.0, "not_yet"),
        ({"max": 5.0, "ok_max": 2.0}, 2.0, "ok"),
        ({"min": 1.0, "ok_min": 2.0}, 1.5, "not_yet"),
    ],
)
def test_bounds_tell_success_failure_and_what_lies_between(bounds: dict[str, Any], value: float, state: str) -> None:
    assert Bench(value, **bounds).states(1) == [state]


def test_it_is_measured_once_an_interval_however_often_it_is_looked_at() -> None:
    bench = Bench(1.0, look=1.0, interval="10s")
    bench.states(25)
    assert bench.measured == 3


def test_nothing_is_measured_before_the_initial_delay() -> None:
    bench = Bench(9.0, look=10.0, initial_delay="30s")
    assert bench.states(4) == ["no_data", "no_data", "no_data", "firing"]
    assert bench.measured == 1


def test_failures_up_to_the_limit_are_let_pass_and_the_next_one_fires() -> None:
    bench = Bench(9.0, 1.0, 9.0, 1.0, 9.0, failure_limit=2)
    readings = bench.readings(5)
    assert [state for state, _ in readings] == ["ok", "ok", "ok", "ok", "firing"]
    assert "tolerated" in readings[1][1]
    assert "3 of 5 measurements failed" in readings[4][1]


def test_a_gate_that_fired_stays_firing() -> None:
    assert Bench(9.0, 1.0).states(3) == ["firing", "firing", "firing"]


@pytest.mark.parametrize("value", [None, float("nan")])
def test_no_data_is_never_ok_and_a_number_that_falls_silent_is_inconclusive(value: float | None) -> None:
    readings = Bench(1.0, value, inconclusive_limit=2).readings(5)
    assert [state for state, _ in readings] == ["ok", "no_data", "no_data", "inconclusive", "inconclusive"]
    assert "has no data, 3 times in a row" in readings[3][1]


def test_a_gate_that_never_had_data_says_so_however_long_it_is_watched() -> None:
    assert set(Bench(None, inconclusive_limit=2).states(9)) == {"no_data"}


def test_a_number_that_stays_between_good_and_bad_is_inconclusive_beyond_its_limit() -> None:
    readings = Bench(3.0, ok_max=2.0, inconclusive_limit=1).readings(3)
    assert [state for state, _ in readings] == ["not_yet", "inconclusive", "inconclusive"]
    assert "is 3, neither good nor bad (allowed is at most 5), 2 times in a row" in readings[1][1]


@pytest.mark.parametrize(
    ("meaning", "states"),
    [
        ("ok", ["ok", "ok"]),
        ("fire", ["firing", "firing"]),
        ("error", ["no_data", "unavailable"]),
        ("hold", ["no_data", "no_data"]),
    ],
)
def test_no_data_means_what_is_configured(meaning: str, states: list[str]) -> None:
    assert Bench(None, no_data=meaning, error_limit=1, inconclusive_limit=9).states(2) == states


def test_errors_in_a_row_make_a_gate_that_could_not_be_asked_and_one_measurement_ends_the_row() -> None:
    bench = Bench(ERROR, ERROR, 1.0, ERROR, ERROR, ERROR, 1.0, error_limit=2)
    assert bench.states(7) == ["no_data", "no_data", "ok", "no_data", "no_data", "unavailable", "ok"]


def test_a_gate_that_only_failed_to_measure_is_never_ok_not_even_after_its_count() -> None:
    for bad, end in ((ERROR, "unavailable"), (None, "inconclusive")):
        states = Bench(bad, count=3, error_limit=99, inconclusive_limit=99).states(6)
        assert "ok" not in states
        assert states[-1] == end


def test_after_its_count_the_word_stands_and_nothing_more_is_measured() -> None:
    bench = Bench(1.0, 2.0, 3.0, 99.0, count=3)
    readings = bench.readings(6)
    assert [state for state, _ in readings] == ["ok"] * 6
    assert bench.measured == 3
    assert "measured 3 times: 3 success" in readings[-1][1]


def test_what_was_measured_before_a_long_pause_does_not_count() -> None:
    bench = Bench(9.0, 9.0, 9.0, failure_limit=1)
    assert bench.states(1) == ["ok"]
    bench.clock.sleep(600)
    assert bench.states(2) == ["ok", "firing"]


@pytest.mark.parametrize(
    "wrong", [{}, {"max": 1.0, "min": 2.0}, {"max": 1.0, "ok_max": 2.0}, {"max": 1.0, "count": -1}]
)
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MeasuredSettings(**wrong)


def test_failures_are_not_forgotten_with_a_driver_that_dies() -> None:
    bench = Bench(9.0, failure_limit=1)
    memory = bench.gate.check(Watch()).memory
    around = Surroundings({}, Path("/"), bench.clock)
    gate = MeasuredGate("errors", MeasuredSettings(max=5.0, failure_limit=1), lambda watch: 9.0, around)
    assert gate.check(Watch(memory=memory)).state == "ok", "it is measured no sooner than its interval"
    bench.clock.sleep(10)
    assert gate.check(Watch(memory=memory)).state == "firing"


def test_a_series_of_successes_has_nothing_to_remember() -> None:
    assert Bench(1.0).gate.check(Watch()).memory == {}
    assert Bench(1.0, count=3).gate.check(Watch()).memory != {}


def test_what_was_measured_before_green_had_traffic_does_not_count() -> None:
    bench = Bench(9.0, 9.0, 1.0, failure_limit=1)
    bench.states(1)
    since = bench.clock.now()
    assert bench.gate.check(Watch(since)).state == "ok"


@pytest.mark.parametrize("memory", [{"began": "?"}, {"looks": 3}, {"measured_at": None}])
def test_a_memory_of_another_kind_begins_a_new_series(memory: dict[str, object]) -> None:
    assert Bench(1.0).gate.check(Watch(memory=memory)).state == "ok"


def test_what_the_record_remembers_of_an_error_is_short_and_without_secrets() -> None:
    def measure(watch: Watch) -> float | None:
        raise HookUnavailableError(f"refused: x{{token='s3cr3t-planted-9f27'}} {'and more ' * 1000}")

    around = Surroundings({"API_TOKEN": "s3cr3t-planted-9f27"}, Path("/"), FakeClock())
    memory = MeasuredGate("errors", MeasuredSettings(max=5.0), measure, around).check(Watch()).memory
    assert "refused: x{token=[redacted]} and more" in str(memory)
    assert len(str(memory)) < 700
