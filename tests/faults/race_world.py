"""A load balancer and two services that several processes share: an AWS in miniature, served over a loopback socket.

A write may be carried out long after it was sent, when its sender has given up, was stopped, or is dead. Every write
and every word of a driver is noted in the order in which it happened, and judged at once.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from bluegreen.clock import Clock, SystemClock
from bluegreen.domain.spec import HealthSpec, ShiftStep, Spec
from bluegreen.errors import BluegreenError, CredentialsError, UnreachableError
from tests.stage import SPEC, Stage, Watchman

CALL_SECONDS = 0.6
"""How long a process waits for an answer."""

SIGNATURE_SECONDS = 3.0
"""AWS's five minutes, for a test that must end."""

MUTATING = ("launch", "scale", "retire", "prepare")
KEY = b"one machine, one test"


def spec_of(service: str) -> Spec:
    return replace(
        SPEC,
        service=service,
        shift=(ShiftStep(5, 0.3), ShiftStep(50, 0.3), ShiftStep(100, 0)),
        bake=0.8,
        health=HealthSpec(100, 0.1),
        settle=0.2,
    )


@dataclass
class RaceWorld:
    """``broken`` names each safety rule that was broken, ``log`` all that happened. ``late`` is the part of writes
    that are carried out late; ``began`` the newest deployment's id."""

    service: str
    seed: int
    late: float = 0.15
    clock: Clock = field(default_factory=SystemClock)
    log: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    writes: int = 0
    late_writes: int = 0
    said_safe: int = 0

    def __post_init__(self) -> None:
        self.stage = Stage(spec_of(self.service))
        self._watchman = Watchman(self.stage)
        self._chance = random.Random(self.seed)
        self._lock = threading.Lock()
        self._listener = Listener(("127.0.0.1", 0), authkey=KEY, backlog=32)
        self._under_way = 0
        self._since = self.clock.monotonic()
        self.began = self._safe_slot = ""
        self.address: Any = self._listener.address
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Ends the server; connections that are open end with their process."""
        self._closed = True
        with suppress(OSError, EOFError):
            Client(self.address, authkey=KEY).close()
        self._accepting.join(5.0)
        self._listener.close()

    def note(self, who: str, what: str) -> None:
        with self._lock:
            self._note(who, what)

    def is_still(self) -> bool:
        """No write is on its way."""
        with self._lock:
            return self._under_way == 0

    # -- private

    _closed = False

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError, EOFError):
                connection = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with suppress(OSError, EOFError), connection:
            who, verb, arguments = connection.recv()
            try:
                answer = ("ok", getattr(self, f"_do_{verb}")(who, *arguments))
            except BluegreenError as error:
                answer = ("error", type(error)(error.message))
            connection.send(answer)

    def _do_fetch(self, who: str, route: Any) -> Any:
        return self._locked(lambda: self.stage.router.fetch(route))

    def _do_resolve(self, who: str, spec: Any, slots: Any) -> Any:
        return self._locked(lambda: self.stage.router.resolve(spec, slots))

    def _do_settings(self, who: str, slots: Any) -> Any:
        return self._locked(lambda: self.stage.router.settings(slots))

    def _do_replace(self, who: str, route: Any, actions: Any, signed_at: float) -> None:
        self._write(
            who, f"{route.name.partition(' ')[0]}", signed_at, lambda: self.stage.router.replace(route, actions)
        )

    def _do_compute(self, who: str, method: str, arguments: Any, options: Any, signed_at: float) -> Any:
        call: Callable[..., Any] = getattr(self.stage.compute, method)
        if method not in MUTATING:
            return self._locked(lambda: call(*arguments, **options))
        return self._write(who, method, signed_at, lambda: call(*arguments, lambda: None, **options))

    def _do_event(self, who: str, kind: str, deployment: str, message: str) -> None:
        with self._lock:
            self._note(who, f"says: {message}")
            if kind == "started":
                self.began, self._safe_slot = deployment, ""
            if kind == "safe" and deployment == self.began:
                self.said_safe += 1
                live = self.stage.weights()
                self._safe_slot = next(iter(live))
                if len(live) > 1:
                    self._break(f"it said SAFE while the route had {dict(live)}")

    def _locked(self, act: Callable[[], Any]) -> Any:
        with self._lock:
            return act()

    def _write(self, who: str, what: str, signed_at: float, act: Callable[[], Any]) -> Any:
        with self._lock:
            self._under_way += 1
            late = self._chance.random() < self.late
            delay = self._chance.uniform(0.4, SIGNATURE_SECONDS - 0.6) if late else self._chance.uniform(0.0, 0.04)
            self.late_writes += late
        try:
            self.clock.sleep(delay)
            with self._lock:
                return self._carry_out(who, what, signed_at, act)
        finally:
            with self._lock:
                self._under_way -= 1

    def _carry_out(self, who: str, what: str, signed_at: float, act: Callable[[], Any]) -> Any:
        age = self.clock.now() - signed_at
        if age > SIGNATURE_SECONDS:
            self._note(who, f"{what} refused: signed {age:.1f} s ago")
            raise CredentialsError(f"the signature of {what} has expired")
        answer = act()
        self.writes += 1
        self._note(who, f"{what} ({age:.2f} s on its way): the route has {dict(self.stage.weights())}")
        for name in ("router.modify", "compute.scale"):
            self._watchman.look("after", name)
        for rule in self._watchman.broken:
            self._break(rule)
        self._watchman.broken.clear()
        if self._safe_slot and list(self.stage.weights()) != [self._safe_slot]:
            self._break(f"after SAFE a write of {who} left {dict(self.stage.weights())}")
        return answer

    def _note(self, who: str, what: str) -> None:
        self.log.append(f"{self.clock.monotonic() - self._since:7.2f} {who}: {what}")

    def _break(self, rule: str) -> None:
        self._note("WATCHMAN", rule)
        self.broken.append(rule)


def ask(address: Any, who: str, verb: str, *arguments: Any) -> Any:
    """A call to the world. Raises UnreachableError when the answer does not come in time."""
    try:
        with Client(address, authkey=KEY) as connection:
            connection.send((who, verb, arguments))
            if not connection.poll(CALL_SECONDS):
                raise UnreachableError(f"no answer to {verb}")
            outcome, answer = connection.recv()
    except (OSError, EOFError) as error:
        raise UnreachableError(f"no answer to {verb}: {error}") from error
    if outcome == "error":
        raise answer
    return answer
