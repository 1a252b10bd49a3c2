"""bluegreen init, typed by a person: what it prints, what it writes, what it leaves alone."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.discovery.base import AlarmFacts, Source
from bluegreen.discovery.fake import FakeSource
from bluegreen.domain.service import Owner
from bluegreen.errors import AccessDeniedError, ConfigurationError, CredentialsError
from bluegreen.wiring import Options, Session
from tests.unit.discovery_kit import IDLE, LIVE, SourcedSession, alarm, route, service, with_services, world


@dataclass
class Newcomer:
    """In a folder without a configuration, with AWS as ``live``."""

    folder: Path
    live: Source = field(default_factory=world)
    commands: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "bluegreen.yaml"

    def type(self, *words: str, **environment: str) -> Result:
        app = App(connector=self._connect, environment={"XDG_STATE_HOME": str(self.folder / "state"), **environment})
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            result = CliRunner().invoke(root, ["init", *words], obj=app)
        finally:
            os.chdir(before)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def _connect(self, app: App, command: str) -> Session:
        self.commands.append(command)
        return SourcedSession(Options(), Owner("ada", "laptop", 4711, command), environment={}, live=self.live)


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


def left_behind(newcomer: Newcomer) -> list[str]:
    return sorted(path.name for path in newcomer.folder.iterdir() if path.name != "state")


def test_it_writes_the_file_and_says_what_it_found_and_what_comes_next(newcomer: Newcomer) -> None:
    newcomer.live = world(all_alarms=[alarm("orders-5xx", "orders-1", "orders-2")])
    result = newcomer.type("orders")
    assert result.exit_code == 0, result.stderr
    assert newcomer.file.read_text().startswith("# Written by bluegreen init")
    assert left_behind(newcomer) == ["bluegreen.yaml"]
    rows = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert ["slot", "orders-1,", "service orders-1  live, desired count 2"] in rows
    assert ["gate", "orders-5xx", "HTTPCode_Target_5XX_Count of both slots"] in rows
    assert result.stdout.startswith("wrote bluegreen.yaml: orders in cluster production (eu-central-1)\n")
    assert result.stdout.endswith("next:  bluegreen verify\nthen:  bluegreen deploy --image URI\n")


def test_commands_it_names_are_for_the_file_and_profile_it_was_given(newcomer: Newcomer) -> None:
    result = newcomer.type("orders", "-c", "my orders.yaml", "--profile", "ops")
    assert "next:  bluegreen verify -c 'my orders.yaml' --profile ops\n" in result.stdout
    assert left_behind(newcomer) == ["my orders.yaml"]


def test_notes_are_printed_beside_what_was_found(newcomer: Newcomer) -> None:
    newcomer.live = world(route(443, LIVE), route(8443, IDLE), route(9443, IDLE))
    result = newcomer.type("orders")
    assert "look:  prod:9443 was left out: it leads to orders-2, which is idle\n" in result.stdout
    assert "  # - {load_balancer: prod, port: 9443}" in newcomer.file.read_text()


def test_in_json_the_answer_is_one_object(newcomer: Newcomer) -> None:
    told = json.loads(newcomer.type("orders", "-o", "json").stdout)
    assert told["service"] == "orders"
    assert told["slots"][1] == {"target_group": "orders-2", "service": "orders-2"}
    assert told["production"] == [{"load_balancer": "prod", "port": 80}]
    assert told["test"] == {"load_balancer": "prod", "port": 8080}
    assert (told["smoke_test"], told["gates"], told["notes"]) == ("/health", [], [])
    assert told["next"] == ["bluegreen verify", "bluegreen deploy --image URI"]


def test_a_file_that_is_there_is_left_alone_and_aws_is_not_asked(newcomer: Newcomer) -> None:
    newcomer.file.write_text("service: mine\n")
    result = newcomer.type("orders")
    assert result.exit_code == 6
    assert "bluegreen.yaml exists and was left as it is" in result.stderr
    assert "--force to write over it" in result.stderr
    assert (newcomer.file.read_text(), newcomer.commands) == ("service: mine\n", [])


def test_force_writes_over_a_file_also_through_a_link(newcomer: Newcomer) -> None:
    elsewhere = newcomer.folder / "elsewhere.yaml"
    elsewhere.write_text("service: mine\n")
    newcomer.file.symlink_to(elsewhere)
    assert newcomer.type("orders", "--force").exit_code == 0
    assert newcomer.file.is_symlink()
    assert "service: orders" in elsewhere.read_text()


def test_file_that_came_there_meanwhile_is_left_alone(newcomer: Newcomer) -> None:
    class Slow(FakeSource):
        def alarms(self) -> list[AlarmFacts]:
            newcomer.file.write_text("service: theirs\n")
            return []

    newcomer.live = Slow(**vars(world()))
    result = newcomer.type("orders")
    assert (result.exit_code, newcomer.file.read_text()) == (6, "service: theirs\n")
    assert left_behind(newcomer) == ["bluegreen.yaml"]


@pytest.mark.parametrize("meanwhile", ["", "service: theirs\n"])
def test_file_system_without_links_is_written_too_and_a_file_there_left_alone(
    newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    def link(draft: Path, target: Path) -> None:
        if meanwhile:
            target.write_text(meanwhile)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", link)
    result = newcomer.type("orders")
    assert result.exit_code == (6 if meanwhile else 0)
    assert newcomer.file.read_text().startswith(meanwhile or "# Written by bluegreen init")
    assert left_behind(newcomer) == ["bluegreen.yaml"]


def test_place_that_cannot_be_written_is_named(newcomer: Newcomer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = newcomer.type("orders")
    assert result.exit_code == 2
    assert "error: bluegreen.yaml cannot be written: No space left on device" in result.stderr
    assert left_behind(newcomer) == []


def test_written_file_may_be_read_by_whom_the_umask_lets(newcomer: Newcomer) -> None:
    before = os.umask(0o027)
    try:
        newcomer.type("orders")
    finally:
        os.umask(before)
    assert stat.S_IMODE(newcomer.file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-c", "."], "is a folder"),
        (["-c", "none/bluegreen.yaml"], "there is no folder none"),
        (["-c", "bluegreen.yaml/x"], "there is no folder bluegreen.yaml"),
    ],
)
def test_place_that_takes_no_file_is_a_usage_error_before_aws_is_asked(
    newcomer: Newcomer, words: list[str], said: str
) -> None:
    result = newcomer.type("orders", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert newcomer.commands == []


def test_without_a_service_the_choice_is_listed_with_exit_code_2(newcomer: Newcomer) -> None:
    result = newcomer.type()
    assert result.exit_code == 2
    assert "which service? cluster production has orders (orders-1, orders-2)" in result.stderr
    assert "next:  bluegreen init orders" in result.stderr
    assert left_behind(newcomer) == []


def test_missing_second_slot_is_exit_code_6_and_writes_nothing(newcomer: Newcomer) -> None:
    newcomer.live = with_services(service("orders", "orders-1"))
    result = newcomer.type("orders")
    assert result.exit_code == 6
    assert "The second slot, shows how to add it" in result.stderr
    assert left_behind(newcomer) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CredentialsError("no AWS credentials for ecs:ListServices", hint="aws sso login"), 6),
        (AccessDeniedError("not allowed: ecs:ListServices", hint="grant ecs:ListServices"), 6),
        (ConfigurationError("no AWS region is configured", hint="set AWS_REGION"), 2),
    ],
)
def test_what_aws_refuses_is_named_without_a_traceback(newcomer: Newcomer, error: Exception, code: int) -> None:
    newcomer.live = world(failing={"services": error})
    result = newcomer.type("orders")
    assert result.exit_code == code
    assert result.stderr.startswith(f"error: {error}\nnext:  ")
    assert "Traceback" not in result.stderr
    assert left_behind(newcomer) == []


def test_what_would_not_load_is_not_written(newcomer: Newcomer) -> None:
    newcomer.live = world(region="the moon")
    result = newcomer.type("orders")
    assert result.exit_code == 6
    assert "what was found makes no configuration, so nothing was written: region: must be a region" in result.stderr
    assert left_behind(newcomer) == []
