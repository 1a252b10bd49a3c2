"""Asks every target whether it is well, over real HTTP, at its target group's own interval."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterable

from bluegreen.clock import Clock
from bluegreen.sandbox.balancer.health import PASSED, HealthBoard, Outcome, Watch
from bluegreen.sandbox.balancer.model import HealthCheck, Target

_log = logging.getLogger(__name__)
_TIMED_OUT = Outcome("Target.Timeout", "Request timed out")
_FAILED = Outcome("Target.FailedHealthChecks", "Health checks failed")


class Prober:
    """One thread with one asyncio task for each target. ``changed`` is called from that thread."""

    def __init__(self, board: HealthBoard, clock: Clock, changed: Callable[[], None]) -> None:
        self._board = board
        self._clock = clock
        self._changed = changed
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Watch, asyncio.Task[None]] = {}
        self._thread = threading.Thread(target=self._run, name="balancer-prober", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)

    def follow(self, watches: Iterable[Watch]) -> None:
        """Check exactly these from now on. Returns at once; callable from any thread."""
        wanted = set(watches)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._follow, wanted)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._follow(set())
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _follow(self, wanted: set[Watch]) -> None:
        for watch in self._tasks.keys() - wanted:
            self._tasks.pop(watch).cancel()
        for watch in wanted - self._tasks.keys():
            self._tasks[watch] = self._loop.create_task(self._check_forever(watch))

    async def _check_forever(self, watch: Watch) -> None:
        while True:
            begun = self._clock.monotonic()
            outcome = await probe(watch.target, watch.check)
            if self._board.record(watch, outcome):
                self._changed()
            await asyncio.sleep(max(0.0, watch.check.interval - (self._clock.monotonic() - begun)))


async def probe(target: Target, check: HealthCheck) -> Outcome:
    """One health check, as an ALB words its outcome."""
    try:
        async with asyncio.timeout(check.timeout):
            status = await _ask(target, check)
    except TimeoutError:
        return _TIMED_OUT
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return _FAILED
    if matches(check.matcher, status):
        return PASSED
    return Outcome("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


def matches(matcher: str, status: int) -> bool:
    """``matcher`` as AWS writes it: "200", "200,302", "200-399"."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


async def _ask(target: Target, check: HealthCheck) -> int:
    """The status code of a GET. Raises OSError, ValueError or IncompleteReadError when there is none."""
    port = check.port or target.port
    reader, writer = await asyncio.open_connection(target.address, port, ssl=_tls(check))
    try:
        writer.write(
            f"GET {check.path} HTTP/1.1\r\nHost: {target.address}:{port}\r\nUser-Agent: ELB-HealthChecker/2.0\r\n"
            "Accept-Encoding: gzip, compressed\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        version, status = (await reader.readuntil(b"\n")).split(None, 2)[:2]
        if not version.startswith(b"HTTP/"):
            raise ValueError("not HTTP")
        return int(status)
    finally:
        writer.transport.abort() if check.protocol == "HTTPS" else writer.close()


def _tls(check: HealthCheck) -> ssl.SSLContext | None:
    """A load balancer does not verify its targets' certificates."""
    if check.protocol != "HTTPS":
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
