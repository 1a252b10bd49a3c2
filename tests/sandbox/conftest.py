"""A running sandbox for tests: one for each pytest worker, as an `up` of the default template makes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.clock import SystemClock

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


class RunningSandbox:
    """Its endpoint, its listeners, boto3 clients for it, and its own interface (/_sandbox/…)."""

    def __init__(self, root: Path, name: str, status: dict[str, Any]) -> None:
        from bluegreen.sandbox import client

        self.root = root
        self.name = name
        self.control = client.get(name, root)
        self.endpoint = str(status["endpoint"])
        self.region = str(status["region"])
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A boto3 client that never retries, so that a test sees each answer."""
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
            make: Any = boto3.client  # its type knows services by literal names only
            self._clients[service] = make(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id="sandbox",
                aws_secret_access_key="sandbox",
                config=config,
            )
        return self._clients[service]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        return self.control.ask(method, path, body, **query)

    def status(self) -> dict[str, Any]:
        return self.control.status()

    def url(self, port: int, load_balancer: str = "prod") -> str:
        found = [
            item["url"]
            for item in self.status()["listeners"]
            if item["port"] == port and item["load_balancer"] == load_balancer
        ]
        assert len(found) == 1, f"listeners of {load_balancer}:{port}: {found}"
        return str(found[0])

    def target_group(self, name: str) -> str:
        groups = self.client("elbv2").describe_target_groups(Names=[name])["TargetGroups"]
        return str(groups[0]["TargetGroupArn"])

    def load_balancer(self) -> str:
        """As a metric's dimension names it."""
        return self.listener(80).rpartition(":listener/")[2].rpartition("/")[0]

    def listener(self, port: int, load_balancer: str = "prod") -> str:
        elb = self.client("elbv2")
        balancer = elb.describe_load_balancers(Names=[load_balancer])["LoadBalancers"][0]["LoadBalancerArn"]
        listeners = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
        return next(str(item["ListenerArn"]) for item in listeners if item["Port"] == port)

    def environment(self) -> dict[str, str]:
        """For a subprocess: nothing of the caller's AWS settings, all of the sandbox's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {**kept, **self.control.environment(self.root), "AWS_PAGER": ""}

    def close(self) -> None:
        for item in self._clients.values():
            item.close()
        self.control.stop(SystemClock())


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    root = tmp_path_factory.mktemp("sandbox")
    result = run_cli(root, "up", "-o", "json")
    assert result.returncode == 0, result.stderr
    sandbox = RunningSandbox(root, "default", json.loads(result.stdout))
    yield sandbox
    sandbox.close()


@pytest.fixture
def sandbox(running_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """The worker's sandbox with full buckets, no faults, no calls remembered."""
    running_sandbox.ask("POST", "reset")
    running_sandbox.ask("POST", "throttles", {"enabled": True, "scale": 1})
    yield running_sandbox
    running_sandbox.ask("POST", "reset")


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """`bluegreen sandbox …` in a directory of the test's own. What it started is ended."""
    yield lambda *words, **more: run_cli(tmp_path, *words, **more)
    for folder in (tmp_path / ".bluegreen" / "sandbox").glob("*"):
        run_cli(tmp_path, "down", "--name", folder.name)


def run_cli(root: Path, *words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bluegreen.cli.sandbox", *words],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def fetch(url: str, *, seconds: float = 5.0, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of a GET; a body that is no JSON comes as {"text": …}."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, _content(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _content(error.read())


def wait_for(condition: Callable[[], Any], seconds: float = 10.0, tell: Callable[[], str] = str) -> Any:
    """The first true answer of ``condition``, asked every 50 ms; else the test fails with what ``tell`` says."""
    clock = SystemClock()
    deadline = clock.monotonic() + seconds
    while clock.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        clock.sleep(0.05)
    pytest.fail(f"did not happen within {seconds:g} s\n{tell()}")


def _content(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except ValueError:
        return {"text": raw.decode(errors="replace")}
    return content if isinstance(content, dict) else {"text": content}
