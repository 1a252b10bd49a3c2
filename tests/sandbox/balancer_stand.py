"""A balancer with its emulated API and real small targets, for the balancer's own tests."""

from __future__ import annotations

import http.client
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import psutil
from moto import mock_aws

from bluegreen.clock import SystemClock
from bluegreen.sandbox.balancer import create_balancer
from bluegreen.sandbox.base import Balancer, Nursery, Settings
from bluegreen.sandbox.nursery import HelperNursery, start_nursery

REGION = "eu-west-1"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str
    cookies: list[str] = field(default_factory=list)


class Backend:
    """A target. ``health`` is the status of /health; /slow waits for ``release``; /status/N answers N."""

    def __init__(self, name: str, address: str, port: int = 9000) -> None:
        self.name = name
        self.address = address
        self.port = port
        self.health = 200
        self.hits: list[str] = []
        self.checks = 0
        self.release = threading.Event()
        self.entered = threading.Event()
        self._server = _Server((address, port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def target(self) -> dict[str, Any]:
        return {"Id": self.address, "Port": self.port}

    def stop(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news here."""


def _handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/health":
                backend.checks += 1
                return self._answer(backend.health)
            backend.hits.append(self.path)
            if self.path == "/slow":
                backend.entered.set()
                backend.release.wait(10)
            if self.path == "/reset":
                self.close_connection = True
                return None
            return self._answer(int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200)

        do_POST = do_GET

        def _answer(self, status: int) -> None:
            lines = "".join(f"{name.lower()}: {value}\n" for name, value in self.headers.items())
            body = f"{backend.name}\n{lines}".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class Stand:
    def __init__(self, settings: Settings, balancer: Balancer) -> None:
        self.settings = settings
        self.balancer = balancer
        self.elb: Any = boto3.client("elbv2", region_name=REGION)
        self.cloudwatch: Any = boto3.client("cloudwatch", region_name=REGION)
        ec2 = boto3.client("ec2", region_name=REGION)
        self._subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        self._vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self._backends: list[Backend] = []
        self._made = 0
        self.front = ""

    @contextmanager
    def fresh(self) -> Iterator[Stand]:
        """A load balancer of its own for one test; all that the test made goes with it."""
        self.front = self.load_balancer()
        try:
            yield self
        finally:
            self._clear()

    def _clear(self) -> None:
        for balancer in self.elb.describe_load_balancers()["LoadBalancers"]:
            self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        for group in self.elb.describe_target_groups()["TargetGroups"]:
            self.elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
        self.balancer.reconcile()
        while self._backends:
            self._backends.pop().stop()

    def backend(self, name: str) -> Backend:
        backend = Backend(name, self.settings.task_address(len(self._backends)))
        self._backends.append(backend)
        return backend

    def load_balancer(self) -> str:
        self._made += 1
        name = f"front-{self._made}"
        made = self.elb.create_load_balancer(Name=name, Subnets=self._subnets)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def target_group(self, name: str, *backends: Backend, healthy: int = 2, delay: int = 5, **more: Any) -> str:
        made = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=9000,
            VpcId=self._vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthyThresholdCount=healthy,
            Tags=[{"Key": "bluegreen:sandbox-interval", "Value": "0.05"}],
            **more,
        )
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        self.attributes(arn, {"deregistration_delay.timeout_seconds": str(delay)})
        self.register(arn, *backends)
        return arn

    def attributes(self, group: str, values: dict[str, str]) -> None:
        pairs = [{"Key": key, "Value": value} for key, value in values.items()]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=pairs)

    def register(self, group: str, *backends: Backend) -> None:
        for backend in backends:
            self.elb.register_targets(TargetGroupArn=group, Targets=[backend.target])
        self.balancer.reconcile()

    def deregister(self, group: str, backend: Backend) -> None:
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[backend.target])
        self.balancer.reconcile()

    def listener(self, port: int, *actions: dict[str, Any]) -> str:
        made = self.elb.create_listener(
            LoadBalancerArn=self.front, Protocol="HTTP", Port=port, DefaultActions=list(actions)
        )
        self.balancer.reconcile()
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, priority: int, conditions: list[dict[str, Any]], *actions: dict[str, Any]) -> str:
        made = self.elb.create_rule(
            ListenerArn=listener, Priority=priority, Conditions=conditions, Actions=list(actions)
        )
        self.balancer.reconcile()
        return str(made["Rules"][0]["RuleArn"])

    def weights(self, listener: str, *shares: tuple[str, int]) -> None:
        self.elb.modify_listener(ListenerArn=listener, DefaultActions=[forward(*shares)])
        self.balancer.reconcile()

    def states(self, group: str) -> dict[str, str]:
        return {each.address: each.state for each in self.balancer.target_health(group)}

    def until_healthy(self, *groups: str) -> None:
        self.until(lambda: all(set(self.states(group).values()) == {"healthy"} for group in groups))
        self.balancer.reconcile()

    def until(self, holds: Callable[[], object], seconds: float = 10.0) -> None:
        clock = SystemClock()
        deadline = clock.monotonic() + seconds
        while not holds():
            assert clock.monotonic() < deadline, "it did not come about in time"
            clock.sleep(0.01)

    def serves(self, port: int) -> bool:
        try:
            return self.get(port).status == 200
        except OSError:
            return False

    def kill_envoy(self) -> None:
        """By its command line: the one Envoy whose bootstrap is in this stand's folder."""
        bootstrap = str(self.settings.folder / "envoy" / "bootstrap.json")
        for process in psutil.process_iter(["cmdline"]):
            if bootstrap in (process.info["cmdline"] or ()):
                process.kill()

    def place(self, port: int) -> tuple[str, int]:
        url = next(each.url for each in self.balancer.listeners() if each.port == port)
        host, _, served = url.removeprefix("http://").partition(":")
        return host, int(served)

    def get(self, port: int, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*self.place(port), timeout=15)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            pairs = response.getheaders()
            cookies = [value for name, value in pairs if name.lower() == "set-cookie"]
            return Answer(response.status, {k.lower(): v for k, v in pairs}, response.read().decode(), cookies)
        finally:
            connection.close()

    def shares(self, port: int, requests: int, path: str = "/") -> Counter[str]:
        """Who answered, over one kept-alive connection: a backend's name, or the status of an error."""
        connection = http.client.HTTPConnection(*self.place(port), timeout=15)
        seen: Counter[str] = Counter()
        try:
            for _ in range(requests):
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read().decode()
                seen[body.partition("\n")[0] if response.status == 200 else str(response.status)] += 1
        finally:
            connection.close()
        return seen

    def stop(self) -> None:
        self.balancer.stop()


def forward(*shares: tuple[str, int], sticky: int | None = None) -> dict[str, Any]:
    config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in shares]}
    if sticky is not None:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


@contextmanager
def stand_in(folder: Path) -> Iterator[Stand]:
    settings = Settings("test", folder, REGION, 20 + os.getpid() % 40, 4566)
    with mock_aws(), nursery_of(settings) as nursery:
        balancer = create_balancer(settings, nursery, SystemClock())
        balancer.start()
        stand = Stand(settings, balancer)
        try:
            yield stand
        finally:
            stand.stop()


@contextmanager
def nursery_of(settings: Settings) -> Iterator[Nursery]:
    nursery = start_nursery(settings)
    try:
        yield nursery
    finally:
        if isinstance(nursery, HelperNursery):
            nursery.stop()
