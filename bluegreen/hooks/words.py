"""How hooks speak: durations, shortened lines, and the environment that says what a hook is called for."""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bluegreen.hooks.base import HookCall

_LONGEST_LINE = 300

FINDING = "::bluegreen "
"""What begins a line of output that hands over a number or a link: ``::bluegreen p99_ms=31.5``."""

_LINK = re.compile(r"(?:https?|file)://\S+")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Findings:
    """``links``: a name to a URL."""

    numbers: dict[str, float] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def findings(lines: Iterable[str]) -> Findings:
    """The numbers and links among the lines of a process's output; one that is neither is only output."""
    found = Findings()
    for line in lines:
        name, _, value = line.removeprefix(FINDING).partition("=")
        name, value = name.strip(), value.strip()
        if not line.startswith(FINDING) or not name:
            continue
        if _LINK.fullmatch(value):
            found.links[name] = value
        elif _NUMBER.fullmatch(value):
            found.numbers[name] = float(value)
    return found


def took(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours >= 2 else f"{seconds / 60:.1f} min"


def shortened(text: str, longest: int = _LONGEST_LINE) -> str:
    """One line, at most ``longest`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def call_environment(call: HookCall) -> dict[str, str]:
    """``BLUEGREEN_…``: every fact, the call itself, and ``BLUEGREEN_CALL`` with all of it as one JSON object."""
    variables = {_variable(name): value for name, value in call.facts.items()}
    variables |= {
        "BLUEGREEN_POINT": str(call.point),
        "BLUEGREEN_HOOK": call.name,
        "BLUEGREEN_ATTEMPT": str(call.attempt),
        "BLUEGREEN_TIMEOUT": f"{call.timeout:g}",
        "BLUEGREEN_CALL": call_json(call),
    }
    if call.base_url is not None:
        variables["BLUEGREEN_BASE_URL"] = call.base_url
    # A process cannot be started with a NUL in its environment.
    return {name: value.replace("\0", "") for name, value in variables.items()}


def call_json(call: HookCall) -> str:
    return json.dumps(
        {
            "point": str(call.point),
            "name": call.name,
            "attempt": call.attempt,
            "timeout": call.timeout,
            "base_url": call.base_url,
            "facts": dict(call.facts),
        }
    )


def finite(told: Mapping[str, object]) -> dict[str, float]:
    """The numbers among what somebody else gives as numbers, as a record can keep them."""
    return {str(name): number for name, value in dict(told).items() if (number := _number(value)) is not None}


def _number(value: object) -> float | None:
    """None for what is no number, and for one that no float can hold."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def route_header(facts: Mapping[str, str]) -> tuple[str, str] | None:
    """The header that sends a request to green where the test route is a rule with a header condition."""
    name, colon, value = facts.get("test_header", "").partition(":")
    return (name.strip(), value.strip()) if colon and name.strip() else None


def _variable(fact: str) -> str:
    return "BLUEGREEN_" + re.sub(r"[^A-Za-z0-9]", "_", fact).upper()
