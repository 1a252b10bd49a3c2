"""Stands between a driver and one hook's process: nothing of a hook outlives its time, its cancelling or its driver.

Run as ``python -I -S guard.py STATUS_FD SECONDS GRACE COMMAND…``; imports nothing of bluegreen, to start fast.
Its standard input is the lifeline: when that ends (the driver cancelled, or died) the command's process group
gets SIGTERM, and after GRACE seconds everything that descends from it SIGKILL. The end is told in one line on
STATUS_FD: ``exit N``, ``signal N``, ``timeout``, ``cancelled`` or ``unavailable TEXT``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIFELINE = 0


def main(arguments: list[str]) -> None:
    status_fd, seconds, grace = int(arguments[0]), float(arguments[1]), float(arguments[2])
    os.set_inheritable(status_fd, False)
    prctl = _prctl()
    # As the subreaper, so that a grandchild which daemonised itself can still be found.
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wakeup = _watch_signals()
    child, problem = _spawn(arguments[3:], prctl)
    if problem:
        _tell(status_fd, f"unavailable {problem}")
        return
    # An interval timer rather than a clock: it wakes the same select as a child's end does.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    _tell(status_fd, _watch(child, wakeup, grace))


def _watch(child: int, wakeup: int, grace: float) -> str:
    while True:
        readable, _, _ = select.select([_LIFELINE, wakeup], [], [])
        ended = _reap(child)
        if ended is not None:
            return f"signal {-ended}" if ended < 0 else f"exit {ended}"
        signals = _drain(wakeup) if wakeup in readable else b""
        if signal.SIGALRM in signals:
            _end(child, wakeup, grace)
            return "timeout"
        if _LIFELINE in readable or signal.SIGTERM in signals or signal.SIGINT in signals:
            _end(child, wakeup, grace)
            return "cancelled"


def _end(child: int, wakeup: int, grace: float) -> None:
    """A chance to tidy up for the command's group, then no mercy for any descendant."""
    _signal_group(child, signal.SIGTERM)
    signal.setitimer(signal.ITIMER_REAL, max(grace, 0.001))
    while _reap(child) is None:
        select.select([wakeup], [], [])
        if signal.SIGALRM in _drain(wakeup):
            break
    _signal_group(child, signal.SIGKILL)
    _kill_descendants(child)


def _kill_descendants(child: int) -> None:
    """Again and again: whoever is killed hands its own children to this process."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True:
        for pid in {*_children(), child}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []  # no such file outside Linux: there the process group is all that can be reached


def _spawn(command: list[str], prctl: Callable[[int, int], None]) -> tuple[int, str]:
    """The command's process id, and why it could not be started ('' when it was)."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(command, tell, prctl)
    os.close(tell)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    problem = b""
    while part := os.read(told, 4096):
        problem += part
    if problem:
        os.waitpid(pid, 0)
    return pid, problem.decode(errors="replace")


def _become(command: list[str], tell: int, prctl: Callable[[int, int], None]) -> None:
    try:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setpgid(0, 0)
        # Python ignores these; a program that inherits that would see EPIPE where it expects to end.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(tell, (error.strerror or str(error)).encode())
    finally:
        os._exit(127)


def _reap(child: int) -> int | None:
    """The exit code of ``child`` once it has ended, negative for a signal; adopted orphans are buried on the way."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _watch_signals() -> int:
    def wake(_number: int, _frame: FrameType | None) -> None:
        return

    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, wake)
    return readable


def _drain(wakeup: int) -> bytes:
    try:
        return os.read(wakeup, 4096)
    except BlockingIOError:
        return b""


def _prctl() -> Callable[[int, int], None]:
    if sys.platform != "linux":
        return lambda _option, _value: None
    import ctypes

    function = ctypes.CDLL(None).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def _tell(status_fd: int, line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(status_fd, f"{line}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1:])
