"""The command line itself: help, options, errors and their exit codes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bluegreen import errors
from bluegreen.cli.app import App
from bluegreen.cli.main import root
from bluegreen.cli.table import COMMANDS, module_of
from bluegreen.wiring import Session
from tests.unit.cli_kit import Desk, failing

TREE = errors.__doc__ or ""


def run(app: App, *arguments: str) -> Result:
    return CliRunner().invoke(root, list(arguments), obj=app)


def every_error() -> list[type[errors.BluegreenError]]:
    found = [errors.BluegreenError]
    for cls in found:
        found += [child for child in cls.__subclasses__() if child.__module__ == errors.__name__]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_each_error_ends_with_the_exit_code_its_tree_promises(cls: type[errors.BluegreenError], tmp_path: Path) -> None:
    app = failing(cls("the fact", hint="the next action"))
    app.environment = {**app.environment, "XDG_STATE_HOME": str(tmp_path)}
    result = run(app, "status", "orders")
    promised = next(line.split()[1] for line in TREE.splitlines() if line.strip().startswith(cls.__name__ + " "))
    assert result.exit_code == int(promised)
    assert result.stdout == ""
    assert result.stderr.startswith("error: the fact\nnext:  the next action\n")


def test_configuration_error_tells_every_problem() -> None:
    error = errors.ConfigurationError("two problems", problems=("a: wrong", "b: missing"))
    assert run(failing(error), "status", "orders").stderr == "error: two problems\n  a: wrong\n  b: missing\n"


def test_error_in_json_is_one_object_on_stderr(tmp_path: Path) -> None:
    result = run(failing(errors.LockedError("held by ada", hint="wait")), "status", "orders", "-o", "json")
    told = json.loads(result.stderr)["error"]
    assert result.stdout == ""
    assert (told["type"], told["message"], told["hint"], told["exit_code"]) == ("LockedError", "held by ada", "wait", 5)


def test_command_line_that_cannot_be_parsed_is_answered_in_json_when_asked_for() -> None:
    result = run(App(), "deploy", "--bogus", "-o", "json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["hint"] == "bluegreen deploy --help"


def test_unknown_command_is_a_usage_error() -> None:
    result = run(App(), "deplyo")
    assert result.exit_code == 2
    assert "No such command 'deplyo'" in result.stderr


def test_crash_shows_no_traceback_and_names_a_private_log_that_has_it(tmp_path: Path) -> None:
    app = failing(ZeroDivisionError("password=hunter2hunter2"))
    app.environment = {**app.environment, "XDG_STATE_HOME": str(tmp_path), "DB_PASSWORD": "hunter2hunter2"}
    result = run(app, "status", "orders")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert "internal error: ZeroDivisionError" in result.stderr
    log = Path(result.stderr.split("log:")[1].strip())
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    assert "Traceback" in log.read_text()
    assert "hunter2" not in log.read_text()


def test_aws_error_keeps_operation_code_and_request_id_for_the_log(tmp_path: Path) -> None:
    error = errors.AccessDeniedError("may not read", operation="DescribeRules", code="AccessDenied", request_id="r-1")
    app = failing(error)
    app.environment = {**app.environment, "XDG_STATE_HOME": str(tmp_path)}
    result = run(app, "status", "orders")
    log = Path(result.stderr.split("log:")[1].strip()).read_text()
    assert "r-1" not in result.stderr
    assert "operation=DescribeRules code=AccessDenied request_id=r-1" in log


def test_log_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    app = failing(errors.BluegreenError("the fact"))
    app.environment = {**app.environment, "XDG_STATE_HOME": str(blocked)}
    result = run(app, "status", "orders")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the fact\n")


def test_debug_logs_to_stderr(tmp_path: Path) -> None:
    app = failing(errors.BluegreenError("the fact"))
    app.environment = {**app.environment, "XDG_STATE_HOME": str(tmp_path)}
    assert "BluegreenError: the fact" in run(app, "--debug", "status", "orders").stderr


def test_ctrl_c_outside_a_deployment_ends_with_130_and_no_traceback() -> None:
    result = run(failing(KeyboardInterrupt()), "status", "orders")
    assert result.exit_code == 130
    assert result.stderr.strip() == "interrupted"


def test_reader_that_went_away_is_not_an_error_message() -> None:
    script = "import sys; from bluegreen.cli.main import main; sys.argv = ['bluegreen', '--help']; main()"
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, said = child.communicate(timeout=20)
    assert said == b""
    assert child.returncode == 1


@pytest.mark.parametrize("place", ["before", "after"])
def test_global_options_may_stand_before_or_after_the_command(place: str) -> None:
    seen: list[App] = []

    def connect(app: App, command: str) -> Session:
        seen.append(app)
        raise errors.RefusedError("enough")

    options = ["-o", "json", "--store", "sqlite:///x", "--region", "eu-west-1", "--profile", "ops"]
    typed = [*options, "status", "orders"] if place == "before" else ["status", "orders", *options]
    run(App(connector=connect), *typed)
    app = seen[0]
    assert (app.output, app.store, app.region, app.profile) == ("json", "sqlite:///x", "eu-west-1", "ops")


def test_configuration_gives_service_store_and_region_where_nothing_else_does(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.config.write_text(desk.config.read_text() + "store: sqlite:///from-file\nregion: eu-central-1\n")
    app = desk.app()
    app.environment = {"XDG_STATE_HOME": str(tmp_path)}
    _, service = app.session_for("status", None, str(desk.config))
    assert (service, app.store, app.region) == ("orders", "sqlite:///from-file", "eu-central-1")


def test_missing_configuration_says_how_to_name_the_service(tmp_path: Path) -> None:
    result = run(App(environment={}), "status", "-c", str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "no service is named" in result.stderr
    assert "next:  name the service as the argument, or its configuration with -c FILE" in result.stderr


def all_commands() -> list[list[str]]:
    paths = []
    for name in COMMANDS:
        command = import_module(module_of(name)).command
        paths.append([name])
        if isinstance(command, click.Group):
            paths += [[name, child] for child in command.commands]
    return paths


@pytest.mark.parametrize("path", all_commands(), ids=" ".join)
def test_every_command_has_help_and_help_reaches_for_nothing(path: list[str]) -> None:
    result = run(failing(AssertionError("help must not connect")), *path, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: bluegreen {' '.join(path)}")
    assert len(result.stdout.splitlines()) > 5


@pytest.mark.parametrize("name", COMMANDS)
def test_short_helps_of_the_table_are_the_commands_own(name: str) -> None:
    command = import_module(module_of(name)).command
    own = " ".join((command.help or "").split("\n\n")[0].split())
    assert COMMANDS[name].short == own


def test_help_lists_every_command_and_exit_code() -> None:
    text = run(App(), "--help").stdout
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert all(f"{code} " in text.split("Exit codes")[1] for code in (0, 1, 2, 3, 4, 5, 6, 7, 130))


def test_version_is_printed() -> None:
    assert run(App(), "--version").stdout.startswith("bluegreen 0.")


HEAVY = {"boto3", "botocore", "pydantic", "rich", "tabulate", "yaml", "transitions", "msgspec", "logging"}


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, contextlib, io\nfrom bluegreen.cli.main import root\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): root.main(['--help'])\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_rollback_imports_neither_configuration_nor_drawing() -> None:
    script = (
        "import sys\nfrom tests.stage import Stage, NEW\nfrom bluegreen.drivers.foreground import deploy\n"
        "from bluegreen.cli.app import App\nfrom bluegreen.cli.main import root\n"
        "stage = Stage()\ndeploy(stage.session(), stage.spec, NEW, stage.recorder, detach=lambda session, d: '')\n"
        "app = App(connector=lambda app, command: stage.session(command), clock=stage.clock,\n"
        "          environment={'BLUEGREEN_STORE': 'sqlite:///x'})\n"
        "code = root.main(['rollback', 'orders', '--wait'], standalone_mode=False, obj=app)\n"
        "print(code, sorted({'pydantic', 'rich', 'tabulate', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
