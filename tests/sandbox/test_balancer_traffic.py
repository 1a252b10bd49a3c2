"""Listeners, rules, weights and stickiness with a real Envoy and real targets."""

from __future__ import annotations

import http.client
import math
import re
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen.clock import SystemClock
from bluegreen.sandbox.base import ListenerAddress
from tests.sandbox.balancer_stand import Stand, forward, stand_in

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand_in(tmp_path_factory.mktemp("sandbox")) as stand:
        yield stand


@pytest.fixture
def stand(shared: Stand) -> Iterator[Stand]:
    with shared.fresh() as stand:
        yield stand


def fixed(status: int, body: str = "", content_type: str = "text/plain") -> dict[str, Any]:
    config = {"StatusCode": str(status), "MessageBody": body, "ContentType": content_type}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def redirect(**config: str) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}


def values(field: str, *wanted: str, **more: str) -> dict[str, Any]:
    key = "".join(word.capitalize() for word in field.split("-")) + "Config"
    return {"Field": field, key: {"Values": list(wanted), **more}}


def pair_of_groups(stand: Stand) -> tuple[str, str, str]:
    """Groups of one healthy target each, "blue" and "green", and the listener on port 80 that sends all to blue."""
    blue = stand.target_group("blue", stand.backend("blue"))
    green = stand.target_group("green", stand.backend("green"))
    listener = stand.listener(80, forward((blue, 1), (green, 0)))
    stand.until_healthy(blue, green)
    return blue, green, listener


def test_privileged_ports_move_up_and_the_real_address_is_told(stand: Stand) -> None:
    stand.listener(80, fixed(200, "eighty"))
    stand.listener(8080, fixed(200, "eighty-eighty"))
    addresses = [each for each in stand.balancer.listeners() if each.port == 80]
    host = addresses[0].url.rpartition(":")[0]
    name = stand.front.split("/")[2]
    assert addresses == [ListenerAddress(name, 80, f"{host}:9080")]
    assert (stand.get(80).body, stand.get(8080).body) == ("eighty", "eighty-eighty")


def test_weights_share_the_traffic_within_binomial_bounds(stand: Stand) -> None:
    blue, green, listener = pair_of_groups(stand)
    assert stand.shares(80, 300) == {"blue": 300}
    stand.weights(listener, (blue, 80), (green, 20))
    requests, share = 2000, 0.2
    seen = stand.shares(80, requests)["green"]
    assert abs(seen - requests * share) < 4.5 * math.sqrt(requests * share * (1 - share))
    stand.weights(listener, (blue, 0), (green, 999))
    assert stand.shares(80, 300) == {"green": 300}


def test_weight_change_carries_traffic_within_100_ms_and_loses_nothing(stand: Stand) -> None:
    blue, green, listener = pair_of_groups(stand)
    stop, results = threading.Event(), Counter[str]()
    clients = [threading.Thread(target=_hammer, args=(stand.place(80), stop, results)) for _ in range(4)]
    for client in clients:
        client.start()
    clock, took = SystemClock(), []
    for turn in range(20):
        shares = ((blue, turn % 2), (green, 1 - turn % 2))
        begun = clock.monotonic()
        stand.weights(listener, *shares)
        answers = stand.shares(80, 1)
        took.append(clock.monotonic() - begun)
        assert answers == {("blue", "green")[1 - turn % 2]: 1}
    stop.set()
    for client in clients:
        client.join()
    assert set(results) == {"blue", "green"}
    assert sorted(took)[len(took) // 2] < 0.1


def _hammer(place: tuple[str, int], stop: threading.Event, results: Counter[str]) -> None:
    connection = http.client.HTTPConnection(*place, timeout=5)
    while not stop.is_set():
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            body = response.read().decode()
            results[body.partition("\n")[0] if response.status == 200 else str(response.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            results[repr(error)] += 1
            connection.close()
    connection.close()


def test_empty_target_group_keeps_its_share_and_answers_503(stand: Stand) -> None:
    blue, _, listener = pair_of_groups(stand)
    empty = stand.target_group("empty")
    stand.weights(listener, (blue, 1), (empty, 1))
    seen = stand.shares(80, 400)
    assert set(seen) == {"blue", "503"}
    assert 120 < seen["503"] < 280
    answer = next(each for each in (stand.get(80) for _ in range(50)) if each.status == 503)
    assert "503 Service Temporarily Unavailable" in answer.body
    assert answer.headers["server"] == "awselb/2.0"


def test_all_weights_zero_answers_503(stand: Stand) -> None:
    blue, green, listener = pair_of_groups(stand)
    stand.weights(listener, (blue, 0), (green, 0))
    assert stand.shares(80, 20) == {"503": 20}


def test_reset_by_the_target_is_502_and_is_not_retried(stand: Stand) -> None:
    backend = stand.backend("blue")
    group = stand.target_group("blue", backend, stand.backend("other"))
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    answers = [stand.get(80, "/reset").status for _ in range(6)]
    assert answers == [502] * 6


def test_target_silent_for_the_idle_timeout_is_504(stand: Stand) -> None:
    pair_of_groups(stand)
    stand.elb.modify_load_balancer_attributes(
        LoadBalancerArn=stand.front, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "1"}]
    )
    stand.balancer.reconcile()
    answer = stand.get(80, "/slow")
    assert (answer.status, "504 Gateway Time-out" in answer.body) == (504, True)


def test_forwarded_headers_are_those_of_an_alb(stand: Stand) -> None:
    pair_of_groups(stand)
    lines = stand.get(80, "/", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="gopher").body.splitlines()
    headers = [line.partition(": ")[::2] for line in lines[1:]]
    forwarded = [value.strip() for name, joined in headers if name == "x-forwarded-for" for value in joined.split(",")]
    assert forwarded == ["203.0.113.9", "127.0.0.1"]
    assert [value for name, value in headers if name == "x-forwarded-proto"] == ["http"]
    assert [value for name, value in headers if name == "x-forwarded-port"] == ["80"]
    assert not [name for name, _ in headers if name.startswith("x-envoy")]


@pytest.mark.parametrize(
    ("condition", "hits", "misses"),
    [
        (
            values("host-header", "*.example.com", "api?.test"),
            [("/", {"Host": "WWW.example.com"}), ("/", {"Host": "a.example.com:8080"}), ("/", {"Host": "api1.test"})],
            [("/", {"Host": "example.com"}), ("/", {"Host": "api.test"})],
        ),
        (
            values("path-pattern", "/api/*", "/v?/x.html"),
            [("/api/a/b?c=d", {}), ("/v2/x.html", {})],
            [("/API/a", {}), ("/api", {}), ("/v2/x-html", {}), ("/other?/api/x", {})],
        ),
        (
            values("http-header", "Green*", HttpHeaderName="X-Slot"),
            [("/", {"x-slot": "green"}), ("/", {"X-SLOT": "GREEN-2"})],
            [("/", {"x-slot": "blue"}), ("/", {})],
        ),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}, {"Value": "on"}]}},
            [("/?v=2", {}), ("/?a=1&V=21&b", {}), ("/?any=ON", {}), ("/?on", {})],
            [("/?v=1", {}), ("/?av=2", {}), ("/v=2", {}), ("/?v=1&a=2", {})],
        ),
        (
            values("path-pattern", "/" + "ab*" * 42, "/x/*/y/*/z/?", "/very/long/*" * 9),
            [("/" + "abc" * 42, {}), ("/x/1/y/2/3/z/4", {})],
            [("/" + "ab" * 41, {})],
        ),
        (values("source-ip", "127.0.0.0/30", "10.0.0.0/8"), [("/", {})], []),
        (values("source-ip", "192.0.2.0/24"), [], [("/", {}), ("/", {"X-Forwarded-For": "192.0.2.1"})]),
    ],
    ids=["host", "path", "header", "query", "long", "source", "other-source"],
)
def test_condition_matches_as_on_an_alb(
    stand: Stand,
    condition: dict[str, Any],
    hits: list[tuple[str, dict[str, str]]],
    misses: list[tuple[str, dict[str, str]]],
) -> None:
    listener = stand.listener(80, fixed(404, "miss"))
    stand.rule(listener, 10, [condition], fixed(200, "hit"))
    assert [(path, headers) for path, headers in hits if stand.get(80, path, **headers).body != "hit"] == []
    assert [(path, headers) for path, headers in misses if stand.get(80, path, **headers).body != "miss"] == []


def test_method_condition_and_priorities_decide_together(stand: Stand) -> None:
    listener = stand.listener(80, fixed(404, "default"))
    path = values("path-pattern", "/a*")
    stand.rule(listener, 20, [path], fixed(200, "path only"))
    stand.rule(listener, 10, [path, values("http-request-method", "POST", "PUT")], fixed(200, "both"))
    seen = [stand.get(80, "/a", method).body for method in ("POST", "PUT", "GET")]
    assert [*seen, stand.get(80, "/b", "POST").body] == ["both", "both", "path only", "default"]


def test_fixed_response_keeps_status_type_and_body(stand: Stand) -> None:
    stand.listener(80, fixed(503, '{"down": true}', "application/json"))
    answer = stand.get(80)
    assert (answer.status, answer.headers["content-type"], answer.body) == (503, "application/json", '{"down": true}')


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({"Host": "other.test"}, "http://other.test:{port}/a/b?c=d"),
        ({"Path": "/new/#{path}", "Query": ""}, "http://{host}:{port}/new/a/b"),
        ({"Path": "/new", "Query": "x=1"}, "http://{host}:{port}/new?x=1"),
        ({"Port": "443", "Protocol": "HTTPS"}, "http://{host}:9443/a/b?c=d"),
        ({"Path": "/#{path}", "Query": "x=1"}, "http://{host}:{port}/a/b?x=1"),
        ({"Path": "/v2/#{path}", "Query": "#{query}&x=1"}, "http://{host}:{port}/v2/a/b?c=d&x=1"),
        ({"Path": "/#{path}", "Query": ""}, "http://{host}:{port}/a/b"),
    ],
)
def test_redirect_fills_its_placeholders(stand: Stand, config: dict[str, str], location: str) -> None:
    stand.listener(80, redirect(**config))
    stand.listener(443, fixed(200))
    host, port = stand.place(80)
    answer = stand.get(80, "/a/b?c=d")
    assert (answer.status, answer.headers["location"]) == (301, location.format(host=host, port=port))


def test_group_stickiness_keeps_a_client_on_its_target_group(stand: Stand) -> None:
    blue, green, listener = pair_of_groups(stand)
    both = forward((blue, 1), (green, 1), sticky=60)
    stand.elb.modify_listener(ListenerArn=listener, DefaultActions=[both])
    stand.balancer.reconcile()
    first = stand.get(80)
    name = first.body.partition("\n")[0]
    cookie = next(each for each in first.cookies if each.startswith("AWSALBTG="))
    assert re.search(r"Max-Age=60; Path=/", cookie)
    again = Counter(
        stand.get(80, "/", Cookie=f"a=b; {cookie.partition(';')[0]}; c=d").body.partition("\n")[0] for _ in range(30)
    )
    assert again == {name: 30}
    assert set(stand.shares(80, 60)) == {"blue", "green"}


def test_a_client_s_group_cookie_holds_it_on_a_group_whose_weight_is_0_by_now(stand: Stand) -> None:
    blue, green, listener = pair_of_groups(stand)
    for weights in (((blue, 1), (green, 0)), ((blue, 0), (green, 1))):
        stand.elb.modify_listener(ListenerArn=listener, DefaultActions=[forward(*weights, sticky=60)])
        stand.balancer.reconcile()
        if weights[0][1]:
            cookie = next(each for each in stand.get(80).cookies if each.startswith("AWSALBTG=")).partition(";")[0]
    assert {stand.get(80, "/", Cookie=cookie).body.partition("\n")[0] for _ in range(20)} == {"blue"}
    assert stand.shares(80, 20) == {"green": 20}


def test_target_stickiness_keeps_a_client_on_its_target(stand: Stand) -> None:
    group = stand.target_group("blue", stand.backend("one"), stand.backend("two"))
    stand.attributes(group, {"stickiness.enabled": "true", "stickiness.type": "lb_cookie"})
    stand.listener(80, forward((group, 1)))
    stand.until_healthy(group)
    first = stand.get(80)
    cookie = next(each for each in first.cookies if each.startswith("AWSALB=")).partition(";")[0]
    again = Counter(stand.get(80, "/", Cookie=cookie).body.partition("\n")[0] for _ in range(20))
    assert again == {first.body.partition("\n")[0]: 20}
    assert set(stand.shares(80, 20)) == {"one", "two"}


def test_deleted_listener_stops_answering(stand: Stand) -> None:
    listener = stand.listener(80, fixed(200))
    place = stand.place(80)
    stand.elb.delete_listener(ListenerArn=listener)
    stand.balancer.reconcile()
    stand.until(lambda: _refuses(place))


def _refuses(place: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*place, timeout=2)
    try:
        connection.connect()
    except ConnectionRefusedError:
        return True
    finally:
        connection.close()
    return False
