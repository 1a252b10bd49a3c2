"""The stand-in as a real process: it starts fast, answers many, drops nothing on SIGTERM, and fails on request."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pytest

from bluegreen.clock import SystemClock
from tests.sandbox.scheduler_kit import eventually

pytestmark = pytest.mark.sandbox

ADDRESS = "127.197.16.1"
REQUEST = b"GET /orders HTTP/1.1\r\nhost: shop\r\n\r\n"


def free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as server:
        return int(server.getsockname()[1])


def start(port: int | None, **faults: object) -> subprocess.Popen[str]:
    names = {f"STANDIN_{name}": str(value) for name, value in faults.items()}
    environment = {"PATH": os.environ["PATH"], "BIND_ADDRESS": ADDRESS, "BLUEGREEN_IMAGE": "shop:v3", **names}
    if port:
        environment["PORT"] = str(port)
    command = [sys.executable, "-P", "-m", "bluegreen.sandbox.standin"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@contextmanager
def serving(port: int, **faults: object) -> Iterator[subprocess.Popen[str]]:
    process = start(port, **faults)
    try:
        eventually(lambda: listens(port))
        yield process
    finally:
        process.kill()
        process.communicate()


def listens(port: int) -> bool:
    try:
        socket.create_connection((ADDRESS, port), timeout=1).close()
    except OSError:
        return False
    return True


def status(port: int, path: str = "/") -> int:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def ended(**faults: object) -> tuple[int, str]:
    process = start(free_port(), **faults)
    _, errors = process.communicate(timeout=10)
    return process.returncode, errors


def read_answer(stream: BinaryIO) -> dict[str, str]:
    """Status line and headers, lower-case; the body is read too."""
    line = stream.readline()
    found = {"status": line.decode().split(" ")[1]} if line else {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        found[name.lower()] = value.strip()
    found["body"] = stream.read(int(found.get("content-length", "0"))).decode()
    return found


def test_it_listens_soon_after_its_start() -> None:
    clock, taken = SystemClock(), []
    for _ in range(3):
        began = clock.monotonic()
        with serving(free_port()):
            taken.append(clock.monotonic() - began)
    assert min(taken) < 0.15


def test_it_answers_two_thousand_requests_a_second_on_kept_connections() -> None:
    port, clock = free_port(), SystemClock()
    with serving(port):
        sockets = [socket.create_connection((ADDRESS, port)) for _ in range(10)]
        streams = [connection.makefile("rb") for connection in sockets]
        began = clock.monotonic()
        for _ in range(300):
            for connection in sockets:
                connection.sendall(REQUEST)
            assert {read_answer(stream)["status"] for stream in streams} == {"200"}
        rate = 3000 / (clock.monotonic() - began)
        for stream, connection in zip(streams, sockets, strict=True):
            stream.close()
            connection.close()
    assert rate > 2000


def test_every_method_and_body_is_answered_in_order_on_one_connection() -> None:
    port = free_port()
    with serving(port), socket.create_connection((ADDRESS, port), timeout=5) as connection:
        connection.sendall(
            b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"
            b"PUT /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            b"HEAD /c HTTP/1.1\r\n\r\n"
            b"DELETE /d HTTP/1.1\r\nconnection: close\r\n\r\n"
        )
        with connection.makefile("rb") as stream:
            bodies = [json.loads(read_answer(stream)["body"]) for _ in range(2)]
            assert stream.readline().startswith(b"HTTP/1.1 200")
            while stream.readline() != b"\r\n":
                pass
            last = read_answer(stream)
            assert stream.read() == b""
    said = [(body["method"], body["path"], body["tag"]) for body in bodies]
    assert said == [("POST", "/a", "v3"), ("PUT", "/b", "v3")]
    assert (json.loads(last["body"])["method"], last["connection"]) == ("DELETE", "close")


def test_what_is_not_http_gets_400_and_leaves_the_service_up() -> None:
    port = free_port()
    with serving(port):
        with socket.create_connection((ADDRESS, port), timeout=5) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
        assert status(port) == 200


def test_no_request_is_dropped_when_sigterm_comes_under_load() -> None:
    port = free_port()
    counts: list[int] = []
    failures: list[str] = []

    def load() -> None:
        answered = 0
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
        while answered < 5000:
            connection.request("GET", "/orders")
            answer = connection.getresponse()
            answer.read()
            answered += 1
            if answer.status != 200:
                failures.append(f"status {answer.status}")
            if answer.getheader("connection") == "close":
                break
        counts.append(answered)

    def guarded() -> None:
        try:
            load()
        except (OSError, http.client.HTTPException) as error:
            failures.append(repr(error))

    with serving(port, LATENCY_MS=5) as process:
        threads = [threading.Thread(target=guarded) for _ in range(8)]
        for thread in threads:
            thread.start()
        threading.Event().wait(0.3)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert process.wait(timeout=5) == 0
    assert failures == []
    assert len(counts) == 8
    assert min(counts) > 5


def test_a_new_connection_while_draining_is_still_answered() -> None:
    port = free_port()
    with serving(port) as process:
        process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.05)
        assert status(port) == 200
        assert process.wait(timeout=5) == 0


def test_health_fails_and_the_rest_serves() -> None:
    port = free_port()
    with serving(port, UNHEALTHY=1):
        assert (status(port, "/health"), status(port, "/api")) == (503, 200)


def test_a_slow_start_does_not_listen_at_first() -> None:
    port, clock = free_port(), SystemClock()
    began = clock.monotonic()
    with serving(port, SLOW_START=0.5):
        assert clock.monotonic() - began >= 0.5


def test_it_crashes_when_told_with_the_code_it_was_told() -> None:
    clock = SystemClock()
    began = clock.monotonic()
    code, errors = ended(CRASH_AFTER=0.3, EXIT_CODE=9)
    assert clock.monotonic() - began >= 0.3
    assert code == 9
    assert "ends with 9, as STANDIN_CRASH_AFTER says" in errors


def test_it_exits_at_once_with_a_code() -> None:
    assert ended(EXIT_CODE=4) == (4, "stand-in: exits with 4, as STANDIN_EXIT_CODE says\n")


def test_a_bad_fault_is_one_line_and_exit_code_2() -> None:
    code, errors = ended(ERROR_RATE="often")
    assert (code, errors) == (2, "stand-in: STANDIN_ERROR_RATE=often: must be a number from 0 to 1\n")


def test_an_address_that_is_taken_is_said_with_exit_code_1() -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        process = start(server.getsockname()[1])
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "cannot listen on" in errors


def test_without_a_port_it_only_stays_alive() -> None:
    process = start(None)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.terminate()
    process.communicate(timeout=5)
    assert process.returncode == 0
