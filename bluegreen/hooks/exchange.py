"""One HTTP request and its whole answer, on a connection of its own so that a balancer may choose anew each time.

Plain ``http.client``: no proxy, no redirect followed, no retry. What a hook sees is what the load balancer said.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bluegreen.clock import Clock
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall
from bluegreen.hooks.words import route_header, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import RequestSettings

_LARGEST_BODY = 4 * 1024 * 1024


class NoAnswerError(Exception):
    """The other side refused, was silent, or broke off: the release's no."""


@dataclass(frozen=True, slots=True)
class Request:
    """``title`` is how a person knows it: ``GET /health``. ``timeout`` is seconds for the whole exchange."""

    title: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float
    tls: ssl.SSLContext | None

    @staticmethod
    def of(settings: RequestSettings, url: str, shown: str, headers: dict[str, str]) -> Request:
        body = settings.body
        names = {name.lower() for name in headers}
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
            if "content-type" not in names:
                headers["Content-Type"] = "application/json"
        if "user-agent" not in names:
            headers["User-Agent"] = "bluegreen"
        method = settings.method.upper()
        raw = body.encode() if body is not None else None
        tls = tls_context(settings.verify) if url.startswith("https:") else None
        return Request(f"{method} {shown}", method, url, headers, raw, settings.timeout, tls)


@dataclass(frozen=True, slots=True)
class Answer:
    """``seconds``: from before connecting to the last byte of the body."""

    status: int
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def exchange(request: Request, clock: Clock) -> Answer:
    """Raises NoAnswerError, or HookUnavailableError when nobody could be asked."""
    began = clock.monotonic()
    connection = _connection(request)
    try:
        connection.request(request.method, _target(request.url), request.body, dict(request.headers))
        with closing(connection.getresponse()) as response:
            body = _read(response, connection, began + request.timeout, clock)
        return Answer(response.status, body, clock.monotonic() - began)
    except socket.gaierror as error:
        raise HookUnavailableError(f"{urlsplit(request.url).hostname} does not resolve: {error.strerror}") from error
    except ssl.SSLError as error:
        raise HookUnavailableError(
            f"no TLS connection: {error.reason or error}",
            hint="verify: false, or a CA bundle, for a private certificate",
        ) from error
    except TimeoutError as error:
        raise NoAnswerError(f"no answer within {took(request.timeout)}") from error
    except ConnectionRefusedError as error:
        raise NoAnswerError("connection refused") from error
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(f"no whole answer: {type(error).__name__}: {error}".rstrip(": ")) from error
    finally:
        connection.close()


def request_of(settings: RequestSettings, call: HookCall) -> Request:
    """Raises HookUnavailableError for a path where there is no test route, and for a CA bundle that is none."""
    headers = dict(settings.headers)
    if settings.url is not None:
        return Request.of(settings, settings.url, settings.url, headers)
    if call.base_url is None:
        raise HookUnavailableError("there is no test route to ask through", hint="configure test:, or give a url")
    header = route_header(call.facts)
    if header is not None:
        headers = {header[0]: header[1]} | headers
    path = urlsplit(settings.path or "/").path
    return Request.of(settings, f"{call.base_url}{settings.path}", path, headers)


def tls_context(verify: bool | str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    except OSError as error:
        raise HookUnavailableError(f"{verify} is no CA bundle: {error}") from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


# Private


def _connection(request: Request) -> http.client.HTTPConnection:
    try:
        place = urlsplit(request.url)
        host, port = place.hostname or "", place.port
    except ValueError as error:
        raise HookUnavailableError(f"{request.url} is no URL: {error}") from error
    if request.tls is not None:
        return http.client.HTTPSConnection(host, port, timeout=request.timeout, context=request.tls)
    return http.client.HTTPConnection(host, port, timeout=request.timeout)


def _read(
    response: http.client.HTTPResponse, connection: http.client.HTTPConnection, until: float, clock: Clock
) -> bytes:
    """A socket's timeout bounds one read; a body that drips must not outlast the whole."""
    body = bytearray()
    while len(body) < _LARGEST_BODY:
        left = until - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        part = response.read1(65536)
        if not part:
            break
        body += part
    missing = response.length
    if missing and len(body) < _LARGEST_BODY:
        raise http.client.IncompleteRead(bytes(body), missing)
    return bytes(body)


def _target(url: str) -> str:
    place = urlsplit(url)
    return (place.path or "/") + (f"?{place.query}" if place.query else "")
