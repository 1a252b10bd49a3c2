"""``wait_for``: ask until the answer is as wished. No answer, or another one, is no verdict before the time is over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bluegreen.clock import Clock
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.exchange import Answer, NoAnswerError, Request, exchange, request_of
from bluegreen.hooks.expect import matching, mismatch
from bluegreen.hooks.running import Runs, Surroundings, again_in
from bluegreen.hooks.words import shortened, took
from bluegreen.redact import Redactor

if TYPE_CHECKING:
    from bluegreen.hooks.settings import WaitForSettings

_SHOWN_BODY = 2000


class WaitForHook:
    def __init__(self, settings: WaitForSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._runs: Runs[WaitRun] = Runs()

    def verify(self, call: HookCall) -> None:
        request_of(self._settings, call)

    def start(self, call: HookCall) -> Verdict:
        request = request_of(self._settings, call)
        redactor = self._around.redactor(call, self._settings.headers)
        run = WaitRun(self._settings, request, call.timeout, self._around.clock, redactor)
        run.begin()
        return Pending(self._runs.add(run), again_in=0.02)

    def poll(self, handle: str) -> Verdict:
        return self._runs.get(handle).verdict(handle)

    def cancel(self, handle: str) -> None:
        run = self._runs.find(handle)
        if run is not None:
            run.stop(f"cancelled after {took(run.elapsed())}")


class WaitRun:
    def __init__(
        self, settings: WaitForSettings, request: Request, timeout: float, clock: Clock, redactor: Redactor
    ) -> None:
        self._settings = settings
        self._request = request
        self._timeout = timeout
        self._clock = clock
        self._redactor = redactor
        self._began = clock.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._asked = 0
        self._last = "nothing was answered yet"
        self._body = ""
        self._broken: HookUnavailableError | None = None
        self._closed: Passed | Failed | HookUnavailableError | None = None

    def begin(self) -> None:
        # A daemon: a name server that does not answer must not keep the program from ending.
        threading.Thread(target=self._work, name="hook-wait-for", daemon=True).start()

    def elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def stop(self, why: str) -> None:
        with self._lock:
            self._close(self._no(why))

    def verdict(self, handle: str) -> Verdict:
        with self._lock:
            if self._closed is None and self.elapsed() > self._timeout:
                self._close(self._too_late())
            closed = self._closed
            progress = self._say(f"{self._request.title}: {self._last}")
        if isinstance(closed, HookUnavailableError):
            raise closed
        return closed or Pending(handle, again_in(self.elapsed()), progress)

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                self._take(exchange(self._request, self._clock))
            except NoAnswerError as error:
                self._miss(str(error), None)
            except HookUnavailableError as error:
                self._miss(str(error), error)
            except Exception as error:  # a thread that ends in silence would leave the hook pending for ever
                problem = HookUnavailableError(f"{type(error).__name__}: {error}")
                with self._lock:
                    self._close(problem)
            self._over.wait(self._settings.interval)

    def _take(self, answer: Answer) -> None:
        missing, never = mismatch(self._settings, answer), matching(self._settings.never, answer)
        with self._lock:
            self._asked += 1
            self._broken, self._last, self._body = None, missing, answer.text
            if never:
                self._close(self._no(f"{never}, which ends the waiting after {took(self.elapsed())}"))
            elif not missing:
                text = f"{self._request.title} → {answer.status} after {took(self.elapsed())}, request {self._asked}"
                self._close(Passed(self._say(text), (), self._numbers()))

    def _miss(self, why: str, broken: HookUnavailableError | None) -> None:
        with self._lock:
            self._asked += 1
            self._last, self._broken, self._body = why, broken, ""

    def _too_late(self) -> Failed | HookUnavailableError:
        """Who could not ask to the very end has heard no no."""
        if self._broken is not None:
            text = self._say(f"{self._request.title}: no end after {took(self._timeout)}: {self._broken}")
            return HookUnavailableError(text, hint=self._broken.hint)
        return self._no(f"no end after {took(self._timeout)}, the last answer was: {self._last}")

    def _no(self, why: str) -> Failed:
        output = self._redactor.tail(self._body, cut=False, lines=20, size=_SHOWN_BODY)
        return Failed(self._say(f"{self._request.title}: {why}"), output, self._numbers())

    def _close(self, closed: Passed | Failed | HookUnavailableError) -> None:
        if self._closed is None:
            self._closed = closed
            self._over.set()

    def _numbers(self) -> dict[str, float]:
        return {"seconds": self.elapsed(), "requests": float(self._asked)}

    def _say(self, text: str) -> str:
        return shortened(self._redactor.text(text))
