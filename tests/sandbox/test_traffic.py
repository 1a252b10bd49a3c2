"""A weight written through the API carries traffic at once, and nothing is lost on the way."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from bluegreen.clock import SystemClock
from tests.sandbox.conftest import RunningSandbox, fetch, wait_for

_WITHIN = 0.1


class Load:
    """Users that ask without a pause, each over its own kept connection."""

    def __init__(self, url: str, users: int) -> None:
        self._url = urlsplit(url)
        self._ended = threading.Event()
        self.answers: list[tuple[float, int, str]] = []
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(users)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        clock = SystemClock()
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=5)
        while not self._ended.is_set():
            begun = clock.monotonic()
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                self.answers.append((begun, response.status, response.headers.get("x-slot") or ""))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


@contextmanager
def _load(url: str, users: int = 4) -> Iterator[Load]:
    load = Load(url, users)
    load.start()
    try:
        yield load
    finally:
        load.stop()


@contextmanager
def _both_slots(sandbox: RunningSandbox) -> Iterator[None]:
    """orders-2 with one healthy task; afterwards as the template made it."""
    ecs, elb = sandbox.client("ecs"), sandbox.client("elbv2")
    sandbox.ask("POST", "throttles", {"enabled": False})
    ecs.update_service(cluster="production", service="orders-2", desiredCount=1)
    group = sandbox.target_group("orders-2")

    def healthy() -> bool:
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [item["TargetHealth"]["State"] for item in health] == ["healthy"]

    try:
        wait_for(healthy, seconds=15)
        yield
    finally:
        _write(sandbox, 100, 0)
        ecs.update_service(cluster="production", service="orders-2", desiredCount=0)


def _write(sandbox: RunningSandbox, first: int, second: int) -> None:
    names = (("orders-1", first), ("orders-2", second))
    groups = [{"TargetGroupArn": sandbox.target_group(name), "Weight": weight} for name, weight in names]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    sandbox.client("elbv2").modify_listener(ListenerArn=sandbox.listener(80), DefaultActions=[action])


def _wait_for_answers(load: Load, more: int) -> None:
    wanted = len(load.answers) + more
    wait_for(lambda: len(load.answers) > wanted)


@pytest.mark.sandbox
def test_a_weight_change_carries_traffic_within_100_ms_and_loses_nothing(sandbox: RunningSandbox) -> None:
    clock = SystemClock()
    changes = []
    with _both_slots(sandbox), _load(sandbox.url(80)) as load:
        for first, second in ((0, 100), (100, 0), (0, 100), (100, 0)):
            _wait_for_answers(load, 100)
            _write(sandbox, first, second)
            changes.append((clock.monotonic(), "orders-1" if first else "orders-2"))
        wait_for(lambda: load.answers[-1][0] > changes[-1][0] + 0.3)
    assert load.failures == []
    assert {status for _, status, _ in load.answers} == {200}
    ends = [at for at, _ in changes[1:]] + [float("inf")]
    for (at, slot), end in zip(changes, ends, strict=True):
        # Requests that began after the change has had its time, and before the next one was asked for.
        late = [seen for begun, _, seen in load.answers if at + _WITHIN < begun < end - 0.5 and seen != slot]
        assert late == []
    assert len(load.answers) > 400


@pytest.mark.sandbox
def test_the_answer_to_a_weight_change_means_traffic_follows(sandbox: RunningSandbox) -> None:
    with _both_slots(sandbox):
        url = sandbox.url(80)
        for slot, weights in (("orders-2", (0, 1)), ("orders-1", (1, 0))) * 3:
            _write(sandbox, *weights)
            assert {fetch(url)[1]["slot"] for _ in range(10)} == {slot}


@pytest.mark.sandbox
def test_a_listener_that_is_created_serves_when_the_call_returns(sandbox: RunningSandbox) -> None:
    elb = sandbox.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["prod"])["LoadBalancers"][0]["LoadBalancerArn"]
    fixed = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no such order"}
    action = {"Type": "fixed-response", "FixedResponseConfig": fixed}
    made = elb.create_listener(LoadBalancerArn=balancer, Port=18081, Protocol="HTTP", DefaultActions=[action])
    try:
        status, content = fetch(sandbox.url(18081))
        assert (status, content["text"]) == (404, "no such order")
    finally:
        elb.delete_listener(ListenerArn=made["Listeners"][0]["ListenerArn"])
    assert all(item["port"] != 18081 for item in sandbox.status()["listeners"])
