"""Tells a deployment's facts to whoever the configuration names, beside the deployment and never in its way.

Each notifier has a thread and a short queue of its own, so that one that hangs keeps nobody back: neither the driver,
which only puts facts into queues, nor another notifier. Until a rollback is SAFE nothing is built, imported or sent.
What could not be told is a warning of this process. The record is the truth: a fact may be lost with its driver, and
one whose answer was lost is told twice.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable

from bluegreen.clock import Clock
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.spec import Moment, NotifySpec
from bluegreen.notify.base import Fact, Notifier
from bluegreen.notify.lazily import FAREWELL, HOLD_BACK

ATTEMPTS = 3
PAUSE = 1.0
"""Seconds before the second attempt; twice that before the third."""

LONGEST_QUEUE = 100

MOMENTS = {
    Kind.STARTED: Moment.STARTED,
    Kind.ASKED: Moment.ASKED,
    Kind.HOLD: Moment.HELD,
    Kind.ROLLBACK: Moment.ROLLING_BACK,
    Kind.SAFE: Moment.SAFE,
    Kind.SUCCEEDED: Moment.SUCCEEDED,
    Kind.ROLLED_BACK: Moment.ROLLED_BACK,
}
_NO_HURRY = (Kind.SAFE, Kind.HOLD, Kind.ROLLED_BACK, Kind.SUCCEEDED)

Build = Callable[[NotifySpec], Notifier]

_log = logging.getLogger("bluegreen.notify")


class Telling:
    """A Reporter. Whom to tell is in the deployment's record, so it waits for the first tick."""

    def __init__(self, build: Build, clock: Clock) -> None:
        self._build = build
        self._clock = clock
        self._deployment: Deployment | None = None
        self._waiting: list[Event] = []
        self._hurry_since: float | None = None
        self._lines: dict[str, Line] = {}

    def event(self, event: Event) -> None:
        if event.kind is Kind.ROLLBACK:
            self._hurry_since = self._clock.monotonic()
        elif event.kind in _NO_HURRY:
            self._hurry_since = None
        if event.kind in MOMENTS:
            self._waiting.append(event)
        self._pass_on()

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        self._deployment = deployment
        self._pass_on()

    def close(self, deployment: Deployment | None, seconds: float = FAREWELL) -> tuple[str, ...]:
        """At the end of the command: wait a little for what is on its way. Answers what could not be told."""
        self._deployment = self._deployment or deployment
        self._hurry_since = None
        self._pass_on()
        until = self._clock.monotonic() + seconds
        for line in self._lines.values():
            line.close()
        for line in self._lines.values():
            line.join(max(0.0, min(seconds, until - self._clock.monotonic())))
        return tuple(problem for line in self._lines.values() for problem in line.problems())

    # Private

    def _pass_on(self) -> None:
        d = self._deployment
        if d is None or not self._waiting or self._is_in_a_hurry():
            return
        events, self._waiting = self._waiting, []
        try:
            self._tell(d, events)
        except Exception:
            _log.exception("facts could not be passed on")

    def _tell(self, d: Deployment, events: list[Event]) -> None:
        for spec in d.spec.notify:
            facts = [_fact(event, d) for event in events if MOMENTS[event.kind] in spec.on]
            if facts:
                self._line(spec).tell(facts)

    def _is_in_a_hurry(self) -> bool:
        return self._hurry_since is not None and self._clock.monotonic() - self._hurry_since < HOLD_BACK

    def _line(self, spec: NotifySpec) -> Line:
        if spec.name not in self._lines:
            self._lines[spec.name] = Line(spec, self._build)
        return self._lines[spec.name]


class Line:
    """The way to one notifier, which is built in the line's own thread: not even its import delays anybody."""

    def __init__(self, spec: NotifySpec, build: Build) -> None:
        self._spec = spec
        self._build = build
        self._facts: queue.Queue[Fact | None] = queue.Queue(LONGEST_QUEUE)
        self._problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._over = threading.Event()
        self._notifier: Notifier | None = None
        self._now: Fact | None = None
        self._thread = threading.Thread(target=self._work, name=f"notify-{spec.name}", daemon=True)
        self._thread.start()

    def tell(self, facts: Iterable[Fact]) -> None:
        """Returns at once."""
        for fact in facts:
            try:
                self._facts.put_nowait(fact)
            except queue.Full:
                self._problem(fact, f"{LONGEST_QUEUE} facts wait for it already")

    def close(self) -> None:
        """What is queued is still told, without pauses between attempts."""
        self._over.set()
        with contextlib.suppress(queue.Full):
            self._facts.put_nowait(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        if self._thread.is_alive() and self._now is not None:
            self._problem(self._now, "it gave no answer in time")

    def problems(self) -> list[str]:
        found: list[str] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._problems.get_nowait())
        return found

    # Private

    def _work(self) -> None:
        while (fact := self._facts.get()) is not None:
            self._now = fact
            self._try(fact)
            self._now = None

    def _try(self, fact: Fact) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._notifier = self._notifier or self._build(self._spec)
                self._notifier.tell(fact)
                return
            except BaseException as error:  # also a plug-in's SystemExit ends nothing but this attempt
                problem = f"{type(error).__name__}: {error}" if not hasattr(error, "message") else str(error.message)
                _log.info("%s could not be told: %s", self._spec.name, problem)
            if attempt < ATTEMPTS:
                self._over.wait(PAUSE * attempt)
        self._problem(fact, problem)

    def _problem(self, fact: Fact, why: str) -> None:
        self._problems.put(f"notifier {self._spec.name} was not told that {fact.service} {_said(fact)}: {why}")


# Private


def _said(fact: Fact) -> str:
    said = {
        Moment.ASKED: "asks a person",
        Moment.HELD: "is held",
        Moment.ROLLING_BACK: "is rolling back",
        Moment.SAFE: "is safe",
        Moment.ROLLED_BACK: "was rolled back",
    }
    return said.get(fact.moment, fact.moment.value)


def _fact(event: Event, d: Deployment) -> Fact:
    return Fact(
        moment=MOMENTS[event.kind],
        at=event.at,
        service=event.service,
        cluster=d.spec.cluster,
        deployment=event.deployment,
        phase=event.phase.value,
        message=" / ".join(event.message.splitlines()),
        release=d.release.label if d.release else "",
        previous=d.previous.label,
        data=event.data,
    )
