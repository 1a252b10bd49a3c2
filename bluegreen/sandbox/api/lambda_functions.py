"""Lambda's Invoke made true: a Python function's own code runs in a process, with its environment and its timeout.

The emulator keeps the functions; it would need a container runtime to run one. What a function answers, how it fails
and how it is cut off follow the Lambda developer guide ("Invoking a function synchronously", "Function errors").
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import sys
import threading
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.backends import get_backend

from bluegreen.clock import Clock
from bluegreen.sandbox.api.answer import Answer, error_answer
from bluegreen.sandbox.api.request import Call, Environ
from bluegreen.sandbox.base import ACCOUNT, Nursery, Settings

_RUNNER = Path(__file__).with_name("lambda_runner.py")
_LOOK = 0.02
_LOG_TAIL = 4096


@dataclass(frozen=True, slots=True)
class Invocation:
    """One function as it was when it was invoked. ``timeout`` is seconds, ``root`` its unpacked code."""

    call: Call
    name: str
    handler: str
    timeout: float
    event: bytes
    environment: dict[str, str]
    root: Path
    tail: bool


class LambdaFunctions:
    def __init__(self, settings: Settings, nursery: Nursery, clock: Clock) -> None:
        self._settings = settings
        self._nursery = nursery
        self._clock = clock
        self._folder = settings.folder / "functions"
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    def plan(self, call: Call, environ: Environ) -> Callable[[], Answer]:
        """Reads the emulator; what it answers runs the function and must not hold up other calls."""
        name = unquote(environ.get("PATH_INFO", "").rsplit("/", 2)[-2])
        qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", [None])[0]
        try:
            function: Any = get_backend("lambda")[ACCOUNT][call.region].get_function(name, qualifier)
        except Exception as error:
            refusal = error_answer(call, 404, "ResourceNotFoundException", f"Function not found: {error}")
            return lambda: refusal
        if not str(function.run_time or "").startswith("python3") or function.package_type != "Zip":
            told = f"the sandbox runs Python functions from a zip file, and {function.function_name} is none"
            return lambda: error_answer(call, 502, "InvalidRuntimeException", told)
        invocation = self._invocation(call, environ, function)
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        reserved = function.reserved_concurrency
        limit = None if reserved in (None, "") else int(reserved)
        return lambda: self._start(invocation, kind, limit)

    def _invocation(self, call: Call, environ: Environ, function: Any) -> Invocation:
        body: bytes = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        root = self._unpacked(bytes(function.code_bytes))
        tail = environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail"
        return Invocation(
            call,
            str(function.function_name),
            str(function.handler),
            float(function.timeout),
            body or b"{}",
            self._environment(function, root),
            root,
            tail,
        )

    def _environment(self, function: Any, root: Path) -> dict[str, str]:
        settings = self._settings
        own = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(root),
            "_HANDLER": str(function.handler),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": str(function.function_name),
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": str(function.logs_group_name),
            "BLUEGREEN_SANDBOX_FUNCTION_ARN": str(function.function_arn),
            "BLUEGREEN_SANDBOX_TIMEOUT": str(function.timeout),
            "AWS_REGION": str(function.region),
            "AWS_DEFAULT_REGION": str(function.region),
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_ENDPOINT_URL": f"http://{settings.api_address}:{settings.api_port}",
        }
        return {**own, **{str(key): str(value) for key, value in function.environment_vars.items()}}

    def _unpacked(self, code: bytes) -> Path:
        root = self._folder / hashlib.sha256(code).hexdigest()[:20]
        with self._lock:
            if not root.exists():
                draft = self._folder / f"{root.name}.{uuid.uuid4().hex[:8]}"
                draft.mkdir(parents=True)
                with zipfile.ZipFile(io.BytesIO(code)) as archive:
                    archive.extractall(draft)
                draft.rename(root)
        return root

    def _start(self, invocation: Invocation, kind: str, limit: int | None) -> Answer:
        if kind == "DryRun":
            return Answer(204, (), b"")
        with self._lock:
            if limit is not None and self._running[invocation.name] >= limit:
                return error_answer(invocation.call, 429, "TooManyRequestsException", "Rate Exceeded.")
            self._running[invocation.name] += 1
        if kind == "Event":
            threading.Thread(target=self._run, args=(invocation,), name="lambda-event", daemon=True).start()
            return Answer(202, (), b"")
        return self._run(invocation)

    def _run(self, invocation: Invocation) -> Answer:
        place = self._folder / "runs" / uuid.uuid4().hex
        try:
            place.mkdir(parents=True)
            (place / "event").write_bytes(invocation.event)
            return self._answer(invocation, place, self._wait(invocation, place))
        finally:
            with self._lock:
                self._running[invocation.name] -= 1
            _remove(place)

    def _wait(self, invocation: Invocation, place: Path) -> int | None:
        """Its exit code, or None when its time was over."""
        # -P: a module beside the runner must not hide one of the function's.
        command = [sys.executable, "-P", str(_RUNNER), invocation.handler, str(place), invocation.call.request_id]
        spawned = self._nursery.spawn(
            command, environment=invocation.environment, output=place / "log", folder=invocation.root
        )
        until = self._clock.monotonic() + invocation.timeout
        while (code := self._nursery.exit_code(spawned.pid)) is None:
            if self._clock.monotonic() > until:
                self._nursery.signal(spawned.pid, signal.SIGKILL)
                return None
            self._clock.sleep(_LOOK)
        return code

    def _answer(self, invocation: Invocation, place: Path, code: int | None) -> Answer:
        log = _read(place / "log")
        with (self._folder / f"{invocation.name}.log").open("ab") as kept:
            kept.write(log)
        headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", "$LATEST")]
        if invocation.tail:
            headers.append(("X-Amz-Log-Result", base64.b64encode(log[-_LOG_TAIL:]).decode()))
        result = _read(place / "result")
        if code is not None and result:
            failed, body = result[:1] == b"!", result[1:]
        else:
            failed, body = True, json.dumps(_cut_off(invocation, code)).encode()
        if failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        return Answer(200, tuple(headers), body)


def _cut_off(invocation: Invocation, code: int | None) -> dict[str, str]:
    request = invocation.call.request_id
    if code is None:
        return {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {request} Error: Task timed out after {invocation.timeout:.2f} seconds",
        }
    how = f"signal: {signal.Signals(code - 128).name}" if code > 128 else f"exit status {code}"
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request} Error: Runtime exited with error: {how}",
    }


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _remove(place: Path) -> None:
    import shutil

    shutil.rmtree(place, ignore_errors=True)
