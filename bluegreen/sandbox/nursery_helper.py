"""The nursery's helper process: forks on request, and takes every descendant with it when its owner is gone.

Run as ``python -I -S nursery_helper.py SOCKET_FD FOLDER``; imports nothing of bluegreen, to start fast.
Requests are a length of four bytes and JSON; answers and exits are JSON lines. It is the subreaper of all it
starts: a grandchild that daemonised itself becomes its child again when the process between them dies.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MARK = "BLUEGREEN_NURSERY_CHILD"


def main() -> None:
    owner = socket.socket(fileno=int(sys.argv[1]))
    owner.set_inheritable(False)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the subreaper of the sandbox's processes")
    wakeup, _kept_open = _watch_signals()
    try:
        Helper(owner, libc.prctl, wakeup).serve()
    finally:
        kill_descendants()
        shutil.rmtree(sys.argv[2], ignore_errors=True)


class Helper:
    def __init__(self, owner: socket.socket, prctl: Callable[..., int], wakeup: socket.socket) -> None:
        self._owner = owner
        self._prctl = prctl
        self._wakeup = wakeup
        self._marks: dict[int, str] = {}
        self._started = 0
        self._buffer = bytearray()

    def serve(self) -> None:
        """Until the owner's end of the socket is closed."""
        while True:
            readable, _, _ = select.select([self._owner, self._wakeup], [], [])
            if self._wakeup in readable:
                self._wakeup.recv(4096)
                self._reap()
            if self._owner in readable and not self._receive():
                return

    def _receive(self) -> bool:
        try:
            data = self._owner.recv(1 << 20)
        except OSError:
            return False
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if len(self._buffer) < end:
                break
            request = json.loads(self._buffer[4:end])
            del self._buffer[:end]
            self._obey(request)
        return bool(data)

    def _obey(self, request: dict[str, Any]) -> None:
        if request["do"] == "spawn":
            self._answer({**self._spawn(request), "request": request["request"]})
        elif request["pid"] in self._marks:
            _kill_group(request["pid"], request["number"])

    def _spawn(self, request: dict[str, Any]) -> dict[str, Any]:
        self._started += 1
        mark = f"{os.getpid()}-{self._started}"
        try:
            with open(request["output"], "ab") as output:
                child = subprocess.Popen(
                    request["command"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=request["folder"],
                    env={**request["environment"], _MARK: mark},
                    start_new_session=True,
                    preexec_fn=self._prepare_child,
                )
        except OSError as error:
            return {"errno": error.errno, "message": error.strerror}
        except (ValueError, subprocess.SubprocessError) as error:
            return {"errno": errno.EINVAL, "message": str(error)}
        self._marks[child.pid] = mark
        # The helper reaps by itself; a Popen that believes it has ended does not interfere.
        child.returncode = 0
        return {"pid": child.pid}

    def _prepare_child(self) -> None:
        self._prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            mark = self._marks.pop(pid, None)
            if mark is None:
                continue
            _kill_leftovers(pid, mark)
            code = os.waitstatus_to_exitcode(status)
            self._answer({"exit": pid, "code": code if code >= 0 else 128 - code})

    def _answer(self, message: dict[str, Any]) -> None:
        try:
            self._owner.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # the owner is gone: the next recv says so


def kill_descendants() -> None:
    """Again and again until none is left: what is killed hands its own children to this process.

    "None" is the kernel's word: a process of many threads looks dead some time before it is.
    """
    while True:
        for pid in _descendants(os.getpid()):
            _kill(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        select.select([], [], [], 0.005)


def _kill_leftovers(pid: int, mark: str) -> None:
    """A container's main process has ended, so whatever it left behind ends too, as in a real container."""
    _kill_group(pid, signal.SIGKILL)
    expected = f"{_MARK}={mark}".encode()
    for child in _children(os.getpid()):
        if expected in _read(f"/proc/{child}/environ").split(b"\0"):
            for descendant in [*_descendants(child), child]:
                _kill(descendant)


def _descendants(root: int) -> list[int]:
    found: list[int] = []
    queue = [root]
    parents = _parents()
    while queue:
        parent = queue.pop()
        children = [pid for pid, its_parent in parents.items() if its_parent == parent]
        found += children
        queue += children
    return found


def _children(pid: int) -> list[int]:
    listed = _read(f"/proc/{pid}/task/{pid}/children")
    if listed or os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        return [int(child) for child in listed.split()]
    return [child for child, parent in _parents().items() if parent == pid]


def _parents() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            # The command's name stands in parentheses and may contain anything.
            fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
            if len(fields) > 1 and fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    return parents


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def _kill_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except OSError:
        return


def _watch_signals() -> tuple[socket.socket, socket.socket]:
    """SIGCHLD wakes the loop; what a terminal or an operator sends to the group must not stop it half-way.

    Handlers rather than SIG_IGN: a child would inherit SIG_IGN through exec.
    """

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ignore)
    return ours, theirs


if __name__ == "__main__":
    main()
