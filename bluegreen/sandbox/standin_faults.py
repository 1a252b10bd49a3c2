"""The faults that a stand-in takes from its environment; ``standin.py`` describes them.

Imports little, to start fast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from bluegreen.sandbox.standin_http import Request

Number = TypeVar("Number", int, float)

FAULT_NAMES = (
    "STANDIN_UNHEALTHY",
    "STANDIN_UNHEALTHY_AFTER",
    "STANDIN_ERROR_RATE",
    "STANDIN_ERROR_STATUS",
    "STANDIN_ERROR_AFTER",
    "STANDIN_ERROR_UNLESS_HEADER",
    "STANDIN_ERROR_PORT",
    "STANDIN_LATENCY_MS",
    "STANDIN_LATENCY_SPREAD",
    "STANDIN_SLOW_START",
    "STANDIN_CRASH_AFTER",
    "STANDIN_EXIT_CODE",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Seconds count from the start of the process. ``error_rate`` is a share from 0 to 1."""

    unhealthy_after: float | None = None
    error_rate: float = 0.0
    error_status: int = 500
    error_after: float = 0.0
    error_unless_header: str = ""
    error_port: int | None = None
    latency: float = 0.0
    latency_spread: float = 0.0
    slow_start: float = 0.0
    crash_after: float | None = None
    exit_code: int | None = None


def read_faults(environment: Mapping[str, str]) -> Faults:
    """Raises ValueError with the variable's name, its value and what is allowed."""
    for name in environment:
        if name.startswith("STANDIN_") and name not in FAULT_NAMES:
            raise ValueError(f"{name} is no fault of the stand-in; it knows {', '.join(FAULT_NAMES)}")
    unhealthy_after = read_number(environment, "STANDIN_UNHEALTHY_AFTER", float, 0)
    if read_number(environment, "STANDIN_UNHEALTHY", int, 0, 1):
        unhealthy_after = 0.0
    return Faults(
        unhealthy_after=unhealthy_after,
        error_rate=read_number(environment, "STANDIN_ERROR_RATE", float, 0, 1) or 0.0,
        error_status=read_number(environment, "STANDIN_ERROR_STATUS", int, 500, 599) or 500,
        error_after=read_number(environment, "STANDIN_ERROR_AFTER", float, 0) or 0.0,
        error_unless_header=environment.get("STANDIN_ERROR_UNLESS_HEADER", ""),
        error_port=read_number(environment, "STANDIN_ERROR_PORT", int, 1, 65535),
        latency=(read_number(environment, "STANDIN_LATENCY_MS", float, 0) or 0.0) / 1000,
        latency_spread=read_number(environment, "STANDIN_LATENCY_SPREAD", float, 0, 5) or 0.0,
        slow_start=read_number(environment, "STANDIN_SLOW_START", float, 0) or 0.0,
        crash_after=read_number(environment, "STANDIN_CRASH_AFTER", float, 0),
        exit_code=read_number(environment, "STANDIN_EXIT_CODE", int, 0, 255),
    )


def is_struck(request: Request, faults: Faults) -> bool:
    """Whether the error fault is for this request at all."""
    name, _, value = faults.error_unless_header.partition("=")
    if name and name.lower() in request.headers and (not value or request.headers[name.lower()] == value):
        return False
    if faults.error_port is None:
        return True
    asked = request.headers.get("x-forwarded-port") or request.headers.get("host", "").rpartition(":")[2]
    return asked == str(faults.error_port)


def read_number(
    environment: Mapping[str, str], name: str, kind: type[Number], least: float, most: float | None = None
) -> Number | None:
    """None for a variable that is not set or empty. Raises ValueError with the name, the value and the limits."""
    text = environment.get(name, "").strip()
    if not text:
        return None
    limits = f"at least {least}" if most is None else f"from {least} to {most}"
    wanted = f"{name}={text}: must be {'a whole number' if kind is int else 'a number'} {limits}"
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(wanted) from None
    if not (math.isfinite(number) and least <= number <= (number if most is None else most)):
        raise ValueError(wanted)
    return number
