"""What the kinds that run a process share: started once, found again by its handle, ended with its last lines."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from bluegreen.clock import Clock
from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.process import Ended, Process
from bluegreen.hooks.words import FINDING, Findings, call_environment, findings, shortened, signal_name, took
from bluegreen.redact import Redactor, secrets_of

if TYPE_CHECKING:
    from bluegreen.aws.clients import Clients
    from bluegreen.domain.approval import Decision
    from bluegreen.hooks.codedeploy import Receiver
    from bluegreen.hooks.fields import ProcessSettings

R = TypeVar("R")

Numbers = Mapping[str, float]
Places = Mapping[str, str]

_OUTPUT_SIZE = 16 * 1024
_LAST_LINES = 50


class Approvals(Protocol):
    """Where people's decisions are kept."""

    def decision(self, deployment_id: str, key: str) -> Decision | None: ...


@dataclass(frozen=True, slots=True)
class Links:
    """The ways out that some kinds need, each opened when it is first used.

    ``receivers`` by HOST:PORT: hooks that name the same address share the one that can listen there.
    """

    clients: Callable[[], Clients] | None = None
    approvals: Callable[[], Approvals] | None = None
    receivers: dict[str, Receiver] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a hook is built into. ``used`` are the variables that went into its settings, with their values.

    ``facts``: what a gate is told of the deployment (hooks.base.FACTS).
    """

    environment: Mapping[str, str]
    folder: Path
    clock: Clock
    used: Mapping[str, str] = field(default_factory=dict)
    links: Links = field(default_factory=lambda: Links())
    facts: Mapping[str, str] = field(default_factory=dict)

    def aws(self) -> Clients:
        """Of the deployment's region. Raises HookUnavailableError where there are none."""
        if self.links.clients is None:
            raise HookUnavailableError("there is no way to AWS from here")
        return self.links.clients()

    def redactor(self, call: HookCall | None = None, more: Mapping[str, str] | None = None) -> Redactor:
        """``more`` are names and values that the settings hand over: an ``env``, or headers."""
        public = call.facts.values() if call else ()
        return Redactor([*secrets_of(self.environment, self.used, public), *secrets_of(more or {})])

    def cwd(self, below: str) -> Path:
        cwd = (self.folder / below).absolute()
        if not cwd.is_dir():
            raise HookUnavailableError(f"the folder {cwd} does not exist", hint="cwd is relative to the configuration")
        return cwd


class Runs(Generic[R]):
    """The runs of this process by handle. A handle from another process is unknown here."""

    def __init__(self) -> None:
        self._runs: dict[str, R] = {}

    def add(self, run: R) -> str:
        handle = uuid.uuid4().hex
        self._runs[handle] = run
        return handle

    def get(self, handle: str) -> R:
        if handle not in self._runs:
            raise HookLostError("the process that ran this hook has ended, and the hook with it")
        return self._runs[handle]

    def find(self, handle: str) -> R | None:
        return self._runs.get(handle)


@dataclass(slots=True)
class Run:
    call: HookCall
    process: Process
    redactor: Redactor
    lines: int

    def output(self) -> tuple[str, ...]:
        text, cut = self.process.output()
        return self.redactor.tail(text, cut=cut, lines=self.lines, size=_OUTPUT_SIZE)

    def last_line(self) -> str:
        """What it said last, the lines left out that hand over numbers and links."""
        text, cut = self.process.output()
        last = self.redactor.tail(text[-8192:], cut=cut or len(text) > 8192, lines=_LAST_LINES, size=_OUTPUT_SIZE)
        said = [line for line in last if not line.startswith(FINDING)]
        return shortened(said[-1]) if said else ""

    def say(self, text: str) -> str:
        return shortened(self.redactor.text(text))

    def passed(self, detail: str, numbers: Numbers | None = None, links: Places | None = None) -> Passed:
        output = self.output()
        found = findings(output)
        return Passed(self.say(detail), output, {**(numbers or {}), **found.numbers}, self._clean(links, found))

    def failed(self, reason: str, numbers: Numbers | None = None, links: Places | None = None) -> Failed:
        output = self.output()
        found = findings(output)
        return Failed(self.say(reason), output, {**(numbers or {}), **found.numbers}, self._clean(links, found))

    def _clean(self, links: Places | None, found: Findings) -> dict[str, str]:
        return {name: self.redactor.text(place) for name, place in {**(links or {}), **found.links}.items()}

    def unavailable(self, message: str) -> HookUnavailableError:
        return HookUnavailableError(self.say(message))


class ProcessHook(ABC):
    """Subclasses say what to run and what its end means."""

    def __init__(self, settings: ProcessSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._runs: Runs[Run] = Runs()

    def verify(self, call: HookCall) -> None:
        cwd = self._around.cwd(self._settings.cwd)
        self._needs(call, self._process_environment(call), cwd)

    def start(self, call: HookCall) -> Verdict:
        cwd = self._around.cwd(self._settings.cwd)
        env = self._process_environment(call)
        self._needs(call, env, cwd)
        return Pending(self._runs.add(self._launch(call, env, cwd)), again_in=0.02)

    def poll(self, handle: str) -> Verdict:
        run = self._runs.get(handle)
        ended = run.process.ended
        if ended is None:
            return Pending(handle, again_in(run.process.seconds), self._progress(run))
        return _cut_short(run, ended) or self._judge(run, ended)

    def cancel(self, handle: str) -> None:
        run = self._runs.find(handle)
        if run is not None:
            run.process.cancel()

    @abstractmethod
    def _needs(self, call: HookCall, env: dict[str, str], cwd: Path) -> None:
        """Raises HookUnavailableError for what the process could not do without. Starts nothing."""
        ...

    @abstractmethod
    def _launch(self, call: HookCall, env: dict[str, str], cwd: Path) -> Run: ...

    @abstractmethod
    def _judge(self, run: Run, ended: Ended) -> Verdict:
        """``ended`` is an exit or a signal of the process's own."""
        ...

    def _progress(self, run: Run) -> str:
        return run.last_line()

    def _process(
        self, argv: list[str], call: HookCall, env: dict[str, str], cwd: Path, hear: Callable[[str], None] | None = None
    ) -> Process:
        return Process(argv, env=env, cwd=cwd, timeout=call.timeout, clock=self._around.clock, on_report=hear)

    def _redactor(self, call: HookCall) -> Redactor:
        return self._around.redactor(call, self._settings.env)

    def _process_environment(self, call: HookCall) -> dict[str, str]:
        # A Python program that is killed at its timeout would take what it printed with it.
        buffered = {"PYTHONUNBUFFERED": "1"}
        return {**buffered, **self._around.environment, **call_environment(call), **self._settings.env}


def again_in(seconds: float) -> float:
    """Quick hooks are asked quickly, long ones at ease."""
    return min(0.5, max(0.02, seconds / 8))


def _cut_short(run: Run, ended: Ended) -> Verdict | None:
    match ended.how:
        case "timeout":
            return run.failed(f"no end after {took(run.call.timeout)}, stopped{_last_words(run)}")
        case "cancelled":
            return run.failed(f"cancelled after {took(ended.seconds)}{_last_words(run)}")
        case "unavailable":
            raise run.unavailable(f"could not be started: {ended.text}")
        case "lost":
            raise run.unavailable("its guard was killed, so its end is unknown")
    return None


def how_it_ended(run: Run, ended: Ended) -> str:
    what = f"died by {signal_name(ended.code)}" if ended.how == "signal" else f"exit {ended.code}"
    return f"{what}{_last_words(run)}"


def _last_words(run: Run) -> str:
    line = run.last_line()
    return f": {line}" if line else ""
