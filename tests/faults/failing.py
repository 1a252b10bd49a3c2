"""A call that fails: throttled, refused, broken, silent, or answered by a replica that lags. Once, or three times.

A fault strikes the call with the point's number, and then the next calls of the same name until it has struck often
enough: the driver repeats its tick, and meets the same call again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from bluegreen.compute.fake import FakeCompute
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import SlotHealth
from bluegreen.errors import (
    AccessDeniedError,
    HookUnavailableError,
    StoreUnavailableError,
    ThrottledError,
    UnreachableError,
)
from tests.faults.exploring import SILENCE, Fault, Moment, Point
from tests.stage import Stage

READS = ("router.describe", "compute.health")
"""What AWS may answer from a replica that lags. The store's reads are strongly consistent."""

LAG = 60.0
"""Seconds a replica may lag; AWS publishes no figure. A read longer after the last change is answered truly."""

Failure = Callable[[str], Exception]


def faults(times: int) -> list[Fault]:
    """Each kind, striking ``times`` times in a row."""
    return list(_of(times))


# Private


def _of(times: int) -> Iterator[Fault]:
    for name, when, failure in _KINDS:
        yield Fault(name, _failing(when, failure, times))
    yield Fault("a stale read", _stale(times), lambda name: name in READS)


def _throttled(name: str) -> Exception:
    return ThrottledError(f"AWS throttles {name}", operation=name, code="Throttling")


def _refused(name: str) -> Exception:
    return AccessDeniedError(f"not allowed: {name} on it", operation=name, hint=f"grant {name} to this identity")


def _silent(name: str) -> Exception:
    return UnreachableError(f"no answer from AWS to {name}; the change may have taken effect", operation=name)


_KINDS: tuple[tuple[str, str, Failure], ...] = (
    ("throttled", "before", _throttled),
    ("refused", "before", _refused),
    ("500 or no answer, without effect", "before", _silent),
    ("500 or no answer, having taken effect", "after", _silent),
)


def _failing(when: str, failure: Failure, times: int) -> Callable[[Stage, Point], Moment]:
    def build(stage: Stage, point: Point) -> Moment:
        def strike(name: str) -> None:
            raise _as_its_seam_says_it(name, failure(name))

        return _Striker(when, point, times, strike)

    return build


def _as_its_seam_says_it(name: str, error: Exception) -> Exception:
    if name.startswith("store."):
        return StoreUnavailableError(f"{name} fails: {error}")
    if name.startswith("gate."):
        return HookUnavailableError(f"{name} fails: {error}")
    return error


def _stale(times: int) -> Callable[[Stage, Point], Moment]:
    def build(stage: Stage, point: Point) -> Moment:
        lagging = LaggingCompute(stage.compute)
        stage.compute = cast(FakeCompute, lagging)

        written_at = stage.clock.now() - SILENCE

        def strike(name: str) -> None:
            if name != "router.describe":
                lagging.stale_reads = 1
            elif stage.clock.now() - written_at <= LAG:
                stage.router.stale_reads = 1

        striker = _Striker("before", point, times, strike)

        def told(when: str, name: str) -> None:
            nonlocal written_at
            if (when, name) == ("after", "router.modify"):
                written_at = stage.clock.now()
            striker(when, name)

        return told

    return build


@dataclass
class _Striker:
    when: str
    point: Point
    left: int
    strike: Callable[[str], None]
    made: int = 0

    def __call__(self, moment: str, name: str) -> None:
        self.made += moment == "before"
        if moment == self.when and self.left and self.made >= self.point.number and name == self.point.name:
            self.left -= 1
            self.strike(name)


@dataclass
class LaggingCompute:
    """A FakeCompute whose next ``stale_reads`` health answers are those from before the last change."""

    inner: FakeCompute
    stale_reads: int = 0
    _seen: dict[str, list[SlotHealth]] = field(default_factory=dict)

    def health(self, slot: Slot) -> SlotHealth:
        answer = self.inner.health(slot)
        seen = self._seen.setdefault(slot.name, [answer])
        if seen[-1] != answer:
            seen.append(answer)
        if self.stale_reads:
            self.stale_reads -= 1
            return seen[max(0, len(seen) - 2)]
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
