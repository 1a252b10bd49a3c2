"""Under AWS's published throttles: one deployment, twenty at once, and a rollback in the middle of the storm.

Twenty services with a rule each behind one load balancer, deployed at the same time by twenty `bluegreen deploy`
processes, in one account whose request quotas are the published ones (the sandbox's token buckets; ELBv2 allows ten
calls a second over all operations). All of them finish. The time lost is the storm's median deployment less the lone
one's. A rollback of one of the services must write its route within two seconds from the shell prompt, whatever the
others ask for.
"""

from __future__ import annotations

import statistics
import subprocess
from typing import Any

from bluegreen.domain.deployment import Phase
from scripts.campaigns.fleet import Fleet
from scripts.campaigns.frame import Budget, Row
from scripts.campaigns.places import last
from tests.sandbox.team import CLOCK

SERVICES = 20
ROLLBACK_SECONDS = 2.0
START_EVERY = 0.7
"""Seconds between two starts: twenty interpreters that start at once are a storm on this machine, not on AWS."""

THROTTLES = frozenset({"Throttling", "ThrottlingException"})
WAITS: dict[str, Any] = {
    "shift": {"linear": {"percent": 25, "every": "2s"}},
    "bake": {"time": "3s"},
    "health": {"percent": 100, "settle": "1s"},
    "settle": "1s",
}
AT_ONCE_THEN_BAKE: dict[str, Any] = {**WAITS, "shift": "all-at-once", "bake": {"time": "10m"}}
"""Of the service that is rolled back: it waits in its bake while the others are in the storm."""


def run(budget: Budget) -> list[Row]:
    fleet = Fleet(budget.folder / "fleet", budget.of(SERVICES, least=3))
    try:
        fleet.configure_all(**WAITS)
        alone = _alone(fleet, budget)
        storm, back = _storm(fleet, budget, alone.seconds)
        return [alone, storm, back]
    finally:
        fleet.close()


# Private


def _alone(fleet: Fleet, budget: Budget) -> Row:
    since, began = budget.clock.now(), budget.clock.monotonic()
    lost = _ended(fleet.services[0], fleet.begin(fleet.services[0], 2))
    took = budget.clock.monotonic() - began
    return Row("one deployment", 1, int(lost is not None), took, _figures(fleet.calls(since)), (lost,) if lost else ())


def _storm(fleet: Fleet, budget: Budget, alone: float) -> tuple[Row, Row]:
    victim, *others = reversed(fleet.services)
    fleet.configure_one(victim, **AT_ONCE_THEN_BAKE)
    since, began = budget.clock.now(), budget.clock.monotonic()
    running = {}
    for service in (victim, *others):
        running[service] = fleet.begin(service, 3)
        budget.clock.sleep(START_EVERY)
    budget.tell("all were started")
    back = _roll_back(fleet, budget, victim, others)
    budget.tell(f"rolled back: {back.note}")
    lost = [loss for service in others if (loss := _ended(service, running[service]))]
    running[victim].communicate(timeout=60)
    took = budget.clock.monotonic() - began
    begun = [d for service in others if (d := last(fleet, service))]
    spans = [(d.ended_at or d.started_at) - d.started_at for d in begun]
    note = f"{_figures(fleet.calls(since))}; median {statistics.median(spans):.0f} s, {alone:.0f} s alone"
    return Row(f"{len(others)} deployments at once", len(others), len(lost), took, note, tuple(lost)), back


def _roll_back(fleet: Fleet, budget: Budget, victim: str, others: list[str]) -> Row:
    _until_it_bakes(fleet, victim)
    still = sum(d is None or not d.phase.final for d in (last(fleet, service) for service in others))
    rule = fleet.record(victim).routes[0].arn
    since, began = budget.clock.now(), budget.clock.monotonic()
    process = fleet.start("rollback", victim, "-c", f"{victim}.yaml", "--reason", "the storm")
    out, err = process.communicate(timeout=300)
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    took = budget.clock.monotonic() - began
    calls = fleet.calls(since)
    writes = [c["time"] - since for c in calls if _writes(c, rule) and c["status"] == 200]
    wrong = _what_is_wrong(done, writes)
    throttled = sum(c["error"] in THROTTLES and c["time"] < since + took for c in calls)
    written = f"{writes[0]:.2f} s" if writes else "never"
    note = (
        f"written after {written}, safe after {took:.2f} s; {still} deployments ran, {throttled} calls were throttled"
    )
    return Row("a rollback in the middle of it", 1, int(wrong is not None), took, note, (wrong,) if wrong else ())


def _what_is_wrong(done: subprocess.CompletedProcess[str], writes: list[float]) -> str | None:
    if done.returncode != 0:
        return f"rollback ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    if not writes or writes[0] > ROLLBACK_SECONDS:
        return f"the route was written after {writes[:1]} s"
    return None


def _until_it_bakes(fleet: Fleet, service: str) -> None:
    end = CLOCK.monotonic() + 180
    while (d := last(fleet, service)) is None or d.phase is not Phase.BAKE:
        assert CLOCK.monotonic() < end, f"{service} never baked"
        CLOCK.sleep(0.2)


def _ended(service: str, process: subprocess.Popen[str]) -> str | None:
    out, err = process.communicate(timeout=900)
    if process.returncode == 0:
        return None
    return f"{service} ended with {process.returncode}: {(err or out).strip()[-300:]}"


def _writes(call: dict[str, Any], rule: str) -> bool:
    return call["operation"] == "ModifyRule" and rule in str(call["parameters"])


def _figures(calls: list[dict[str, Any]]) -> str:
    throttled = [call for call in calls if call["error"] in THROTTLES]
    return f"{len(throttled)} of {len(calls)} calls throttled"
