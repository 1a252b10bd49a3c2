"""The one way an AWS call is made: bounded in time, logged without its parameters, its errors translated.

Reads are repeated here, writes never: a caller must pass its fence again before each write.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from bluegreen.aws.errors import translate
from bluegreen.clock import Clock
from bluegreen.errors import BluegreenError, PreemptedError, ThrottledError, UnreachableError

P = ParamSpec("P")
R = TypeVar("R")

READ_PAUSES = (0.1, 0.4, 1.2, 2.5)
"""Seconds before a read is repeated: enough for a throttle of 10 calls a second to refill."""

URGENT_PAUSES = (0.1,) * 20
"""The same for a rollback: it must come through while everybody else backs off."""

_log = logging.getLogger("bluegreen.aws")


LARGEST_GAP = 2.0
"""Seconds between two reads of one service while AWS throttles them, at the most (half to one and a half times)."""


class Calls:
    """``counts`` says how often each ``service:Operation`` was sent, repeats included."""

    def __init__(self, clock: Clock, clean: Callable[[str], str] = lambda text: text) -> None:
        """``clean`` takes secrets out of what AWS says: an error may repeat what it was sent."""
        self._clock = clock
        self._clean = clean
        self._writing = threading.local()
        self._deadline: float | None = None
        self._ahead = 0.0
        self._urgent = False
        self._gaps: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def hurry(self, urgent: bool) -> None:
        """Repeat reads as a rollback does, or again as everyone does."""
        self._urgent = urgent

    @property
    def write_pauses(self) -> tuple[float, ...]:
        """For a caller that repeats a throttled write, with its fence: a second of them for a rollback."""
        return URGENT_PAUSES[:10] if self._urgent else ()

    def write_only_before(self, deadline: float) -> None:
        """Epoch seconds, usually the end of a lease: a write that is signed later is not sent."""
        self._deadline = deadline

    def aws_now(self) -> float:
        """A time that has passed on AWS's clocks: ours, less what it was ahead of the last answer's date."""
        return self._clock.now() - self._ahead

    def check_before_send(self, **_: object) -> None:
        """botocore's ``before-send`` event. The signature's timestamp is fixed by now, and AWS refuses it five minutes
        later: a process that is stopped after this check cannot send what it decided for longer than that."""
        late = self._deadline is not None and self._clock.now() > self._deadline
        if late and getattr(self._writing, "now", False):
            raise PreemptedError(
                "this driver's lease ended before its write could be sent, so it was not sent",
                hint="bluegreen status shows who drives now",
            )

    def read(self, method: Callable[P, R], /, *args: P.args, **parameters: P.kwargs) -> R:
        """Call a client's method that changes nothing; throttles and lost answers are tried again.

        Where AWS throttles a service, reads of it slow down until it does not: many drivers share one account.

        Raises the AwsError family.
        """
        for pause in URGENT_PAUSES if self._urgent else READ_PAUSES:
            self._give_way(method)
            try:
                return self._send(method, False, *args, **parameters)
            except (ThrottledError, UnreachableError):
                self._clock.sleep(pause)
        return self._send(method, False, *args, **parameters)

    def write(self, method: Callable[P, R], /, *args: P.args, **parameters: P.kwargs) -> R:
        """Call a client's method that changes something, once.

        Raises UnreachableError when it may have taken effect, and the AwsError family.
        """
        self._writing.now = True
        try:
            return self._send(method, True, *args, **parameters)
        finally:
            self._writing.now = False

    def _give_way(self, method: Callable[..., Any]) -> None:
        gap = self._gaps.get(_service_of(operation_of(method)), 0.0)
        if gap and not self._urgent:
            self._clock.sleep(gap * random.uniform(0.5, 1.5))

    def _learn(self, operation: str, *, throttled: bool) -> None:
        """Twice the gap after a throttle, a fifth less after an answer: together the drivers find what AWS gives."""
        service = _service_of(operation)
        gap = self._gaps.get(service, 0.0)
        grown = min(LARGEST_GAP, max(0.1, 2 * gap))
        self._gaps[service] = grown if throttled else (0.8 * gap if gap > 0.05 else 0.0)

    def _send(self, method: Callable[P, R], mutating: bool, /, *args: P.args, **parameters: P.kwargs) -> R:
        operation = operation_of(method)
        self.counts[operation] += 1
        began = self._clock.monotonic()
        try:
            answer = method(*args, **parameters)
        except (BotoCoreError, ClientError) as error:
            translated = translate(error, operation=operation, mutating=mutating).with_text(self._clean)
            translated.changed_nothing = not mutating
            self._learn(operation, throttled=isinstance(translated, ThrottledError))
            self._note(operation, began, getattr(translated, "request_id", ""), _code(translated, error))
            raise translated from error
        self._learn(operation, throttled=False)
        self._ahead = self._clock.now() - date_of(answer, self._clock.now())
        self._note(operation, began, _request_id(answer), "ok")
        return answer

    def _note(self, operation: str, began: float, request_id: str, outcome: str) -> None:
        took = 1000 * (self._clock.monotonic() - began)
        _log.debug("%s %s in %.0f ms, request %s", operation, outcome, took, request_id or "-")


def _service_of(operation: str) -> str:
    return operation.partition(":")[0]


def operation_of(method: Callable[..., Any]) -> str:
    """``service:Operation`` of a bound client method, as IAM writes an action."""
    client: Any = getattr(method, "__self__", None)
    name = getattr(method, "__name__", repr(method))
    if client is None or not hasattr(client, "meta"):
        return name
    model = client.meta.service_model
    return f"{model.signing_name}:{client.meta.method_to_api_mapping.get(name, name)}"


def date_of(answer: object, otherwise: float) -> float:
    """Epoch seconds of an answer's ``Date`` header; it names the second that had begun."""
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    try:
        return parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return otherwise


def _code(translated: BluegreenError, error: Exception) -> str:
    return str(getattr(translated, "code", "")) or type(error).__name__


def _request_id(answer: object) -> str:
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    return str(metadata.get("RequestId", ""))
