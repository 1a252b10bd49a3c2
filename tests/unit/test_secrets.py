"""Planted secrets reach nothing that is kept or shown: no record, event, log, report or ``--debug`` output."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from click.testing import CliRunner

from bluegreen.aws.calls import Calls
from bluegreen.aws.clients import Clients
from bluegreen.aws.errors import translate
from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.clock import FakeClock, SystemClock
from bluegreen.domain.deployment import Phase
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import HookPoint, HookSpec, Moment, NotifySpec
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.errors import BluegreenError, ConfigurationError, RefusedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.registry import build_hook
from bluegreen.hooks.running import Links
from bluegreen.notify.base import Fact
from bluegreen.notify.registry import build_notifier
from bluegreen.store.sqlite import SqliteStore
from bluegreen.wiring import Session
from tests.stage import SPEC, Crash, Recorder, Stage
from tests.unit.cli_kit import CONFIGURATION, Desk

PLANTED = "hunter2-Zq9!xLw"
IN_DEFINITION = "s3kr3t-in-the-task-0815"
DEFINITION: dict[str, object] = {
    "family": "orders",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "registry.example/orders:2",
            "essential": True,
            "environment": [{"name": "DB_PASSWORD", "value": IN_DEFINITION}, {"name": "PORT", "value": "8080"}],
        }
    ],
}
REQUEST = ReleaseRequest(definition=DEFINITION)
SHORT = replace(SPEC, bake=5)


def stored(stage: Stage) -> str:
    """Every byte that the store holds."""
    rows = stage.memory.rows
    ids = [deployment_id for deployment_id, _ in rows.newest("orders", 50)]
    bodies = [body for _, body in rows.newest("orders", 50)]
    events = [line for deployment_id in ids for line in rows.events(deployment_id)]
    return b"\n".join([*bodies, *events, rows.service("orders") or b""]).decode()


# The task definition


def test_task_definitions_environment_is_in_no_record_and_no_event() -> None:
    stage = Stage(SHORT)
    done = deploy(stage.session(), SHORT, REQUEST, stage.recorder)
    assert done.phase is Phase.SUCCEEDED
    assert done.release is not None
    registered = stage.compute.definitions[done.release.task_definition]
    assert registered["containerDefinitions"] == DEFINITION["containerDefinitions"]
    assert IN_DEFINITION not in stored(stage)
    assert IN_DEFINITION not in stage.recorder.text()


@pytest.mark.thorough
def test_deployment_of_a_file_is_finished_by_another_driver_wherever_its_first_one_dies() -> None:
    """The record does not hold what is to be registered, so it must be registered before there is a record."""
    undisturbed = Stage(SHORT)
    deploy(undisturbed.session(), SHORT, REQUEST, Recorder())
    ended = 0
    for when in ("before", "after"):
        for number in range(1, len(undisturbed.calls) + 1):
            stage = Stage(SHORT)
            die_at(stage, when, number)
            with pytest.raises(Crash):
                deploy(stage.session(), SHORT, REQUEST, Recorder())
            assert IN_DEFINITION not in stored(stage), (when, number)
            stage.clock.sleep(31)
            if stage.memory.service("orders").active is None:
                continue
            done = resume(stage.session("resume", host="elsewhere"), "orders", Recorder())
            assert done.phase is Phase.SUCCEEDED, (when, number)
            assert len(stage.compute.definitions) == 2, (when, number)
            ended += 1
    assert ended > 40


def die_at(stage: Stage, when: str, number: int) -> None:
    made = 0

    def on_call(moment: str, name: str) -> None:
        nonlocal made
        made += moment == when
        if moment == when and made == number:
            stage.on_call = lambda moment, name: None
            raise Crash

    stage.on_call = on_call


def test_release_from_a_file_that_was_rolled_back_is_recognised_in_quarantine() -> None:
    stage = Stage(SHORT)
    spec = replace(SHORT, hooks=(HookSpec(HookPoint.TEST, "smoke", "scripted"),))
    from tests.stage import ScriptedHook

    stage.hooks["smoke"] = ScriptedHook([Failed("no")])
    assert deploy(stage.session(), spec, REQUEST, Recorder()).phase is Phase.ROLLED_BACK
    with pytest.raises(RefusedError, match="rolled back by deployment"):
        deploy(stage.session(), spec, REQUEST, Recorder())


# What AWS says


def answered(message: str) -> ClientError:
    response: Any = {"Error": {"Code": "ValidationError", "Message": message}, "ResponseMetadata": {}}
    return ClientError(response, "ModifyListener")


def test_error_text_of_aws_is_cleaned_where_it_comes_in() -> None:
    environment = {"AWS_REGION": "eu-west-1", "DEPLOY_TOKEN": PLANTED}
    clients = Clients(environment=environment, clock=FakeClock())

    def refused() -> None:
        raise answered(f"the header {PLANTED} is not valid")

    with pytest.raises(BluegreenError) as raised:
        clients.calls.read(refused)
    assert PLANTED not in str(raised.value)
    assert PLANTED not in raised.value.message
    assert "is not valid" in raised.value.message


def test_parameters_that_botocore_refuses_are_named_without_their_values() -> None:
    report = (
        f"Invalid type for parameter environment[0].value, value: {IN_DEFINITION}, type: <class 'int'>, valid types"
    )
    error = translate(ParamValidationError(report=report), operation="ecs:RegisterTaskDefinition", mutating=True)
    assert IN_DEFINITION not in str(error)
    assert "environment[0].value" in str(error)


def test_calls_are_logged_without_their_parameters(caplog: pytest.LogCaptureFixture) -> None:
    def register(**parameters: object) -> dict[str, object]:
        return {"taskDefinition": parameters}

    with caplog.at_level("DEBUG", logger="bluegreen"):
        Calls(FakeClock()).write(register, **DEFINITION)
    assert IN_DEFINITION not in caplog.text


# Logs and --debug


@pytest.mark.parametrize("words", [[], ["--debug"], ["-o", "json"], ["-o", "json", "--debug"]], ids=" ".join)
def test_secret_in_an_error_reaches_neither_output_nor_log(tmp_path: Path, words: list[str]) -> None:
    def connect(app: App, command: str) -> Session:
        try:
            raise answered(f"bad {PLANTED}")
        except ClientError as error:
            raise RuntimeError(f"unexpected answer with {PLANTED}") from error

    (tmp_path / "bluegreen.yaml").write_text(CONFIGURATION)
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "API_TOKEN": PLANTED, "BLUEGREEN_STORE": "sqlite:///x"}
    app = App(connector=connect, clock=FakeClock(), environment=environment)
    result = CliRunner().invoke(root, ["status", "orders", *words], obj=app)
    assert result.exit_code == 1
    logs = list((tmp_path / "state").rglob("*.log"))
    assert logs
    for text in (result.stdout, result.stderr, *(log.read_text() for log in logs)):
        assert PLANTED not in text
    assert "RuntimeError" in logs[0].read_text()


def test_debug_shows_calls_and_nothing_of_botocores_own_bodies(tmp_path: Path) -> None:
    """``--debug`` turns on this package's log alone: botocore's would print headers, credentials and bodies."""
    import logging

    desk = Desk(tmp_path)
    desk.environment["API_TOKEN"] = PLANTED
    before = logging.getLogger("botocore").getEffectiveLevel()
    result = desk.type("status", "orders", "--debug")
    assert result.exit_code == 0
    assert logging.getLogger("botocore").getEffectiveLevel() == before
    assert before > logging.DEBUG


# The configuration and hooks


def test_variables_of_hooks_stay_unexpanded_in_the_record(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.environment["SMOKE_KEY"] = PLANTED
    text = desk.config.read_text()
    desk.config.write_text(text + "hooks:\n  test:\n    - {name: smoke, command: {run: [check, '${SMOKE_KEY}']}}\n")

    def connect(app: App, command: str) -> Session:
        session = desk.stage.session(command)
        session.environment = desk.environment
        return session

    app = App(connector=connect, clock=desk.stage.clock, environment=desk.environment)
    result = CliRunner().invoke(root, ["deploy", "-c", str(desk.config), "--debug"], obj=app)
    assert result.exit_code == 0, result.stderr
    assert "${SMOKE_KEY}" in stored(desk.stage)
    for text in (stored(desk.stage), result.stdout, result.stderr, *(log.read_text() for log in desk.logs())):
        assert PLANTED not in text


def run_to_end(hook: Any) -> Verdict:
    clock = SystemClock()
    verdict: Verdict = hook.start(HookCall(HookPoint.TEST, "h", 1, 20.0))
    end = clock.monotonic() + 20
    while isinstance(verdict, Pending) and clock.monotonic() < end:
        clock.sleep(0.02)
        verdict = hook.poll(verdict.handle)
    return verdict


ATTACKS = (
    "; touch {mark}", "$(touch {mark})", "`touch {mark}`", "| touch {mark}", "&& touch {mark}", "\n touch {mark}\n",
    "' ; touch {mark} ; '", '" ; touch {mark} ; "', "> {mark}", "${{IFS}}touch${{IFS}}{mark}", "--; touch {mark}",
)  # fmt: skip


RUNS: tuple[dict[str, object], ...] = (
    {"run": ["printf", "%s", "${TAG}"]},
    {"run": "printf %s ${TAG}", "shell": True},
    {"run": 'printf %s "${TAG}"', "shell": True},
    {"run": ["sh", "-c", "printf %s ${TAG}"]},
    {"run": ["/bin/sh", "-eu", "-c", 'printf %s "${TAG}"']},
    {"run": ["sh", "-ec", "printf %s ${TAG}", "--"]},
)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("settings", RUNS)
def test_hook_arguments_can_not_inject_a_shell(tmp_path: Path, settings: dict[str, object], attack: str) -> None:
    mark = tmp_path / "injected"
    text = attack.format(mark=mark)
    environment = {"PATH": "/usr/bin:/bin", "TAG": text}
    hook = build_hook(HookSpec(HookPoint.TEST, "h", "command", settings), environment, tmp_path)
    verdict = run_to_end(hook)
    assert not isinstance(verdict, Pending)
    assert not mark.exists()


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_notifier_s_command_can_not_be_injected_into_either(tmp_path: Path, attack: str) -> None:
    mark = tmp_path / "injected"
    environment = {"PATH": "/usr/bin:/bin", "TAG": attack.format(mark=mark)}
    spec = NotifySpec("team", "command", {"run": "printf %s ${TAG}", "shell": True})
    notifier = build_notifier(spec, environment, tmp_path, SystemClock(), Links())
    notifier.tell(Fact(Moment.STARTED, 0.0, "orders", "production", "d-1", "launch", "it began"))
    assert not mark.exists()


@pytest.mark.parametrize("run", ["printf %s ${TAG}", ["sh", "-c", "printf %s ${TAG}"]])
def test_a_shell_takes_variables_from_its_environment_and_what_they_hold_is_still_redacted(
    tmp_path: Path, run: object
) -> None:
    environment = {"PATH": "/usr/bin:/bin", "TAG": "1.4.2-" + PLANTED}
    settings = {"run": run, "shell": isinstance(run, str), "env": {"WHERE": "here"}}
    hook = build_hook(HookSpec(HookPoint.TEST, "h", "command", settings), environment, tmp_path)
    verdict = run_to_end(hook)
    assert isinstance(verdict, Passed)
    assert verdict.output
    assert PLANTED not in repr(verdict)


def test_a_shell_s_variable_that_nobody_set_is_named_and_its_own_syntax_is_kept_with_two_dollars(
    tmp_path: Path,
) -> None:
    def verdict_of(run: str, **env: str) -> Verdict:
        settings = {"run": run, "shell": True, "env": dict(env)}
        return run_to_end(
            build_hook(HookSpec(HookPoint.TEST, "h", "command", settings), {"PATH": "/usr/bin:/bin"}, tmp_path)
        )

    with pytest.raises(ConfigurationError, match="no variable TAG"):
        verdict_of("echo ${TAG}")
    assert isinstance(verdict_of("test ${TAG} = mine", TAG="mine"), Passed)
    assert isinstance(verdict_of("test $${TAG:-mine} = mine"), Passed)


def test_planted_secret_in_hook_output_reaches_no_record(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "DB_PASSWORD": PLANTED}
    settings: dict[str, object] = {"run": ["sh", "-c", "echo got $DB_PASSWORD; exit 1"]}
    hook = build_hook(HookSpec(HookPoint.TEST, "h", "command", settings), environment, tmp_path)
    verdict = run_to_end(hook)
    assert isinstance(verdict, Failed)
    assert PLANTED not in repr(verdict)
    assert "got" in repr(verdict)


def test_a_reason_is_kept_without_the_secret_in_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.environment = {**desk.environment, "DB_PASSWORD": PLANTED}
    token = "ghp_" + "a1B2c3D4" * 5
    desk.deploy("--image", "app=registry.example/orders:9", "--reason", f"since {token} leaked, and {PLANTED}")
    assert desk.stage.latest().request.reason == "since [redacted] leaked, and [redacted]"


# Files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Any:
    import os

    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_store_and_logs_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "deep" / "state.db")
    store.acquire("orders", Stage().session().owner, now=0.0)
    files = sorted((tmp_path / "deep").iterdir())
    assert len(files) >= 1
    assert {mode(path) for path in files} == {0o600}
    assert mode(tmp_path / "deep") == 0o700
    store.close()
    desk = Desk(tmp_path)
    desk.deploy("--image", "app=registry.example/orders:9")
    desk.type("status", "--profile", "x", "orders")
    (tmp_path / "bad.yaml").write_text(CONFIGURATION)
    CliRunner().invoke(root, ["status", "orders"], obj=App(connector=_broken, environment=desk.environment))
    assert desk.logs()
    assert {mode(log) for log in desk.logs()} == {0o600}
    assert mode(desk.logs()[0].parent) == 0o700


def _broken(app: App, command: str) -> Session:
    raise RuntimeError("broken")


def test_json_report_of_a_deployment_of_a_file_shows_no_environment(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "task.json").write_text(json.dumps(DEFINITION))
    for words in (("--dry-run",), ("--dry-run", "-o", "json"), ("-o", "json", "--debug")):
        result = desk.deploy("--task-definition", str(tmp_path / "task.json"), *words)
        assert result.exit_code == 0, result.stderr
        assert IN_DEFINITION not in result.stdout + result.stderr
    for command in ("status", "history"):
        assert IN_DEFINITION not in desk.type(command, "orders", "-o", "json").stdout
    assert not [log for log in desk.logs() if IN_DEFINITION in log.read_text()]
