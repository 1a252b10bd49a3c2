"""An HTTP answer, and AWS's error in the shape each protocol writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from bluegreen.sandbox.api.request import Call

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 400

    def send(self, start_response: Callable[..., Any]) -> list[bytes]:
        headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        headers.append(("Content-Length", str(len(self.body))))
        start_response(f"{self.status} {_REASONS.get(self.status, 'Status')}", headers)
        return [self.body]


def json_answer(content: Any, status: int = 200) -> Answer:
    body = json.dumps(content, default=str).encode()
    return Answer(status, (("Content-Type", "application/json"),), body)


def error_answer(call: Call, status: int, code: str, message: str) -> Answer:
    """``code`` with ``message``, as botocore expects it in the protocol of ``call``."""
    write = {"query": _query_error, "ec2": _ec2_error, "cbor": _cbor_error}.get(call.protocol, _json_error)
    return write(call, status, code, message)


def _query_error(call: Call, status: int, code: str, message: str) -> Answer:
    side = "Sender" if status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{side}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error><RequestId>{call.request_id}</RequestId></ErrorResponse>"
    )
    return Answer(status, (("Content-Type", "text/xml"), ("x-amzn-RequestId", call.request_id)), body.encode())


def _ec2_error(call: Call, status: int, code: str, message: str) -> Answer:
    body = (
        f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{call.request_id}</RequestID></Response>"
    )
    return Answer(status, (("Content-Type", "text/xml"), ("x-amzn-RequestId", call.request_id)), body.encode())


def _json_error(call: Call, status: int, code: str, message: str) -> Answer:
    headers = (
        ("Content-Type", "application/x-amz-json-1.1"),
        ("x-amzn-RequestId", call.request_id),
        ("x-amzn-ErrorType", code),
    )
    return Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())


def _cbor_error(call: Call, status: int, code: str, message: str) -> Answer:
    headers = (
        ("Content-Type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
        ("x-amzn-RequestId", call.request_id),
    )
    pairs = (("__type", code), ("message", message))
    return Answer(status, headers, b"\xa2" + b"".join(_cbor_text(text) for pair in pairs for text in pair))


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    size = len(raw)
    if size < 24:
        return bytes([0x60 + size]) + raw
    if size < 256:
        return bytes([0x78, size]) + raw
    return b"\x79" + size.to_bytes(2, "big") + raw
