"""One child process under its guard, its output read by a thread so that it never blocks on a full pipe."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.clock import Clock
from bluegreen.errors import HookUnavailableError

_GUARD = Path(__file__).with_name("guard.py")
_GRACE = 2.0
_LEFTOVERS = 0.1
_KEPT = 128 * 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """``how`` is exit, signal, timeout, cancelled, unavailable or lost (the guard itself was killed)."""

    how: str
    code: int = 0
    text: str = ""
    seconds: float = 0.0


class Process:
    """Started by its constructor. Raises HookUnavailableError when even that fails.

    ``timeout`` is a bound of its own, in seconds: it holds although nobody polls. ``on_report`` gets, in the
    reading thread, each line that the child writes to the descriptor named in ``BLUEGREEN_REPORT_FD``.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        timeout: float,
        clock: Clock,
        on_report: Callable[[str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._ended: Ended | None = None
        self._lock = threading.Lock()
        self._tail = bytearray()
        self._cut = False
        self._status = b""
        self._popen, readers = _start(argv, env, cwd, timeout, on_report is not None)
        self._reports = _Lines(on_report) if on_report else None
        self._thread = threading.Thread(target=self._read, args=readers, name="hook-output", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> Ended | None:
        return self._ended

    @property
    def seconds(self) -> float:
        """Since the start, or of the whole run once it has ended."""
        return self._ended.seconds if self._ended else self._clock.monotonic() - self._began

    def output(self) -> tuple[str, bool]:
        """What was printed lately, raw, and whether its beginning is missing."""
        with self._lock:
            return self._tail.decode("utf-8", "replace"), self._cut

    def cancel(self) -> None:
        """Returns at once; the guard sees to the end of every descendant, even if this process dies next."""
        lifeline = self._popen.stdin
        if lifeline is not None:
            lifeline.close()

    def _read(self, output: int, status: int, report: int | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ, self._keep)
            selector.register(status, selectors.EVENT_READ, self._hear)
            if report is not None and self._reports:
                selector.register(report, selectors.EVENT_READ, self._reports.feed)
            # A process left in the background may hold the output open for ever: the end is the guard's word.
            while selector.get_map():
                events = selector.select(None if status in selector.get_map() else _LEFTOVERS)
                if not events:
                    break
                for key, _ in events:
                    data = os.read(key.fd, 65536)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fd)
        for descriptor in (output, status, report):
            if descriptor is not None:
                os.close(descriptor)
        self._popen.wait()
        self.cancel()
        self._ended = _ended(self._status.decode(errors="replace").strip(), self._clock.monotonic() - self._began)

    def _keep(self, data: bytes) -> None:
        with self._lock:
            self._tail += data
            if len(self._tail) > 2 * _KEPT:
                del self._tail[:-_KEPT]
                self._cut = True

    def _hear(self, data: bytes) -> None:
        self._status += data


class _Lines:
    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))


def _start(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, timeout: float, reports: bool
) -> tuple[subprocess.Popen[bytes], tuple[int, int, int | None]]:
    pipes = [os.pipe() for _ in range(3 if reports else 2)]
    told = [writable for _, writable in pipes[1:]]
    environment = {**env, "BLUEGREEN_REPORT_FD": str(told[1])} if reports else dict(env)
    # -I and -S for a fast start that nothing in the environment can disturb.
    guard = [sys.executable, "-I", "-S", str(_GUARD), str(told[0]), str(timeout), str(_GRACE)]
    try:
        popen = subprocess.Popen(
            [*guard, *argv],
            stdin=subprocess.PIPE,
            stdout=pipes[0][1],
            stderr=subprocess.STDOUT,
            pass_fds=told,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        for readable, _ in pipes:
            os.close(readable)
        raise HookUnavailableError(f"could not start {argv[0]}: {error}") from error
    finally:
        for _, writable in pipes:
            os.close(writable)
    return popen, (pipes[0][0], pipes[1][0], pipes[2][0] if reports else None)


def _ended(status: str, seconds: float) -> Ended:
    how, _, rest = status.partition(" ")
    if how in ("exit", "signal"):
        return Ended(how, code=int(rest), seconds=seconds)
    if how in ("timeout", "cancelled", "unavailable"):
        return Ended(how, text=rest, seconds=seconds)
    return Ended("lost", seconds=seconds)
