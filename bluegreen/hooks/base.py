"""The seam to tests, actions and watched conditions. "No" is not "broken": that is HookUnavailableError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bluegreen.domain.spec import HookPoint


@dataclass(frozen=True, slots=True)
class HookCall:
    """What a hook is told. ``base_url`` is the test route's (no slash at its end), None where there is none.

    ``facts`` are plain strings: deployment, service, cluster, point, step, percent, release, images as JSON,
    blue, green, load balancer. Every one is handed to processes as ``BLUEGREEN_<NAME>``.
    """

    point: HookPoint
    name: str
    attempt: int
    timeout: float
    base_url: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passed:
    """``numbers`` and ``links`` (a name to a URL or a file) are shown and kept beside the verdict."""

    detail: str = ""
    output: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str
    output: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pending:
    """``handle`` finds it again in the process that started it; ``progress`` is one line for the live view.

    ``asks``: it waits for a person, so the phase's deadline does not count meanwhile; the hook's own timeout does.
    """

    handle: str
    again_in: float = 0.2
    progress: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False


Verdict = Passed | Failed | Pending


class Hook(Protocol):
    """Raises HookUnavailableError when it could not be asked. Output is redacted and limited by the hook."""

    def start(self, call: HookCall) -> Verdict: ...

    def poll(self, handle: str) -> Verdict:
        """Raises HookLostError for a handle that this process does not know (its driver died)."""
        ...

    def cancel(self, handle: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """``state``: ok, firing, or no_data (nothing measured yet). ``detail`` is one line with the numbers."""

    state: str
    detail: str


class Gate(Protocol):
    def check(self) -> Reading:
        """Raises HookUnavailableError when it could not be asked."""
        ...
