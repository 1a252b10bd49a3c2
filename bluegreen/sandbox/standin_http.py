"""Just enough HTTP/1.1 for the stand-in: a request's head and its body. Imports little, to start fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` have lower-case names; the body was read and thrown away."""

    method: str
    path: str
    headers: Mapping[str, str]
    keep_alive: bool


class Body:
    """Reads one request's body off a buffer and throws it away."""

    def __init__(self, length: int, *, chunked: bool) -> None:
        self._left = length
        self._chunked = chunked
        self._trailers = False

    def take(self, buffer: bytearray) -> bool:
        """True once the whole body is off the buffer. Raises ValueError for a malformed chunk."""
        if not self._chunked:
            return self._skip(buffer)
        while True:
            if not self._skip(buffer):
                return False
            line, found, _ = bytes(buffer[:MAX_HEAD]).partition(b"\r\n")
            if not found:
                return False
            del buffer[: len(line) + 2]
            if self._trailers:
                if not line:
                    return True
                continue
            size = int(line.partition(b";")[0], 16)
            self._trailers = size == 0
            self._left = size + 2 if size else 0

    def _skip(self, buffer: bytearray) -> bool:
        taken = min(self._left, len(buffer))
        del buffer[:taken]
        self._left -= taken
        return self._left == 0


def parse_head(head: str) -> Request:
    """Raises ValueError for what is no HTTP/1.x request."""
    first, *lines = head.lstrip("\r\n").split("\r\n")
    method, path, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1.x: {version}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"not a header: {line}")
        headers[name.lower()] = value.strip()
    connection = headers.get("connection", "").lower()
    keep = "keep-alive" in connection if version == "HTTP/1.0" else "close" not in connection
    return Request(method, path, headers, keep)


def content_length(headers: Mapping[str, str]) -> int:
    """Raises ValueError for what is no length."""
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise ValueError(f"not a content-length: {text}")
    return int(text)
