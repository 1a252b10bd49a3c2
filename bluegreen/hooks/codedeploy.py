"""CodeDeploy's contract: the event is two ids, and the verdict a call of PutLifecycleEventHookExecutionStatus.

That call belongs to AWS, which knows no deployment of ours. A function whose ``AWS_ENDPOINT_URL_CODEDEPLOY`` leads to a
Receiver tells us instead, with its code unchanged; it speaks both protocols of the SDKs (JSON 1.1, and CBOR as newer
ones do). An execution's id cannot be guessed, and only one that is expected can be answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks import cbor
from bluegreen.hooks.base import HookCall

SUCCEEDED, FAILED = "Succeeded", "Failed"
_OPERATION = "PutLifecycleEventHookExecutionStatus"
_LARGEST = 64 * 1024


def codedeploy_event(call: HookCall, execution: str) -> dict[str, Any]:
    return {"DeploymentId": call.facts.get("deployment", ""), "LifecycleEventHookExecutionId": execution}


def said_in(payload: bytes) -> str | None:
    """Succeeded or Failed, where a function returns it: as text, or as ``status`` of a mapping."""
    try:
        answer = json.loads(payload)
    except ValueError:
        return None
    word = answer.get("status") if isinstance(answer, Mapping) else answer
    return word if word in (SUCCEEDED, FAILED) else None


class Receiver:
    """Listens while at least one execution is expected, by whichever hook."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._lock = threading.Lock()
        self._status: dict[str, str | None] = {}
        self._server: ThreadingHTTPServer | None = None

    @staticmethod
    def at(place: str) -> Receiver:
        host, _, port = place.rpartition(":")
        return Receiver(host, int(port))

    def expect(self, execution: str) -> None:
        """Raises HookUnavailableError where nothing can listen there."""
        with self._lock:
            if self._server is None:
                self._server = self._listen()
            self._status[execution] = None

    def status_of(self, execution: str) -> str | None:
        with self._lock:
            return self._status.get(execution)

    def forget(self, execution: str) -> None:
        with self._lock:  # until the port is free, so that another hook of this receiver can listen again
            self._status.pop(execution, None)
            if self._server is not None and not self._status:
                self._server.shutdown()
                self._server.server_close()
                self._server = None

    def take(self, told: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        """HTTP status and content, with CodeDeploy's own errors."""
        execution, status = told.get("lifecycleEventHookExecutionId"), told.get("status")
        with self._lock:
            if not isinstance(execution, str) or execution not in self._status:
                return _refusal("InvalidLifecycleEventHookExecutionIdException", "no such execution is expected")
            if status not in (SUCCEEDED, FAILED):
                return _refusal("InvalidLifecycleEventHookExecutionStatusException", "it is Succeeded or Failed")
            if self._status[execution] is not None:
                return _refusal("LifecycleEventAlreadyCompletedException", "its status was put before")
            self._status[execution] = status
        return 200, {"lifecycleEventHookExecutionId": execution}

    def _listen(self) -> ThreadingHTTPServer:
        try:
            server = ThreadingHTTPServer((self._host, self._port), _handler(self))
        except OSError as error:
            raise HookUnavailableError(
                f"nothing can listen on the receiver's {self._host}:{self._port}: {error.strerror}",
                hint="receiver: names an address of this machine and a free port",
            ) from error
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), name="codedeploy", daemon=True).start()
        return server


def _refusal(code: str, message: str) -> tuple[int, dict[str, str]]:
    return 400, {"__type": code, "message": message}


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_POST(self) -> None:
            is_cbor = self.path.startswith("/service/")
            name = self.path if is_cbor else self.headers.get("X-Amz-Target", "")
            length = min(int(self.headers.get("Content-Length") or 0), _LARGEST)
            raw = self.rfile.read(length)
            if not name.endswith(_OPERATION):
                status, content = _refusal("UnknownOperationException", f"only {_OPERATION} is answered here")
            else:
                status, content = receiver.take(_content(raw, is_cbor))
            self._answer(status, content, is_cbor)

        def _answer(self, status: int, content: dict[str, str], is_cbor: bool) -> None:
            body = cbor.encode_texts(content) if is_cbor else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/cbor" if is_cbor else "application/x-amz-json-1.1")
            if is_cbor:
                self.send_header("smithy-protocol", "rpc-v2-cbor")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            return

    return Handler


def _content(raw: bytes, is_cbor: bool) -> Mapping[str, Any]:
    try:
        found = cbor.decode_texts(raw) if is_cbor else json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
