"""The log of API calls: what a test counts, and what a person reads when something went wrong."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.clock import Clock
from bluegreen.sandbox.api.request import Call

_KEPT = 20_000
_LONGEST = 1000
"""Characters of one value: a store's records are written again and again, and would fill the memory."""


class CallLog:
    """The newest 20,000 calls, each with a ``sequence`` number that never repeats."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._sequence = 0

    def record(self, call: Call, *, status: int, error: str | None, started: float, seconds: float) -> None:
        """``started`` is epoch seconds, ``seconds`` the time until the answer was ready."""
        entry = {
            "time": started,
            "service": call.service,
            "operation": call.operation,
            "region": call.region,
            "status": status,
            "error": error,
            "duration": round(seconds, 6),
            "request_id": call.request_id,
            "user_agent": call.user_agent,
            "parameters": _shortened(call.parameters),
        }
        with self._lock:
            self._sequence += 1
            self._calls.append({"sequence": self._sequence, **entry})

    def since(self, moment: float = 0.0, sequence: int = 0) -> Sequence[dict[str, Any]]:
        """Calls that began at ``moment`` (epoch seconds) or later and come after ``sequence``, oldest first."""
        with self._lock:
            return [c for c in self._calls if c["time"] >= moment and c["sequence"] > sequence]

    def reset(self) -> None:
        with self._lock:
            self._calls.clear()


# Private


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {key: _shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    return value
