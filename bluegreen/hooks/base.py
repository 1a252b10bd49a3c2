"""The seam to tests, actions and watched conditions. "No" is not "broken": that is HookUnavailableError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from bluegreen.domain.spec import HookPoint


@dataclass(frozen=True, slots=True)
class HookCall:
    """What a hook is told. ``base_url`` is the test route's (no slash at its end), None where there is none.

    ``facts`` are plain strings, as lifecycle.hooks.hook_facts.call_facts names them: deployment, service, step,
    green_percent, release, images as JSON and others. Every one is handed to processes as ``BLUEGREEN_<NAME>``.

    ``settled``: the attempts up to that one have failed or were cancelled. What a later one started goes on, and is to
    be found again rather than doubled.
    """

    point: HookPoint
    name: str
    attempt: int
    timeout: float
    base_url: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    settled: int = 0


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


@runtime_checkable
class Verifiable(Protocol):
    """A hook that can see, before a deployment and without asking anybody, that it could not be asked from here."""

    def verify(self, call: HookCall) -> None:
        """Raises HookUnavailableError as ``start`` would, and starts nothing. ``call`` has no facts yet."""
        ...


class State(StrEnum):
    """What a gate says. ``OK`` and ``FIRING`` stand on a real measurement (or on what *no data* is configured to mean).

    ``NO_DATA``: nothing that could be judged was measured yet; ``NOT_YET``: measured, and more is needed to tell. Both
    keep green from getting more traffic, for a while. ``INCONCLUSIVE``: waiting longer will not tell, a person must.
    """

    OK = "ok"
    FIRING = "firing"
    NO_DATA = "no_data"
    NOT_YET = "not_yet"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Watch:
    """What a gate is told when it is looked at.

    ``since``: when, in epoch seconds, the shift or the bake began to be watched, None before green has any traffic; a
    series begins anew with it. ``first``: when green got its first traffic. ``comparing``: both sides have traffic now.
    ``memory``: what the gate's last reading asked to be kept, also by a driver that died since; empty where there was
    none. ``every``: seconds from one look to the next.
    """

    since: float | None = None
    comparing: bool = False
    memory: Mapping[str, object] = field(default_factory=dict)
    first: float | None = None
    every: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """``state`` is one of State. ``detail`` is one line with the numbers, ``numbers`` are the same for a machine.

    ``memory`` is kept in the deployment's record: plain JSON values, small, and the same as long as nothing changed.
    ``done``: it has nothing more to tell, so nothing waits for it. ``due``: before that (epoch seconds) it is not to be
    measured, as its configuration wants it.
    """

    state: str
    detail: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, object] = field(default_factory=dict)
    done: bool = False
    due: float | None = None


class Gate(Protocol):
    def check(self, watch: Watch) -> Reading:
        """Raises HookUnavailableError when it could not be asked."""
        ...
