"""A release to ask, and the patience to wait for a hook's verdict."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bluegreen.clock import SystemClock
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.hooks.base import Failed, Hook, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.registry import build_hook

PLANTED = "s3cr3t-planted-9f27"
# Pytest's plugins of this machine would only cost time.
ENVIRONMENT = {**os.environ, "PLANTED_TOKEN": PLANTED, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@dataclass
class Release:
    """A web service on a free port of 127.0.0.1. ``answers`` maps a path to status and body; ``seen`` what came."""

    answers: dict[str, tuple[int, str]] = field(default_factory=lambda: {"/health": (200, '{"version": "2.0"}')})
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    slow: float = 0.0
    url: str = ""


@contextmanager
def serving(release: Release) -> Iterator[Release]:
    """While it lasts.

    ``/silent`` answers nothing before the end, ``/late`` after ``slow``, ``/broken`` breaks off, ``/drip`` never ends.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            release.seen.append((self.command, self.path, dict(self.headers.items()), body))
            if self.path == "/silent":
                release.silent.wait(30)
            elif self.path == "/late":
                release.silent.wait(release.slow)
                self._answer(200, "late")
            elif self.path == "/drip":
                self._drip()
            elif self.path == "/broken":
                self.connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            else:
                self._answer(*release.answers.get(self.path, (404, "nothing here")))

        do_POST = do_GET

        def _drip(self) -> None:
            self.connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not release.silent.wait(0.05):
                try:
                    self.connection.sendall(b".")
                except OSError:
                    return

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # a load's users all come at the same moment

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    release.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield release
    finally:
        release.silent.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(
    base_url: str | None = None,
    *,
    timeout: float = 20.0,
    facts: Mapping[str, str] | None = None,
    point: HookPoint = HookPoint.TEST,
) -> HookCall:
    return HookCall(point, "smoke", 1, timeout, base_url, {"service": "orders", "deployment": "d-1", **(facts or {})})


def hook(kind: str, settings: Mapping[str, object], folder: Path, environment: Mapping[str, str] | None = None) -> Hook:
    spec = HookSpec(HookPoint.TEST, "smoke", kind, dict(settings))
    return build_hook(spec, ENVIRONMENT if environment is None else environment, folder, SystemClock())


def ask(asked: Hook, called: HookCall) -> Passed | Failed:
    return wait(asked, asked.start(called))


def wait(asked: Hook, verdict: Verdict, longest: float = 20.0) -> Passed | Failed:
    clock = SystemClock()
    until = clock.monotonic() + longest
    while isinstance(verdict, Pending):
        assert clock.monotonic() < until, f"still pending after {longest} s: {verdict.progress}"
        clock.sleep(verdict.again_in)
        verdict = asked.poll(verdict.handle)
    return verdict


def passed(verdict: Verdict) -> Passed:
    assert isinstance(verdict, Passed), verdict
    return verdict


def failed(verdict: Verdict) -> Failed:
    assert isinstance(verdict, Failed), verdict
    return verdict


def alive(pid: int) -> bool:
    """A zombie is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(condition: Any, longest: float = 10.0) -> None:
    clock = SystemClock()
    end = clock.monotonic() + longest
    while not condition():
        assert clock.monotonic() < end, "it did not come to pass"
        clock.sleep(0.02)
