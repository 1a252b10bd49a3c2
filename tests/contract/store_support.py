"""What the stores' tests share: a deployment, DynamoDB Local on a loopback address, and a client for it."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.domain.deployment import (
    Deployment,
    Hold,
    HoldKind,
    HookRun,
    HookStatus,
    Phase,
    PhaseSpan,
    RollbackFacts,
    Route,
    Slot,
    Waiting,
    Written,
)
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.release import KnownGood, Quarantined, Release, ReleaseRequest
from bluegreen.domain.service import Owner
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec, RouteSpec, ShiftStep, SlotSpec, Spec
from bluegreen.domain.split import ALL_BLUE, Split

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_700_000_000.0
ALICE = Owner("alice", "build-7", 4711, "bluegreen deploy")
BOB = Owner("bob", "laptop", 815, "bluegreen rollback orders")
LOCAL = Path(__file__).resolve().parents[2] / ".bluegreen" / "dynamodb-local"
WITHOUT = "BLUEGREEN_WITHOUT_DYNAMODB_LOCAL"


def a_deployment(deployment_id: str = "d-1", service: str = "orders", started_at: float = NOW) -> Deployment:
    slots = (SlotSpec("orders-1", "orders-1"), SlotSpec("orders-2", "orders-2"))
    return Deployment(
        id=deployment_id,
        service=service,
        phase=Phase.PENDING,
        spec=Spec(service, "production", slots, (RouteSpec("prod", 443, rule={"path": ["/api/*"]}),)),
        request=ReleaseRequest({"app": "registry/orders:7"}, reason="new prices"),
        blue=Slot("orders-1", "arn:tg/orders-1", "orders-1", "production"),
        green=Slot("orders-2", "arn:tg/orders-2", "orders-2", "production"),
        routes=(Route("prod:443", "arn:listener/1", "listener", original=ALL_BLUE),),
        previous=Release("orders:6", "arn:td/orders:6"),
        started_at=started_at,
        started_by=str(ALICE),
    )


def a_full_deployment() -> Deployment:
    """Every field with something in it."""
    plain = a_deployment()
    spec = Spec(
        "orders",
        "production",
        plain.spec.slots,
        plain.spec.production,
        test=RouteSpec(arn="arn:listener/2"),
        test_base_url="http://test.example:8080",
        region="eu-west-1",
        shift=(ShiftStep(5.0, 300.0), ShiftStep(100.0, 0.0)),
        hooks=(HookSpec(HookPoint.TEST, "smoke", "http", {"path": "/health", "status": [200, 204]}),),
        gates=(GateSpec("5xx", "alarm", {"alarm": "orders-5xx"}),),
    )
    route = Route(
        "prod:443",
        "arn:listener/1",
        "listener",
        "prod",
        "https://prod.example",
        '[{"Type": "forward"}]',
        "abc",
        ALL_BLUE,
        Written(Split(95, 5), NOW + 60, confirmed=True),
        ALL_BLUE,
    )
    run = HookRun(
        HookPoint.TEST,
        0,
        "smoke",
        "http",
        HookStatus.PASSED,
        NOW,
        NOW + 1,
        2,
        "200",
        ("Größe: 7", "ok"),
        "h-1",
        NOW + 2,
    )
    return Deployment(
        id="d-1",
        service="orders",
        phase=Phase.SHIFT,
        spec=spec,
        request=ReleaseRequest(definition={"family": "orders", "cpu": 256}, commit="f00"),
        blue=plain.blue,
        green=plain.green,
        routes=(route,),
        previous=plain.previous,
        started_at=NOW,
        started_by=str(ALICE),
        version=7,
        test_route=route,
        release=Release("orders:7", "arn:td/orders:7", {"app": "registry/orders:7"}, "f00", "new prices"),
        blue_count=3,
        launched=True,
        healthy_since=NOW + 30,
        step=0,
        step_until=NOW + 360,
        bake_until=NOW + 2000,
        paused=True,
        hooks=(run,),
        waiting=Waiting("canary", NOW + 360),
        hold=Hold(HoldKind.PAUSE, "paused by bob", NOW + 70, "bluegreen resume orders"),
        deadline=NOW + 3600,
        spans=(PhaseSpan(Phase.LAUNCH, NOW, NOW + 40), PhaseSpan(Phase.SHIFT, NOW + 40)),
        rollback=RollbackFacts("5xx", "bob", NOW + 80, Phase.SHIFT),
        ended_at=NOW + 90,
    )


def an_event(message: str, deployment_id: str = "d-1", at: float = NOW) -> Event:
    return Event(at, deployment_id, "orders", Phase.PENDING, Kind.PHASE, message, {"n": 1, "names": ["a"]})


def known_good(number: int) -> KnownGood:
    return KnownGood(Release(f"orders:{number}", f"arn:td/orders:{number}", {"app": f"orders:{number}"}), "d-1", NOW)


def quarantined(number: int) -> Quarantined:
    return Quarantined(known_good(number).release, f"print-{number}", "d-1", "5xx", NOW)


@dataclass(frozen=True, slots=True)
class LocalServer:
    url: str
    pid: int


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[LocalServer]:
    """Amazon's DynamoDB Local in memory, on a loopback address of its own. Fails, and says why, when it is not here."""
    _require_java_and_jar()
    host = f"127.{200 + os.getpid() % 50}.{os.getpid() // 250 % 250}.1"
    port = _free_port(host)
    configuration, log = folder / "jetty.xml", folder / "dynamodb-local.log"
    configuration.write_text(_JETTY.format(host=host, port=port))
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(configuration), cwd=LOCAL, stdout=output, stderr=output, preexec_fn=_die_with_parent
        )
    try:
        _wait_for(process, host, port, log)
        yield LocalServer(f"http://{host}:{port}", process.pid)
    finally:
        process.kill()
        process.wait()


def a_client(url: str | None = None) -> DynamoDBClient:
    """Of moto, when it patches botocore, else of the server at ``url``. A racer on SQLite loads no boto3."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(
            connect_timeout=5.0,
            read_timeout=20.0,
            max_pool_connections=20,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


# -- private

# Its own command line listens on every interface; as a handler of its own Jetty it listens where we say.
_JETTY = """<?xml version="1.0"?>
<Configure class="org.eclipse.jetty.server.Server">
  <Call name="addConnector"><Arg><New class="org.eclipse.jetty.server.nio.SelectChannelConnector">
    <Set name="host">{host}</Set><Set name="port">{port}</Set>
  </New></Arg></Call>
  <Set name="handler"><New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler">
    <Arg><New class="com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler">
      <Arg type="int">0</Arg><Arg type="boolean">true</Arg><Arg/>
      <Arg type="boolean">true</Arg><Arg type="boolean">false</Arg>
    </New></Arg><Arg/>
  </New></Set>
</Configure>
"""


def _command(configuration: Path) -> list[str]:
    return [
        "java",
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.eclipse.jetty.LEVEL=WARN",
        "-Djava.library.path=DynamoDBLocal_lib",
        "-cp",
        "DynamoDBLocal.jar:DynamoDBLocal_lib/*",
        "org.eclipse.jetty.xml.XmlConfiguration",
        str(configuration),
    ]


def _require_java_and_jar() -> None:
    missing = []
    if not (LOCAL / "DynamoDBLocal.jar").exists():
        missing.append("DynamoDB Local is not installed: run scripts/dynamodb-local")
    if shutil.which("java") is None:
        missing.append("there is no java: install a JRE (11 or newer)")
    if missing:
        raise AssertionError("; ".join(missing) + f". Or set {WITHOUT}=1 to test the DynamoDB store on moto alone.")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    pause = threading.Event()
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(f"DynamoDB Local ended with {process.returncode}: {log.read_text()[-2000:]}")
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError(f"DynamoDB Local did not start within 30 s: {log.read_text()[-2000:]}")


def _die_with_parent() -> None:
    """prctl(PR_SET_PDEATHSIG): a killed test run leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
