from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Gate, Watch
from bluegreen.hooks.fake import FakeGate, FakeHook
from bluegreen.hooks.registry import build_gate


class FakeCloudWatch:
    """``alarms`` maps a name to state and reason; ``calls`` are the lists of names asked for."""

    def __init__(self, alarms: dict[str, tuple[str, str]], composite: dict[str, tuple[str, str]] | None = None) -> None:
        self.alarms = alarms
        self.composite = composite or {}
        self.calls: list[list[str]] = []
        self.error: Exception | None = None

    def describe_alarms(self, *, AlarmNames: Sequence[str], AlarmTypes: Any, MaxRecords: int) -> Mapping[str, Any]:
        assert len(AlarmNames) <= MaxRecords <= 100
        self.calls.append(list(AlarmNames))
        if self.error:
            raise self.error
        kinds = {"MetricAlarm": ("MetricAlarms", self.alarms), "CompositeAlarm": ("CompositeAlarms", self.composite)}
        return {
            kinds[kind][0]: [
                {"AlarmName": name, "StateValue": state, "StateReason": reason}
                for name, (state, reason) in kinds[kind][1].items()
                if name in AlarmNames
            ]
            for kind in AlarmTypes
        }


def gates(cloudwatch: FakeCloudWatch, clock: FakeClock, *names: str) -> list[Gate]:
    board = AlarmBoard(lambda: cloudwatch, clock)
    return [build_gate(GateSpec(name, "alarm", {"alarm": name}), {}, Path(), board) for name in names]


@pytest.mark.parametrize(("state", "meant"), [("OK", "ok"), ("ALARM", "firing"), ("INSUFFICIENT_DATA", "ok")])
def test_state_of_an_alarm_is_the_state_of_its_gate(state: str, meant: str) -> None:
    cloudwatch = FakeCloudWatch({"orders-5xx": (state, "Threshold Crossed: 1 datapoint [7.0] was\nabove 5.0")})
    (gate,) = gates(cloudwatch, FakeClock(), "orders-5xx")
    reading = gate.check(Watch())
    assert reading.state == meant
    assert reading.detail == f"orders-5xx is {state}: Threshold Crossed: 1 datapoint [7.0] was above 5.0"


@pytest.mark.parametrize(("no_data", "meant"), [("ok", "ok"), ("hold", "no_data"), ("fire", "firing")])
def test_insufficient_data_means_what_is_configured(no_data: str, meant: str) -> None:
    board = AlarmBoard(lambda: FakeCloudWatch({"a": ("INSUFFICIENT_DATA", "")}), FakeClock())
    gate = build_gate(GateSpec("a", "alarm", {"alarm": "a", "no_data": no_data}), {}, Path(), board)
    assert gate.check(Watch()).state == meant


def test_an_alarm_may_be_let_pass_some_looks_and_some_time() -> None:
    clock = FakeClock()
    board = AlarmBoard(lambda: FakeCloudWatch({"a": ("ALARM", "")}), clock)
    settings = {"alarm": "a", "failure_limit": 1, "initial_delay": "30s"}
    gate = build_gate(GateSpec("a", "alarm", settings), {}, Path(), board, clock)
    states = []
    for _ in range(6):
        states.append(gate.check(Watch(FakeClock().now())).state)
        clock.sleep(10)
    assert states == ["no_data", "no_data", "no_data", "ok", "firing", "firing"]


def test_a_state_that_is_not_known_is_no_consent() -> None:
    (gate,) = gates(FakeCloudWatch({"a": ("NEW", "")}), FakeClock(), "a")
    with pytest.raises(HookUnavailableError, match="a is NEW"):
        gate.check(Watch())


def test_composite_alarm_is_seen_too() -> None:
    cloudwatch = FakeCloudWatch({}, {"orders": ("ALARM", "two of three")})
    assert gates(cloudwatch, FakeClock(), "orders")[0].check(Watch()).state == "firing"


def test_long_reason_is_shortened_to_one_line() -> None:
    cloudwatch = FakeCloudWatch({"a": ("ALARM", "x" * 5000)})
    assert len(gates(cloudwatch, FakeClock(), "a")[0].check(Watch()).detail) <= 300


def test_several_alarms_share_one_call_a_round_and_each_round_asks_anew() -> None:
    cloudwatch = FakeCloudWatch(dict.fromkeys("abc", ("OK", "")))
    clock = FakeClock()
    watched = gates(cloudwatch, clock, "a", "b", "c")
    for _ in range(3):
        assert [gate.check(Watch()).state for gate in watched] == ["ok"] * 3
        clock.sleep(5)
    assert cloudwatch.calls == [["a", "b", "c"]] * 3


def test_round_without_a_pause_still_reads_fresh_states() -> None:
    cloudwatch = FakeCloudWatch({"a": ("OK", ""), "b": ("OK", "")})
    watched = gates(cloudwatch, FakeClock(), "a", "b")
    assert [gate.check(Watch()).state for gate in watched] == ["ok", "ok"]
    cloudwatch.alarms["b"] = ("ALARM", "")
    assert [gate.check(Watch()).state for gate in watched] == ["ok", "firing"]


def test_state_that_nobody_fetched_for_a_while_is_not_served_stale() -> None:
    cloudwatch = FakeCloudWatch({"a": ("OK", ""), "b": ("OK", "")})
    clock = FakeClock()
    first, second = gates(cloudwatch, clock, "a", "b")
    first.check(Watch())
    cloudwatch.alarms["b"] = ("ALARM", "")
    clock.sleep(1.1)
    assert second.check(Watch()).state == "firing"


def test_more_than_a_hundred_alarms_take_several_calls() -> None:
    names = [f"alarm-{n}" for n in range(150)]
    cloudwatch = FakeCloudWatch(dict.fromkeys(names, ("OK", "")))
    watched = gates(cloudwatch, FakeClock(), *names)
    assert {gate.check(Watch()).state for gate in watched} == {"ok"}
    assert [len(call) for call in cloudwatch.calls] == [100, 50]


def test_alarm_that_does_not_exist_is_unavailable_and_named() -> None:
    with pytest.raises(HookUnavailableError, match="no alarm named ghost") as raised:
        gates(FakeCloudWatch({"a": ("OK", "")}), FakeClock(), "ghost")[0].check(Watch())
    assert raised.value.hint


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "DescribeAlarms"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
)
def test_cloudwatch_that_does_not_answer_is_unavailable_then_asked_again(error: Exception) -> None:
    cloudwatch = FakeCloudWatch({"a": ("OK", "")})
    (gate,) = gates(cloudwatch, FakeClock(), "a")
    cloudwatch.error = error
    with pytest.raises(HookUnavailableError, match="CloudWatch"):
        gate.check(Watch())
    cloudwatch.error = None
    assert gate.check(Watch()).state == "ok"


def test_alarm_is_given_by_name() -> None:
    with pytest.raises(ConfigurationError, match="not by its ARN"):
        gates(FakeCloudWatch({}), FakeClock(), "arn:aws:cloudwatch:eu-west-1:1:alarm:x")


def test_fake_gate_follows_its_script() -> None:
    gate = FakeGate("ok", HookUnavailableError("gone"), "firing")
    assert gate.check(Watch()).state == "ok"
    with pytest.raises(HookUnavailableError):
        gate.check(Watch())
    assert [gate.check(Watch()).state, gate.check(Watch()).state] == ["firing", "firing"]
    gate.then(["no_data"])
    assert (gate.check(Watch()).state, gate.checks) == ("no_data", 5)


def test_fake_hook_does_not_know_the_handle_of_another_process() -> None:
    with pytest.raises(HookUnavailableError):
        FakeHook().poll("a handle from before")
