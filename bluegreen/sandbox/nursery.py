"""Every child of a sandbox starts here, so that none outlives it, not even after ``kill -9``.

A small helper process (``nursery_helper.py``) forks on request and watches the socket to its owner. When
the owner is gone, whatever the cause, the helper kills every descendant and removes the sandbox's folder.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bluegreen.errors import BluegreenError, RefusedError
from bluegreen.sandbox.base import Nursery, Settings, Spawned

_HELPER = Path(__file__).with_name("nursery_helper.py")
_REPLY_SECONDS = 30.0
_KILLED = 128 + signal.SIGKILL
_GONE = "the sandbox's nursery is gone: no process can be started"


def start_nursery(settings: Settings) -> Nursery:
    """Start the helper process; ``settings.folder`` is made, and is removed when the owner ends.

    Raises RefusedError where it cannot keep its promise: on anything but Linux.
    """
    if not sys.platform.startswith("linux"):
        raise RefusedError(
            f"the sandbox runs on Linux only, and this is {sys.platform}: it needs process groups that die with it",
            hint="run it in a Linux container or virtual machine",
        )
    settings.folder.mkdir(parents=True, exist_ok=True)
    return HelperNursery(settings.folder)


class HelperNursery:
    """A Nursery (see base.py) over one helper process. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._folder = folder
        self._helper = _start_helper(theirs, folder)
        self._lock = threading.Lock()
        self._replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._exits: dict[int, int] = {}
        self._asked = 0
        self._gone = False
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def spawn(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        folder: Path | None = None,
    ) -> Spawned:
        request = {
            "do": "spawn",
            "command": list(command),
            "environment": dict(environment),
            "output": str(output),
            "folder": str(folder) if folder else None,
        }
        with self._lock:
            self._asked += 1
            self._send({**request, "request": self._asked})
            reply = self._reply_to(self._asked)
        if "errno" in reply:
            raise OSError(reply["errno"], reply["message"], command[0])
        return Spawned(pid=reply["pid"])

    def signal(self, pid: int, number: int) -> None:
        with self._lock:
            if pid not in self._exits and not self._gone:
                self._send({"do": "signal", "pid": pid, "number": int(number)})

    def exit_code(self, pid: int) -> int | None:
        code = self._exits.get(pid)
        return _KILLED if code is None and self._gone else code

    def stop(self) -> None:
        """Idempotent. Closing the socket is all the helper waits for."""
        _shut(self._socket)
        self._helper.wait()
        self._reader.join()
        self._socket.close()
        self._sweep()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- private

    def _send(self, message: dict[str, Any]) -> None:
        payload = json.dumps(message).encode()
        try:
            self._socket.sendall(len(payload).to_bytes(4, "big") + payload)
        except OSError as error:
            raise BluegreenError(_GONE) from error

    def _reply_to(self, request: int) -> dict[str, Any]:
        """An answer that came too late for the request before is passed over."""
        while True:
            try:
                reply = self._replies.get(timeout=_REPLY_SECONDS)
            except queue.Empty:
                raise BluegreenError(f"the sandbox's nursery gave no answer for {_REPLY_SECONDS:.0f} s") from None
            if "gone" in reply:
                self._replies.put(reply)
                raise BluegreenError(_GONE)
            if reply["request"] == request:
                return reply

    def _read(self) -> None:
        with self._socket.makefile("rb") as stream:
            while message := _next_message(stream.readline()):
                if "exit" in message:
                    self._exits[message["exit"]] = message["code"]
                    continue
                # The number of a process that ended earlier can come back with a new one.
                self._exits.pop(message.get("pid", 0), None)
                self._replies.put(message)
        self._gone = True
        self._replies.put({"gone": True})
        self._sweep()

    def _sweep(self) -> None:
        """For a helper that was itself killed: its children died with it, but theirs may not have."""
        mark = f"BLUEGREEN_NURSERY_CHILD={self._helper.pid}-".encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if any(variable.startswith(mark) for variable in environ.read_bytes().split(b"\0")):
                    os.kill(int(environ.parent.name), signal.SIGKILL)
            except OSError:
                continue  # it ended meanwhile, or it is somebody else's


def _start_helper(theirs: socket.socket, folder: Path) -> subprocess.Popen[bytes]:
    # -I -S: nothing of the site is needed, and without it the helper is up in about ten milliseconds.
    command = [sys.executable, "-I", "-S", str(_HELPER), str(theirs.fileno()), str(folder)]
    with theirs, (folder / "nursery.log").open("ab") as log:
        return subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )


def _next_message(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    message: dict[str, Any] = json.loads(line)
    return message


def _shut(ours: socket.socket) -> None:
    try:
        ours.shutdown(socket.SHUT_WR)
    except OSError:
        return  # closed before
