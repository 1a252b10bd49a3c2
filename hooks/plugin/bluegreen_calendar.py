"""A hook, a gate and a notifier of a team's own, as a plug-in.

    hooks:
      before_launch:
        - weekday: {refuse: [Friday, Saturday, Sunday]}
    gates:
      - office_hours: {from: 8, until: 17}
    notify:
      - logbook: {file: releases.log}

A factory gets the spec (with ``${VAR}`` filled in) and its surroundings: the environment, the folder, the clock.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bluegreen.errors import ConfigurationError
from bluegreen.hooks.base import Failed, HookCall, Passed, Reading, Verdict, Watch
from bluegreen.notify.base import Fact


class WeekdayHook:
    def __init__(self, spec: Any, around: Any) -> None:
        self._refused = [str(day) for day in spec.settings.get("refuse", [])]
        self._clock = around.clock
        if not self._refused:
            raise ConfigurationError(f"hook {spec.name}: refuse names no day", hint="refuse: [Friday]")

    def start(self, call: HookCall) -> Verdict:
        today = time.strftime("%A", time.gmtime(self._clock.now()))
        if today in self._refused:
            return Failed(f"{call.facts['service']} is not released on a {today}")
        return Passed(f"it is {today}", numbers={"days_refused": float(len(self._refused))})

    def poll(self, handle: str) -> Verdict:
        raise AssertionError("it answers at once")

    def cancel(self, handle: str) -> None:
        return


class OfficeHoursGate:
    """Fires when the office empties while traffic is on green."""

    def __init__(self, spec: Any, around: Any) -> None:
        self._from, self._until = int(spec.settings.get("from", 8)), int(spec.settings.get("until", 17))
        self._clock = around.clock

    def check(self, watch: Watch) -> Reading:
        hour = time.gmtime(self._clock.now()).tm_hour
        inside = self._from <= hour < self._until
        return Reading("ok" if inside else "firing", f"it is {hour}:00 UTC, open from {self._from} to {self._until}")


class LogbookNotifier:
    """A line for each fact it is told. It may hang or raise: no deployment would wait for it, or fail."""

    def __init__(self, spec: Any, around: Any) -> None:
        self._file: Path = around.folder / str(spec.settings["file"])

    def tell(self, fact: Fact) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{fact.service} {fact.moment}: {fact.message}\n")
