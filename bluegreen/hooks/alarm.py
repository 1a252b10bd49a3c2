"""``alarm``: CloudWatch metric alarms and composite alarms, several of them with one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from bluegreen.clock import Clock
from bluegreen.errors import BluegreenError, HookUnavailableError
from bluegreen.hooks.measured import Judged, Outcome, SeriesGate, no_data
from bluegreen.hooks.running import Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import AlarmSettings

_OUTCOMES = {"OK": Outcome.SUCCESS, "ALARM": Outcome.FAILURE}
_PER_CALL = 100
_FRESH = 1.0


class CloudWatch(Protocol):
    """What of boto3's client is used. DescribeAlarms answers ``{"MetricAlarms": […], "CompositeAlarms": […]}``."""

    def describe_alarms(self, *, AlarmNames: Sequence[str], AlarmTypes: Any, MaxRecords: int) -> Mapping[str, Any]: ...


def alarm_gate(settings: AlarmSettings, around: Surroundings, board: AlarmBoard) -> SeriesGate:
    board.watch(settings.alarm)
    return SeriesGate(settings.alarm, settings, lambda watch: _judged(settings, board), around)


@dataclass(frozen=True, slots=True)
class Seen:
    state: str
    reason: str


class AlarmBoard:
    """One DescribeAlarms for all alarms that are watched, as long as each asks once a round.

    An alarm that asks a second time gets a new look, and so does one that asks more than a second after the last.
    """

    def __init__(self, cloudwatch: Callable[[], CloudWatch], clock: Clock) -> None:
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._lock = threading.Lock()
        self._names: dict[str, None] = {}
        self._unread: dict[str, Seen | None] = {}
        self._at = 0.0

    def watch(self, name: str) -> None:
        with self._lock:
            self._names[name] = None

    def look(self, name: str) -> Seen | None:
        """None for an alarm that does not exist. Raises HookUnavailableError when CloudWatch does not answer."""
        with self._lock:
            if name not in self._unread or self._clock.monotonic() - self._at > _FRESH:
                self._names[name] = None
                self._unread = self._describe()
                self._at = self._clock.monotonic()
            return self._unread.pop(name)

    def _describe(self) -> dict[str, Seen | None]:
        seen: dict[str, Seen | None] = dict.fromkeys(self._names)
        names = list(self._names)
        for start in range(0, len(names), _PER_CALL):
            for alarm in self._call(names[start : start + _PER_CALL]):
                seen[alarm["AlarmName"]] = Seen(str(alarm.get("StateValue", "")), str(alarm.get("StateReason", "")))
        return seen

    def _call(self, names: list[str]) -> list[Mapping[str, Any]]:
        try:
            # Without the types, composite alarms are left out of the answer.
            answer = self._cloudwatch().describe_alarms(
                AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=_PER_CALL
            )
        except (BotoCoreError, ClientError, BluegreenError) as error:
            raise HookUnavailableError(f"CloudWatch did not tell the alarms' states: {error}") from error
        return [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]


def _judged(settings: AlarmSettings, board: AlarmBoard) -> Judged:
    seen = board.look(settings.alarm)
    if seen is None:
        raise HookUnavailableError(
            f"there is no alarm named {settings.alarm} in this account and region",
            hint="aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName'",
        )
    text = f"is {seen.state}: {seen.reason}"
    if seen.state == "INSUFFICIENT_DATA":
        return no_data(settings, text)
    return Judged(_OUTCOMES.get(seen.state, Outcome.ERROR), text)
