"""What is known of every target, in AWS's states and reasons. It decides the routing and what is told of it.

    initial ────one passed check────▶ healthy ◀──thresholds──▶ unhealthy      unused: no rule names the group
       └───────unhealthy threshold─────────────────────────────▲              draining: deregistered

A new target gets no request before it is healthy; one passed check makes it so, whatever the threshold (source: "Health
checks for your target groups", ELB user guide). When a group has no healthy target, its unhealthy ones all get requests
(fail-open). A deregistered target gets none; DescribeTargetHealth shows it draining until its delay is over, while the
deregistration completes as soon as no request is left in flight (source: "Deregistration delay", ELB user guide).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.model import HealthCheck, Snapshot, Target, TargetGroup
from bluegreen.sandbox.balancer.resources import Endpoint
from bluegreen.sandbox.base import TargetState

# Envoy's workers may still be handing out a target just after it was told not to.
_QUIET_AFTER_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Health:
    """``passes`` and ``failures`` count the last run of equal outcomes."""

    state: str
    reason: str | None = None
    description: str | None = None
    passes: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One health check. ``reason`` and ``description`` are AWS's when it failed, None when it passed."""

    reason: str | None = None
    description: str | None = None


PASSED = Outcome()
REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
UNCHECKED = Health("unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target group")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
UNUSED = Health("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")


def observe(health: Health, outcome: Outcome, check: HealthCheck) -> Health:
    """The state after one more check. Pure."""
    if outcome.reason is None:
        passes = health.passes + 1
        if health.state in ("initial", "healthy") or passes >= check.healthy_threshold:
            return Health("healthy", passes=passes)
        return replace(_undecided(health), passes=passes, failures=0)
    failures = health.failures + 1
    if health.state == "unhealthy" or failures >= check.unhealthy_threshold:
        return Health("unhealthy", outcome.reason, outcome.description, failures=failures)
    return replace(_undecided(health), passes=0, failures=failures)


def _undecided(health: Health) -> Health:
    return CHECKING if health.state == "initial" else health


@dataclass(slots=True)
class _Entry:
    """``stamp`` tells the outcome of a check begun before a change from one begun after it."""

    health: Health
    stamp: int
    drain_since: float | None = None
    drain_until: float = 0.0
    shown_until: float = 0.0
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """One target to be checked."""

    group: str
    target: Target
    check: HealthCheck
    stamp: int


@dataclass(slots=True)
class _Group:
    group: TargetGroup
    in_use: bool
    entries: dict[Target, _Entry] = field(default_factory=dict)


class HealthBoard:
    """Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._groups: dict[str, _Group] = {}
        self._stamp = 0

    def sync(self, snapshot: Snapshot) -> None:
        """Follow what is registered now."""
        in_use = snapshot.in_use()
        with self._lock:
            known = {group.arn for group in snapshot.target_groups}
            self._groups = {arn: each for arn, each in self._groups.items() if arn in known}
            for group in snapshot.target_groups:
                place = self._groups.setdefault(group.arn, _Group(group, group.arn in in_use))
                place.group, place.in_use = group, group.arn in in_use
                self._register(place)
                self._deregister(place)

    def record(self, watch: Watch, outcome: Outcome) -> bool:
        """True when the target's state changed by it."""
        with self._lock:
            entry = self._entry(watch.group, watch.target)
            if entry is None or entry.stamp != watch.stamp:
                return False
            before, entry.health = entry.health, observe(entry.health, outcome, watch.check)
            return before.state != entry.health.state

    def watches(self) -> list[Watch]:
        with self._lock:
            return [
                Watch(arn, target, place.group.check, entry.stamp)
                for arn, place in self._groups.items()
                for target, entry in place.entries.items()
                if entry.drain_since is None and entry.health.state not in ("unused", "unavailable")
            ]

    def endpoints(self) -> dict[str, list[Endpoint]]:
        """What Envoy may use, by target group ARN. A drained target is not in it any more."""
        with self._lock:
            return {arn: _endpoints(place) for arn, place in self._groups.items()}

    def states(self, group: str) -> Sequence[TargetState]:
        with self._lock:
            place = self._groups.get(group)
            entries = place.entries.items() if place else ()
            return [
                TargetState(
                    target.address, target.port, entry.health.state, entry.health.reason, entry.health.description
                )
                for target, entry in entries
            ]

    def is_draining(self, group: str, target: Target) -> bool:
        with self._lock:
            entry = self._entry(group, target)
            return entry is not None and entry.drain_since is not None and not entry.quiet

    def has_draining(self) -> bool:
        """True while a deregistered target may still have requests in flight."""
        with self._lock:
            return any(entry.drain_since is not None and not entry.quiet for _, entry in self._all())

    def settle_drains(self, in_flight: Mapping[tuple[str, Target], int]) -> bool:
        """Completes the deregistration of targets without requests, or past their delay. True when one was."""
        now = self._clock.monotonic()
        changed = False
        with self._lock:
            for place in self._groups.values():
                for target, entry in place.entries.items():
                    if entry.drain_since is None or entry.quiet:
                        continue
                    idle = now - entry.drain_since >= _QUIET_AFTER_SECONDS and not in_flight.get(
                        (place.group.key, target)
                    )
                    entry.quiet = idle or now >= entry.drain_until
                    changed = changed or entry.quiet
        return changed

    def counts(self) -> dict[str, tuple[int, int]]:
        """Healthy and unhealthy targets of every group that is in use, by ARN."""
        with self._lock:
            return {arn: _counts(place) for arn, place in self._groups.items() if place.in_use}

    def _register(self, place: _Group) -> None:
        for target in place.group.targets:
            entry = place.entries.get(target)
            fresh = entry is None or entry.drain_since is not None
            if fresh or (entry is not None and (entry.health.state == "unused") == place.in_use):
                place.entries[target] = self._new_entry(place)

    def _new_entry(self, place: _Group) -> _Entry:
        self._stamp += 1
        if not place.in_use:
            return _Entry(UNUSED, self._stamp)
        return _Entry(REGISTERING if place.group.check.enabled else UNCHECKED, self._stamp)

    def _deregister(self, place: _Group) -> None:
        now = self._clock.monotonic()
        for target in place.entries.keys() - set(place.group.targets):
            entry = place.entries[target]
            if entry.drain_since is None:
                entry.drain_since = now
                entry.drain_until = now + place.group.deregistration_delay
                entry.shown_until = now if entry.health.state == "unused" else entry.drain_until
                entry.health = DRAINING
            if entry.quiet and now >= entry.shown_until:
                del place.entries[target]

    def _entry(self, group: str, target: Target) -> _Entry | None:
        place = self._groups.get(group)
        return place.entries.get(target) if place else None

    def _all(self) -> Iterator[tuple[Target, _Entry]]:
        for place in self._groups.values():
            yield from place.entries.items()


def _endpoints(place: _Group) -> list[Endpoint]:
    healthy = [each for each, entry in place.entries.items() if entry.health.state in ("healthy", "unavailable")]
    routable = healthy or [each for each, entry in place.entries.items() if entry.health.state == "unhealthy"]
    return [
        Endpoint(target, _envoy_status(entry, target in routable))
        for target, entry in place.entries.items()
        if not entry.quiet
    ]


def _envoy_status(entry: _Entry, routable: bool) -> str:
    if entry.drain_since is not None:
        return "DRAINING"
    return "HEALTHY" if routable else "UNHEALTHY"


def _counts(place: _Group) -> tuple[int, int]:
    states = [entry.health.state for entry in place.entries.values()]
    return states.count("healthy"), states.count("unhealthy")
