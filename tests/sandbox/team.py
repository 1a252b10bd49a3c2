"""A team with one service in a sandbox of its own: its configuration, its commands, its users."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from bluegreen.clock import SystemClock
from bluegreen.domain.deployment import Deployment
from bluegreen.sandbox.balancer.cloudwatch import naive
from tests.sandbox.conftest import RunningSandbox, run_cli

USERS = Path(__file__).parents[2] / "scripts" / "users.py"
BLUE = "registry.example/orders:1.0.0"
GREEN = "registry.example/orders:2.0.0"
CLOCK = SystemClock()

CONFIG: dict[str, Any] = {
    "service": "orders",
    "cluster": "production",
    "slots": [
        {"target_group": "orders-1", "service": "orders-1"},
        {"target_group": "orders-2", "service": "orders-2"},
    ],
    "production": [{"load_balancer": "prod", "port": 80}],
    "test": {"load_balancer": "prod", "port": 8080},
    "shift": {"canary": {"percent": 5, "wait": "2s"}},
    "bake": {"time": "2s"},
    "health": {"percent": 100, "settle": "1s"},
    "settle": "1s",
}


@dataclass
class Requests:
    """What the users saw. ``answered`` counts right answers by image; ``failed`` lists what else came."""

    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    failures: int = 0

    @property
    def total(self) -> int:
        return sum(self.answered.values()) + self.failures


class Team:
    module = "bluegreen"
    """What ``python -m`` runs as the command."""

    def __init__(self, root: Path, **parameters: str) -> None:
        self.root = root
        words = [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]
        started = run_cli(root, "up", "-o", "json", *words)
        assert started.returncode == 0, started.stderr
        self.sandbox = RunningSandbox(root, "default", json.loads(started.stdout))
        self.configure()

    def configure(self, **changes: Any) -> None:
        (self.root / "bluegreen.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}))

    def environment(self, **more: str) -> dict[str, str]:
        return {**self.sandbox.environment(), "XDG_STATE_HOME": str(self.root / "state"), **more}

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Ctrl-C reaches it, even where the tests themselves run in a background that ignores it."""
        return subprocess.Popen(
            [sys.executable, "-m", self.module, *words],
            preexec_fn=_heed_ctrl_c,
            cwd=self.root,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, seconds: float = 120.0, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def deploy(self, image: str = GREEN, *words: str, code: int = 0, **environment: str) -> str:
        done = self.run("deploy", "--image", image, *words, seconds=120.0, **environment)
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        done = self.run("status", "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def wait_for_phase(self, phase: str, seconds: float = 30.0) -> None:
        self.wait_until(lambda d: d.phase.value == phase, f"phase {phase}", seconds)

    def wait_until(self, holds: Callable[[Deployment], object], what: str, seconds: float = 30.0) -> None:
        """Looks into the store itself: it must not disturb what it waits for."""
        from bluegreen.store.sqlite import SqliteStore

        path = self.environment()["BLUEGREEN_STORE"].removeprefix("sqlite:///")
        store = SqliteStore(Path(path))
        end = CLOCK.monotonic() + seconds
        while CLOCK.monotonic() < end:
            known = store.history("orders", 1)
            if known and holds(known[0]):
                return
            CLOCK.sleep(0.05)
        raise AssertionError(f"no {what} within {seconds:g} s")

    def running(self, service: str) -> int:
        tasks = [task for task in self.sandbox.status()["tasks"] if task["service"] == service]
        return sum(task["state"] == "RUNNING" for task in tasks)

    def weights(self) -> dict[str, int]:
        """Of the production listener, by target group; those without weight are left out."""
        listener = self.sandbox.client("elbv2").describe_listeners(ListenerArns=[self.sandbox.listener(80)])
        groups = listener["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        return {each["TargetGroupArn"].split("/")[-2]: each["Weight"] for each in groups if each["Weight"]}

    def served(self) -> int:
        """Requests that the load balancer counted in the last hour; the health checks are none."""
        now = naive(CLOCK.now())
        found = self.sandbox.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCount",
            Dimensions=[{"Name": "LoadBalancer", "Value": self.sandbox.load_balancer()}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )
        return int(sum(each["Sum"] for each in found["Datapoints"]))

    @contextmanager
    def users(self, number: int = 8, **environment: str) -> Iterator[Requests]:
        """Load on the production route by a generator that is not ours; the counts are there when it ends."""
        seen = Requests()
        process = subprocess.Popen(
            [
                sys.executable, "-m", "locust", "-f", str(USERS), "--headless", "--json", "--skip-log",
                "-u", str(number), "-r", str(number), "--host", self.sandbox.url(80),
            ],
            cwd=self.root,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            CLOCK.sleep(2.0)  # locust imports for a second before its users ask
            yield seen
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        _count(seen, json.loads(out), err)

    def close(self) -> None:
        self.sandbox.close()


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _count(seen: Requests, rows: list[Mapping[str, Any]], err: str) -> None:
    for row in rows:
        right = row["num_requests"] - row["num_failures"]
        seen.answered[row["name"]] = seen.answered.get(row["name"], 0) + right
        seen.failures += row["num_failures"]
    seen.failed = [line for line in err.splitlines() if "status" in line or "Error" in line]
