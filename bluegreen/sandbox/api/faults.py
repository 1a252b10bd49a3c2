"""Faults on request: errors, latency and stale reads for an operation, for some calls or for a number of times."""

from __future__ import annotations

import fnmatch
import json
import math
import random
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bluegreen.clock import Clock
from bluegreen.sandbox.api import operations
from bluegreen.sandbox.api.answer import Answer
from bluegreen.sandbox.api.request import Call

_REMEMBERED = 10_000


@dataclass(slots=True)
class Fault:
    """One fault. What is None does not happen.

    ``operation`` is ``elbv2:ModifyListener``, ``ModifyListener`` or a pattern (``ecs:Describe*``). ``error`` is an
    AWS error code, answered with ``status``; ``after`` executes the call first, so that it took effect although the
    answer is an error. ``latency`` and ``stale`` are seconds. ``rate`` is the share of calls that meet the fault,
    0 to 1. ``times`` is how often it still happens; None: until it is cleared. ``skip`` is how many calls it lets go by
    first.
    """

    operation: str
    error: str | None = None
    status: int = 400
    message: str = "fault on request"
    after: bool = False
    latency: float = 0.0
    stale: float | None = None
    rate: float = 1.0
    times: int | None = None
    skip: int = 0
    id: int = 0
    met: int = field(default=0)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Fault:
        """Raises ValueError with what is wrong, for a person."""
        known = {item.name for item in fields(cls)} - {"id", "met"}
        unknown = sorted(set(content) - known)
        if unknown:
            raise ValueError(f"unknown key {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        try:
            fault = cls(**content)
            fault._check()
        except TypeError as error:
            raise ValueError(str(error)) from error
        return fault

    def _check(self) -> None:
        if not self.operation:
            raise ValueError("operation is empty")
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate {self.rate} is not above 0 and at most 1")
        if not all(0 <= seconds < math.inf for seconds in (self.latency, self.stale or 0.0)):
            raise ValueError("latency and stale are seconds, from 0")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times {self.times} is below 1")
        if self.skip < 0:
            raise ValueError(f"skip {self.skip} is below 0")
        if not 400 <= self.status <= 599:
            raise ValueError(f"status {self.status} is not an error's (400 to 599)")
        if self.error is None and not self.latency and self.stale is None:
            raise ValueError("the fault does nothing: give error, latency or stale")
        operations.check(self.operation)

    def concerns(self, call: Call) -> bool:
        name = call.name if ":" in self.operation else call.operation
        return fnmatch.fnmatchcase(name, self.operation)


class Faults:
    """The faults in force. ``seed`` makes rates repeatable."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: dict[int, Fault] = {}
        self._next = 1

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            fault.id, self._next = self._next, self._next + 1
            self._faults[fault.id] = fault
            return fault

    def clear(self, fault_id: int | None = None) -> None:
        """Raises LookupError, with those that there are, when there is no such fault."""
        with self._lock:
            if fault_id is None:
                self._faults.clear()
            elif self._faults.pop(fault_id, None) is None:
                raise LookupError(f"fault {fault_id}; in force: {', '.join(map(str, self._faults)) or 'none'}")

    def listed(self) -> Sequence[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults.values()]

    def watches(self, call: Call) -> bool:
        """Whether answers to ``call`` must be remembered for a stale read."""
        with self._lock:
            return any(fault.stale is not None and fault.concerns(call) for fault in self._faults.values())

    def meet(self, call: Call) -> Sequence[Fault]:
        """The faults this one call meets, counted."""
        with self._lock:
            concerned = [f for f in self._faults.values() if f.concerns(call) and not _lets_go(f)]
            met = [f for f in concerned if self._random.random() < f.rate]
            for fault in met:
                self._count(fault)
            return met

    def _count(self, fault: Fault) -> None:
        fault.met += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            del self._faults[fault.id]


def _lets_go(fault: Fault) -> bool:
    if not fault.skip:
        return False
    fault.skip -= 1
    return True


class AnswerHistory:
    """Earlier answers, so that a read can be answered as the world was some seconds ago."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, deque[tuple[float, Answer]]] = {}

    def remember(self, call: Call, answer: Answer) -> None:
        with self._lock:
            answers = self._answers.setdefault(_key(call), deque(maxlen=_REMEMBERED))
            answers.append((self._clock.monotonic(), answer))

    def as_of(self, call: Call, seconds_ago: float) -> Answer | None:
        """The newest answer at least that old, else the oldest one known, else None."""
        wanted = self._clock.monotonic() - seconds_ago
        with self._lock:
            known = list(self._answers.get(_key(call), ()))
        older = [answer for at, answer in known if at <= wanted]
        if older:
            return older[-1]
        return known[0][1] if known else None

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


def _key(call: Call) -> str:
    return json.dumps([call.name, call.region, call.parameters], sort_keys=True, default=str)
