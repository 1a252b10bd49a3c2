"""The stand-in service: what an image without a command runs, so that a deployment can be watched from outside.

Answers every path and method with one JSON object that names image, tag, task, service, slot and container (also
in the headers ``x-image``, ``x-task`` and ``x-slot``). Listens on ``BIND_ADDRESS``:``PORT``; without ``PORT`` it
listens nowhere and only stays alive, as a sidecar does. It imports little: it must listen within 150 ms.

Faults, from the environment (a bad value: one line on stderr and exit code 2):

    STANDIN_UNHEALTHY=1             paths with "health" in them answer 503, always
    STANDIN_UNHEALTHY_AFTER=S       … from S seconds after the start
    STANDIN_ERROR_RATE=0.02         this share of all other requests answers 5xx, evenly spread (not drawn by lot)
    STANDIN_ERROR_STATUS=500        … with this status
    STANDIN_ERROR_AFTER=S           … from S seconds after the start
    STANDIN_ERROR_UNLESS_HEADER=H   … only for requests without header H; H=VALUE: without that value of it
    STANDIN_ERROR_PORT=P            … only for requests to the listener on port P (X-Forwarded-Port, else Host)
    STANDIN_LATENCY_MS=50           added to every answer but health's
    STANDIN_LATENCY_SPREAD=0.5      … as the median of a log-normal: p99 is e^(2.33 × 0.5), 3.2 times, as long
    STANDIN_SLOW_START=S            does not listen for the first S seconds
    STANDIN_CRASH_AFTER=S           ends by itself after S seconds, with STANDIN_EXIT_CODE or 1
    STANDIN_EXIT_CODE=N             without STANDIN_CRASH_AFTER: ends at once with code N

On SIGTERM it finishes what is in flight, answers with ``connection: close``, goes on accepting until
nothing has arrived for 0.25 s, and ends with 0.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus

from bluegreen.sandbox.standin_faults import Faults, is_struck, read_faults, read_number
from bluegreen.sandbox.standin_http import MAX_HEAD, Body, Request, content_length, parse_head

_QUIET_SECONDS = 0.25
_MAX_PIPELINED = 64
_GOLDEN = (5**0.5 - 1) / 2


def main(environment: Mapping[str, str] = os.environ) -> int:
    try:
        faults = read_faults(environment)
        port = read_number(environment, "PORT", int, 1, 65535)
    except ValueError as error:
        sys.stderr.write(f"stand-in: {error}\n")
        return 2
    if faults.exit_code is not None and faults.crash_after is None:
        sys.stderr.write(f"stand-in: exits with {faults.exit_code}, as STANDIN_EXIT_CODE says\n")
        return faults.exit_code
    address = environment.get("BIND_ADDRESS", "127.0.0.1")
    return asyncio.run(_run(Service(identity(environment), faults), address, port))


def identity(environment: Mapping[str, str]) -> dict[str, str]:
    image = environment.get("BLUEGREEN_IMAGE", "")
    return {
        "service": environment.get("BLUEGREEN_SERVICE", ""),
        "slot": environment.get("BLUEGREEN_SLOT", ""),
        "image": image,
        "tag": tag_of(image),
        "task": environment.get("BLUEGREEN_TASK_ID", ""),
        "container": environment.get("BLUEGREEN_CONTAINER", ""),
    }


def tag_of(image: str) -> str:
    """The tag or digest of an image name; ``latest`` when it has none, as in Docker."""
    name, _, digest = image.partition("@")
    tail = name.rpartition("/")[2]
    return digest or (tail.partition(":")[2] or "latest" if tail else "")


class Service:
    """What is answered, and whether it is still serving. One for the process."""

    def __init__(self, names: Mapping[str, str], faults: Faults) -> None:
        self.faults = faults
        self.draining = False
        self.in_flight = 0
        self.last_request = 0.0
        self._started: float | None = None
        self._owed = 0.0
        self._place = 0.5
        self._normal = _normal() if faults.latency_spread else None
        self._names = json.dumps(dict(names))[1:-1]
        marks = ("image", "task", "slot")
        self._headers = "".join(f"x-{mark}: {_header_value(names.get(mark, ''))}\r\n" for mark in marks)

    def begin(self, now: float) -> None:
        self._started = now

    def respond(self, request: Request, now: float) -> tuple[bytes, float]:
        """The whole answer and the seconds to wait before it is sent."""
        self.last_request = now
        if "health" in request.path:
            return self._answer(request, 503 if self._unhealthy(now) else 200), 0.0
        return self._answer(request, self._status(request, now)), self._latency()

    def refuse(self, status: int) -> bytes:
        return self._answer(Request("GET", "", {}, keep_alive=False), status)

    def _age(self, now: float) -> float:
        return now - (now if self._started is None else self._started)

    def _unhealthy(self, now: float) -> bool:
        after = self.faults.unhealthy_after
        return after is not None and self._age(now) >= after

    def _status(self, request: Request, now: float) -> int:
        faults = self.faults
        if not faults.error_rate or self._age(now) < faults.error_after or not is_struck(request, faults):
            return 200
        # The small term keeps a share such as 0.1, which binary cannot write, from coming one request late.
        self._owed += faults.error_rate
        if self._owed < 1 - 1e-9:
            return 200
        self._owed -= 1
        return faults.error_status

    def _latency(self) -> float:
        faults = self.faults
        if self._normal is None:
            return faults.latency
        # Steps of the golden ratio fill the interval from 0 to 1 evenly, however few they are.
        self._place = (self._place + _GOLDEN) % 1
        return faults.latency * math.exp(faults.latency_spread * self._normal(self._place or _GOLDEN))

    def _answer(self, request: Request, status: int) -> bytes:
        asked = json.dumps({"method": request.method, "path": request.path, "status": status})[1:-1]
        body = f"{{{self._names}, {asked}}}\n"
        connection = "keep-alive" if request.keep_alive and not self.draining else "close"
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in _STATUSES else 'Error'}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            f"{self._headers}connection: {connection}\r\n\r\n"
        )
        return (head if request.method == "HEAD" else head + body).encode("latin-1")


def _normal() -> Callable[[float], float]:
    """Quantiles of the standard normal distribution; a module that most stand-ins need not load."""
    from statistics import NormalDist

    return NormalDist().inv_cdf


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one connection: keep-alive, pipelining in order, bodies by length or in chunks."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._buffer = bytearray()
        self._waiting: list[tuple[bytes, float, bool]] = []
        self._pending: Request | None = None
        self._body = Body(0, chunked=False)
        self._closing = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.in_flight -= len(self._waiting)
        self._waiting.clear()
        self._closing = True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._service.last_request = self._loop.time()
        try:
            while not self._closing and len(self._waiting) < _MAX_PIPELINED and self._advance():
                pass
        except ValueError:
            self._finish(self._service.refuse(400))

    def _advance(self) -> bool:
        """Take one head or one body off the buffer; False when more bytes are needed."""
        if self._pending is None and not self._take_head():
            return False
        request = self._pending
        if request is None or not self._body.take(self._buffer):
            return False
        self._pending = None
        now = self._loop.time()
        answer, delay = self._service.respond(request, now)
        keep = request.keep_alive and not self._service.draining
        if not delay and not self._waiting:
            self._send(answer, keep)
            return keep
        self._service.in_flight += 1
        self._waiting.append((answer, now + delay, keep))
        if len(self._waiting) == 1:
            self._loop.call_at(now + delay, self._send_next)
        return keep

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                self._finish(self._service.refuse(431))
            return False
        self._pending = parse_head(self._buffer[:end].decode("latin-1"))
        del self._buffer[: end + 4]
        headers = self._pending.headers
        self._body = Body(content_length(headers), chunked="chunked" in headers.get("transfer-encoding", "").lower())
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _send_next(self) -> None:
        if not self._waiting:
            return
        answer, _, keep = self._waiting.pop(0)
        self._service.in_flight -= 1
        self._send(answer, keep)
        if self._waiting and not self._closing:
            self._loop.call_at(self._waiting[0][1], self._send_next)
        elif not self._closing:
            self.data_received(b"")

    def _send(self, answer: bytes, keep: bool) -> None:
        if keep:
            self._transport.write(answer)
        else:
            self._finish(answer)

    def _finish(self, answer: bytes) -> None:
        self._closing = True
        self._transport.write(answer)
        self._transport.close()


# -- private

_STATUSES = frozenset(int(status) for status in HTTPStatus)


async def _run(service: Service, address: str, port: int | None) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    service.begin(loop.time())
    if service.faults.crash_after is not None:
        code = 1 if service.faults.exit_code is None else service.faults.exit_code
        loop.call_later(service.faults.crash_after, _crash, code)
    serving = loop.create_task(_serve(service, address, port, stop, ended))
    code = await ended
    await serving
    return code


async def _serve(
    service: Service, address: str, port: int | None, stop: asyncio.Event, ended: asyncio.Future[int]
) -> None:
    if port is None:
        await stop.wait()
        ended.set_result(0)
        return
    if service.faults.slow_start and await _stopped_within(stop, service.faults.slow_start):
        ended.set_result(0)
        return
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: Connection(service, loop), address, port, backlog=2048, reuse_address=True
        )
    except OSError as error:
        sys.stderr.write(f"stand-in: cannot listen on {address}:{port}: {error.strerror}\n")
        ended.set_result(1)
        return
    sys.stderr.write(f"stand-in: listens on {address}:{port}\n")
    await stop.wait()
    await _drain(service, loop)
    server.close()
    ended.set_result(0)


async def _drain(service: Service, loop: asyncio.AbstractEventLoop) -> None:
    service.draining = True
    began = loop.time()
    while service.in_flight or loop.time() - max(began, service.last_request) < _QUIET_SECONDS:
        await asyncio.sleep(0.02)


async def _stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _crash(code: int) -> None:
    sys.stderr.write(f"stand-in: ends with {code}, as STANDIN_CRASH_AFTER says\n")
    sys.stderr.flush()
    os._exit(code)


def _header_value(text: str) -> str:
    return "".join(character for character in text if 32 <= ord(character) < 127)


if __name__ == "__main__":
    raise SystemExit(main())
