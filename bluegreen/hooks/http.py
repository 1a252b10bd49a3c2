"""``http``: requests through the test route, and what the answers must be like.

An answer that is late, broken or refused is the release's no; a name that does not resolve, or a certificate
that does not fit, means that nobody could ask.
"""

from __future__ import annotations

import threading
from statistics import median
from typing import TYPE_CHECKING

from bluegreen.clock import Clock
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.exchange import Answer, NoAnswerError, Request, exchange, request_of
from bluegreen.hooks.expect import mismatch
from bluegreen.hooks.running import Runs, Surroundings, again_in
from bluegreen.hooks.words import shortened, took
from bluegreen.redact import Redactor

if TYPE_CHECKING:
    from bluegreen.hooks.settings import HttpSettings

_SHOWN_BODY = 2000


class HttpHook:
    def __init__(self, settings: HttpSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._runs: Runs[HttpRun] = Runs()

    def verify(self, call: HookCall) -> None:
        request_of(self._settings, call)

    def start(self, call: HookCall) -> Verdict:
        request = request_of(self._settings, call)
        redactor = self._around.redactor(call, self._settings.headers)
        run = HttpRun(self._settings, request, call.timeout, self._around.clock, redactor)
        run.begin()
        return Pending(self._runs.add(run), again_in=0.02)

    def poll(self, handle: str) -> Verdict:
        return self._runs.get(handle).verdict(handle)

    def cancel(self, handle: str) -> None:
        run = self._runs.find(handle)
        if run is not None:
            run.stop("cancelled")


class HttpRun:
    """``times`` exchanges over ``concurrency`` threads; the first answer that will not do ends it."""

    def __init__(
        self, settings: HttpSettings, request: Request, timeout: float, clock: Clock, redactor: Redactor
    ) -> None:
        self._settings = settings
        self._request = request
        self._timeout = timeout
        self._clock = clock
        self._redactor = redactor
        self._began = clock.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._started = 0
        self._answers: list[float] = []
        self._status = 0
        self._no = ""
        self._broken: HookUnavailableError | None = None
        self._body = ""

    def begin(self) -> None:
        # Daemons: a name server that does not answer must not keep the program from ending.
        for _ in range(min(self._settings.concurrency, self._settings.times)):
            threading.Thread(target=self._work, name="hook-http", daemon=True).start()

    def stop(self, reason: str) -> None:
        with self._lock:
            if not self._over.is_set():
                self._no = f"{reason} after {took(self._elapsed())}, {self._progress()}"
                self._over.set()

    def verdict(self, handle: str) -> Verdict:
        if not self._over.is_set() and self._elapsed() > self._timeout:
            self.stop("no end, stopped")
        if not self._over.is_set():
            return Pending(handle, again_in(self._elapsed()), self._progress())
        if self._broken:
            raise HookUnavailableError(self._say(f"{self._request.title}: {self._broken}"), hint=self._broken.hint)
        if self._no:
            output = self._redactor.tail(self._body, cut=False, lines=20, size=_SHOWN_BODY)
            return Failed(self._say(f"{self._request.title} → {self._no}"), output, self._numbers())
        return Passed(self._say(f"{self._request.title} → {self._summary()}"), (), self._numbers())

    def _work(self) -> None:
        while (number := self._next()) is not None:
            try:
                answer = exchange(self._request, self._clock)
                wrong = mismatch(self._settings, answer, self._settings.latency)
            except NoAnswerError as error:
                self._take(number, None, no=str(error))
            except HookUnavailableError as error:
                self._take(number, None, broken=error)
            except Exception as error:  # a thread that ends in silence would leave the hook pending for ever
                self._take(number, None, broken=HookUnavailableError(f"{type(error).__name__}: {error}"))
            else:
                self._take(number, answer, no=wrong)
            if self._settings.interval and self._over.wait(self._settings.interval):
                return

    def _next(self) -> int | None:
        with self._lock:
            if self._over.is_set() or self._started >= self._settings.times:
                return None
            self._started += 1
            return self._started

    def _take(
        self, number: int, answer: Answer | None, *, no: str = "", broken: HookUnavailableError | None = None
    ) -> None:
        with self._lock:
            if self._over.is_set():
                return
            if answer is not None:
                self._answers.append(answer.seconds)
                self._status = answer.status
            self._broken = broken
            if no:
                times = self._settings.times
                self._no = f"{no} (request {number} of {times})" if times > 1 else no
                self._body = answer.text if answer is not None else ""
            if no or broken or len(self._answers) == self._settings.times:
                self._over.set()

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _progress(self) -> str:
        return f"{len(self._answers)}/{self._settings.times} answered"

    def _summary(self) -> str:
        times = self._settings.times
        if times == 1:
            return f"{self._status} in {took(self._answers[0])}"
        slowest = took(max(self._answers))
        return f"{self._status} in {took(median(self._answers))}, slowest {slowest} ({len(self._answers)}/{times})"

    def _numbers(self) -> dict[str, float]:
        if not self._answers:
            return {"answers": 0.0}
        return {
            "answers": float(len(self._answers)),
            "median_ms": median(self._answers) * 1000,
            "slowest_ms": max(self._answers) * 1000,
        }

    def _say(self, text: str) -> str:
        return shortened(self._redactor.text(text))
