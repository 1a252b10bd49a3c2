"""Under AWS's published throttles: one deployment, twenty at once, and rollbacks in the middle of the storm.

Twenty services with a rule each behind one load balancer, deployed at the same time by twenty `bluegreen deploy`
processes, in one account whose request quotas are the published ones (the sandbox's token buckets; ELBv2 allows ten
calls a second over all operations). All of them finish. The same storm without quotas says how much of the time is this
machine's; the rest of the median deployment is lost to throttles. Three more services are in their bake; at three
moments of the storm one is rolled back, and its route must be written within two seconds from the shell prompt. The
storm's drivers yield the processor to the rollback (`nice`): they share two cores here, and in life they share the
account only. For the same reason nothing else should run beside it: on this machine with two other campaigns on it, a
rollback's start alone took up to two seconds, and its write came after 2.0 to 2.8.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.domain.deployment import Phase
from scripts.campaigns.fleet import Fleet
from scripts.campaigns.frame import Budget, Row
from scripts.campaigns.places import image, last
from tests.sandbox.team import CLOCK

SERVICES = 20
VICTIMS = 3
ROLLBACK_SECONDS = 2.0
START_EVERY = 0.7
"""Seconds between two starts: twenty interpreters that start at once are a storm on this machine, not on AWS."""

BETWEEN_ROLLBACKS = 5.0
LONGEST = 900.0

THROTTLES = frozenset({"Throttling", "ThrottlingException"})
WAITS: dict[str, Any] = {
    "shift": {"linear": {"percent": 25, "every": "2s"}},
    "bake": {"time": "3s"},
    "health": {"percent": 100, "settle": "1s"},
    "settle": "1s",
}
AT_ONCE_THEN_BAKE: dict[str, Any] = {**WAITS, "shift": "all-at-once", "bake": {"time": "30m"}}
"""Of a service that is rolled back: it waits in its bake while the others are in the storm."""


def run(budget: Budget) -> list[Row]:
    number = budget.of(SERVICES, least=3)
    victims = budget.of(VICTIMS)
    fleet = Fleet(budget.folder / "fleet", number + victims)
    try:
        storm = Storm(fleet, budget, tuple(fleet.services[:number]), tuple(fleet.services[number:]))
        return storm.rows()
    finally:
        fleet.close()


Running = dict[str, "subprocess.Popen[str]"]


@dataclass
class Storm:
    """``services`` are deployed at once; ``victims`` bake meanwhile and are rolled back."""

    fleet: Fleet
    budget: Budget
    services: tuple[str, ...]
    victims: tuple[str, ...]

    def rows(self) -> list[Row]:
        self.fleet.configure_all(**WAITS)
        for victim in self.victims:
            self.fleet.configure_one(victim, **AT_ONCE_THEN_BAKE)
        alone, _ = self._deploy("one deployment", self.services[:1], 2)
        self.budget.tell(alone.note)
        unlimited, machine = self._deploy(f"{len(self.services)} deployments at once, without quotas", self.services, 3)
        self.budget.tell(unlimited.note)
        baking = [self.fleet.begin(victim, 4) for victim in self.victims]
        for victim in self.victims:
            _until_it_bakes(self.fleet, victim)
        self._limit(True)
        back: list[Row] = []
        limited, storm = self._deploy(
            f"{len(self.services)} deployments at once",
            self.services,
            4,
            meanwhile=lambda running: back.extend(self._backs(running)),
        )
        for process in baking:
            process.communicate(timeout=60)
        lost_time = f"{limited.note}; {max(0.0, storm - machine):.0f} s of them lost to throttles"
        return [alone, unlimited, replace(limited, note=lost_time), _together(back)]

    def _limit(self, enabled: bool) -> None:
        """Every bucket is full again."""
        self.fleet.sandbox.ask("POST", "throttles", {"enabled": enabled})

    def _deploy(
        self,
        what: str,
        services: Sequence[str],
        release: int,
        meanwhile: Callable[[Running], None] = lambda running: None,
    ) -> tuple[Row, float]:
        """The row, and the median of the deployments' seconds."""
        clock = self.budget.clock
        since, began = clock.now(), clock.monotonic()
        running: Running = {}
        for service in services:
            running[service] = self.fleet.begin(service, release)
            clock.sleep(START_EVERY)
        meanwhile(running)
        lost = [loss for service in services if (loss := _ended(service, running[service]))]
        took = clock.monotonic() - began
        spans = [d.ended_at - d.started_at for s in services if (d := last(self.fleet, s)) and d.ended_at]
        median = statistics.median(spans) if spans else 0.0
        note = f"{_figures(self.fleet.calls(since))}; median {median:.0f} s, longest {max(spans, default=0.0):.0f} s"
        self._limit(False)
        lost += [loss for service in services if (loss := _is_not_live(self.fleet, service, release))]
        return Row(what, len(services), min(len(services), len(lost)), took, note, tuple(lost)), median

    def _backs(self, running: Running) -> Iterator[Row]:
        _until_all_began(self.fleet, running)
        for victim in self.victims:
            row = self._roll_back(victim, running)
            self.budget.tell(f"rolled back: {row.note}")
            yield row
            self.budget.clock.sleep(BETWEEN_ROLLBACKS)

    def _roll_back(self, victim: str, running: Running) -> Row:
        fleet, clock = self.fleet, self.budget.clock
        still = sum(each.poll() is None for each in running.values())
        rule = fleet.record(victim).routes[0].arn
        since, began = clock.now(), clock.monotonic()
        words = ("rollback", victim, "-c", f"{victim}.yaml", "--reason", "the storm")
        mark = f"rollback-of-{victim}"  # botocore puts it into the user agent: its driver's calls are not its own
        process = fleet.start(*words, AWS_EXECUTION_ENV=mark)
        out, err = process.communicate(timeout=300)
        took = clock.monotonic() - began
        calls = fleet.calls(since)
        writes = [c["time"] - since for c in calls if _writes(c, rule) and c["status"] == 200]
        wrong = _what_is_wrong(process.returncode, err or out, writes)
        own = [c for c in calls if mark in c["user_agent"] and c["time"] < since + took]
        throttled = sum(c["error"] in THROTTLES for c in own)
        written = f"{writes[0]:.2f} s" if writes else "never"
        first = min((c["time"] - since for c in own), default=0.0)
        note = (
            f"{written} and {took:.2f} s (first call after {first:.2f} s, {throttled} of its {len(own)} calls "
            f"throttled; {still} deployments ran)"
        )
        return Row("", 1, int(wrong is not None), took, note, (wrong,) if wrong else ())


# Private


def _together(rows: Sequence[Row]) -> Row:
    losses = tuple(loss for row in rows for loss in row.losses)
    note = "written, and safe, after " + "; ".join(row.note for row in rows)
    return Row("a rollback in the middle of it", len(rows), len(losses), sum(row.seconds for row in rows), note, losses)


def _what_is_wrong(code: int, said: str, writes: list[float]) -> str | None:
    if code != 0:
        return f"rollback ended with {code}: {said.strip()[-300:]}"
    if not writes or writes[0] > ROLLBACK_SECONDS:
        return f"the route was written after {writes[:1]} s"
    return None


def _until_it_bakes(fleet: Fleet, service: str) -> None:
    end = CLOCK.monotonic() + 180
    while (d := last(fleet, service)) is None or d.phase is not Phase.BAKE:
        assert CLOCK.monotonic() < end, f"{service} never baked"
        CLOCK.sleep(0.2)


def _until_all_began(fleet: Fleet, running: Running) -> None:
    """The middle of the storm: every deployment has its record, and none was left out."""
    end = CLOCK.monotonic() + 180
    for service, process in running.items():
        while process.poll() is None and ((d := last(fleet, service)) is None or d.phase.final):
            assert CLOCK.monotonic() < end, f"{service} never began"
            CLOCK.sleep(0.2)


def _ended(service: str, process: subprocess.Popen[str]) -> str | None:
    out, err = process.communicate(timeout=LONGEST)
    if process.returncode == 0:
        return None
    return f"{service} ended with {process.returncode}: {(err or out).strip()[-300:]}"


def _is_not_live(fleet: Fleet, service: str, release: int) -> str | None:
    """Its record says that it succeeded, and its rule sends everything to the slot that runs the new release."""
    d = fleet.record(service)
    if d.phase is not Phase.SUCCEEDED or image(release) not in str(d.release):
        return f"{service}: its record says {d.phase.value}, {d.release}"
    live = fleet.weights_of(d.routes[0].arn)
    return None if live == {d.green.name: 100} else f"{service}: its weights are {live}"


def _writes(call: dict[str, Any], rule: str) -> bool:
    return call["operation"] == "ModifyRule" and rule in str(call["parameters"])


def _figures(calls: list[dict[str, Any]]) -> str:
    throttled = [call for call in calls if call["error"] in THROTTLES]
    return f"{len(throttled)} of {len(calls)} calls throttled"
