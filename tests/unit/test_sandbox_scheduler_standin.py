"""The stand-in's answers and faults, without a process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bluegreen.sandbox import standin
from bluegreen.sandbox.standin import Service, tag_of
from bluegreen.sandbox.standin_faults import FAULT_NAMES, Faults, read_faults
from bluegreen.sandbox.standin_http import Body, Request, parse_head


def get(path: str = "/", **headers: str) -> Request:
    return Request("GET", path, {name.replace("_", "-"): value for name, value in headers.items()}, keep_alive=True)


def status(service: Service, request: Request, now: float = 0.0) -> int:
    return int(service.respond(request, now)[0].split(b" ")[1])


def service(**faults: Any) -> Service:
    made = Service({"image": "i:1"}, Faults(**faults))
    made.begin(0.0)
    return made


def test_every_fault_stands_in_the_manual_of_the_module() -> None:
    assert [name for name in FAULT_NAMES if f"    {name}=" not in (standin.__doc__ or "")] == []


def test_faults_are_read_from_their_variables() -> None:
    faults = read_faults(
        {"STANDIN_UNHEALTHY": "1", "STANDIN_ERROR_RATE": "0.02", "STANDIN_LATENCY_MS": "50", "STANDIN_CRASH_AFTER": "3"}
    )
    assert faults == Faults(unhealthy_after=0.0, error_rate=0.02, latency=0.05, crash_after=3.0)
    assert read_faults({"STANDIN_UNHEALTHY": "0", "PORT": "80"}) == Faults()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STANDIN_ERROR_RATE", "2"),
        ("STANDIN_ERROR_RATE", "nan"),
        ("STANDIN_ERROR_STATUS", "404"),
        ("STANDIN_LATENCY_MS", "fast"),
        ("STANDIN_LATENCY_MS", "inf"),
        ("STANDIN_UNHEALTHY", "yes"),
        ("STANDIN_EXIT_CODE", "256"),
        ("STANDIN_TYPO", "1"),
    ],
)
def test_a_bad_fault_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        read_faults({name: value})


def test_the_share_of_errors_is_exact_and_spares_health() -> None:
    struck = service(error_rate=0.02, error_status=503)
    assert [status(struck, get()) for _ in range(1000)].count(503) == 20
    assert {status(struck, get("/health")) for _ in range(200)} == {200}
    assert {status(service(error_rate=1.0), get()) for _ in range(10)} == {500}


def test_errors_can_begin_later() -> None:
    late = service(error_rate=1.0, error_after=5.0)
    assert [status(late, get(), now) for now in (0, 4.9, 5.0)] == [200, 200, 500]


def test_a_test_header_spares_a_request_from_errors() -> None:
    struck = service(error_rate=1.0, error_unless_header="X-Test=1")
    assert [status(struck, get(x_test="1")), status(struck, get(x_test="2")), status(struck, get())] == [200, 500, 500]
    assert status(service(error_rate=1.0, error_unless_header="X-Test"), get(x_test="any")) == 200


def test_errors_can_be_for_one_listeners_port_only() -> None:
    struck = service(error_rate=1.0, error_port=443)
    assert status(struck, get(host="shop:443")) == 500
    assert status(struck, get(host="shop:8080")) == 200
    assert status(struck, get(host="shop:8080", x_forwarded_port="443")) == 500


def test_health_fails_from_the_given_second_on_and_nothing_else_does() -> None:
    sick = service(unhealthy_after=2.0)
    assert [status(sick, get("/api/healthz"), now) for now in (0, 1.9, 2)] == [200, 200, 503]
    assert status(sick, get("/"), 9) == 200


def test_latency_is_for_all_but_health() -> None:
    slow = service(latency=0.05)
    assert (slow.respond(get(), 0)[1], slow.respond(get("/health"), 0)[1]) == (0.05, 0)


def test_a_spread_latency_has_the_median_and_the_percentiles_it_says() -> None:
    slow = service(latency=0.01, latency_spread=0.5)
    waits = sorted(slow.respond(get(), 0)[1] for _ in range(1000))
    assert waits[500] == pytest.approx(0.01, rel=0.02)
    assert waits[990] == pytest.approx(0.032, rel=0.05)
    assert waits[0] > 0


def test_an_answer_while_draining_closes_the_connection() -> None:
    ending = service()
    assert b"connection: keep-alive" in ending.respond(get(), 0)[0]
    ending.draining = True
    assert b"connection: close" in ending.respond(get(), 0)[0]


def test_the_body_is_json_of_the_announced_length() -> None:
    head, _, body = service().respond(get('/a"b'), 0)[0].partition(b"\r\n\r\n")
    assert json.loads(body)["path"] == '/a"b'
    assert f"content-length: {len(body)}".encode() in head
    assert service().respond(Request("HEAD", "/", {}, True), 0)[0].endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("image", "tag"),
    [("host:5000/a/b:v2", "v2"), ("host:5000/a/b", "latest"), ("a@sha256:ff", "sha256:ff"), ("", "")],
)
def test_the_tag_of_an_image(image: str, tag: str) -> None:
    assert tag_of(image) == tag


def test_a_chunked_body_is_read_to_its_end_however_it_is_cut() -> None:
    whole = b"3\r\nabc\r\n5;x=y\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"
    for cut in range(len(whole)):
        body, buffer = Body(0, chunked=True), bytearray(whole[:cut])
        assert not body.take(buffer)
        buffer += whole[cut:] + b"NEXT"
        assert body.take(buffer)
        assert buffer == b"NEXT"


@pytest.mark.parametrize("head", ["GET /", "GET / HTTP/2", "GET / HTTP/1.1\r\nnocolon"])
def test_what_is_not_http_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_head(head)


def test_http_1_0_closes_unless_asked_not_to() -> None:
    assert not parse_head("GET / HTTP/1.0").keep_alive
    assert parse_head("GET / HTTP/1.0\r\nConnection: Keep-Alive").keep_alive
    assert parse_head("GET / HTTP/1.1").keep_alive
    assert not parse_head("GET / HTTP/1.1\r\nConnection: close").keep_alive
