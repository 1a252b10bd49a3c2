"""The hooks that are ready to copy do what their first lines say, run as a configuration would run them."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from bluegreen.domain.spec import HookPoint
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, Passed
from bluegreen.hooks.settings import settings_model, settings_of
from tests.contract.hook_kit import ENVIRONMENT, Release, ask, call, failed, hook, passed, serving

EXAMPLES = Path(__file__).parents[2] / "hooks"


@pytest.fixture
def green() -> Iterator[Release]:
    with serving(Release()) as release:
        yield release


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration's folder, with the examples copied next to it."""
    shutil.copytree(EXAMPLES, tmp_path / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(kind: str, settings: dict[str, Any], folder: Path, base_url: str, **more: str) -> Passed | Failed:
    facts = {"images": '{"app": "registry:5000/orders:2.0@sha256:0"}', "cluster": "production"}
    return ask(hook(kind, settings, folder, {**ENVIRONMENT, **more}), call(base_url, facts=facts))


def script(name: str, *arguments: str) -> dict[str, Any]:
    return {"run": [sys.executable, f"hooks/{name}", *arguments]}


# The plug-in is no file that a configuration names: tests/integration/test_hook_plugins.py installs it.
SCRIPTS = sorted(file for file in EXAMPLES.rglob("*.py") if file.parent.name != "plugin")


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_configuration_in_an_examples_first_lines_is_valid(file: Path) -> None:
    shown = re.search(r"^    hooks:\n(?:      .*\n)+", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown
    for point, hooks in yaml.safe_load(shown[0])["hooks"].items():
        assert HookPoint(point)
        for written in hooks:
            for kind, settings in written.items():
                settings_model(kind).model_validate(settings_of(kind, settings))
                assert file.name in str(settings) or file.parent.name in str(settings)


def test_every_example_is_in_the_list() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(file.name in listed for file in SCRIPTS)


def test_smoke_test_passes_on_a_live_green_and_fails_on_a_broken_one(folder: Path, green: Release) -> None:
    green.answers["/"] = (200, "hello")
    assert passed(run("pytest", {"path": "hooks/smoke"}, folder, green.url)).numbers["passed"] == 2
    green.answers["/"] = (500, "oops")
    assert "1 of 2 failed" in failed(run("pytest", {"path": "hooks/smoke"}, folder, green.url)).reason


def test_contract_test_names_the_key_that_a_consumer_would_miss(folder: Path, green: Release) -> None:
    order = {"id": 1, "lines": [{"sku": "a-1"}], "note": None}
    green.answers["/orders/1"] = (200, json.dumps(order))
    assert passed(run("pytest", {"path": "hooks/contract"}, folder, green.url)).numbers["passed"] == 3
    green.answers["/orders/1"] = (200, json.dumps({**order, "id": "1"}))
    green.answers["/orders/none"] = (200, "{}")
    reason = failed(run("pytest", {"path": "hooks/contract"}, folder, green.url)).reason
    assert "id is '1', consumers read it as number" in reason
    assert "assert 200 == 404" in reason


def test_version_check_refuses_a_route_that_still_reaches_the_old_version(folder: Path, green: Release) -> None:
    settings = {"call": "hooks/version_check.py:check"}
    verdict = passed(run("python", settings, folder, green.url, VERSION_TIMES="4"))
    assert (verdict.detail, verdict.numbers["requests"]) == ("version 2.0, requests=4", 4)
    assert len(green.seen) == 4
    green.answers["/health"] = (200, '{"version": "1.9"}')
    assert "version 1.9 answers, 2.0 was deployed" in failed(run("python", settings, folder, green.url)).reason


def test_latency_comparison_refuses_a_slower_green(folder: Path, green: Release) -> None:
    with serving(Release()) as blue:
        settings = script("compare_latency.py", "--blue", blue.url, "--path", "/health", "--requests", "9", "--slack")
        # A busy machine must not look like a slow green.
        tolerant, strict = {"run": [*settings["run"], "2000"]}, {"run": [*settings["run"], "5"]}
        assert "not slower: median" in passed(run("command", tolerant, folder, green.url)).detail
        green.answers = _Slow(green.answers)
        settings = strict
        assert "exit 1: slower: median" in failed(run("command", settings, folder, green.url)).reason


def test_latency_comparison_without_a_blue_could_not_ask(folder: Path, green: Release) -> None:
    with pytest.raises(HookUnavailableError, match="blue did not answer"):
        run("command", script("compare_latency.py", "--blue", "http://127.0.0.1:9"), folder, green.url)


class _Slow(dict[str, tuple[int, str]]):
    def get(self, key: str, default: Any = None) -> Any:
        threading.Event().wait(0.06)
        return super().get(key, default)


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE orders;",
        "ALTER TABLE orders DROP COLUMN note;",
        "alter table orders drop note;",
        "ALTER TABLE orders RENAME COLUMN note TO remark;",
        "ALTER TABLE orders RENAME TO sales;",
        "ALTER TABLE orders ALTER COLUMN id TYPE bigint;",
        "ALTER TABLE orders ALTER note SET NOT NULL;",
        "ALTER TABLE orders ADD COLUMN total int NOT NULL;",
        "CREATE INDEX i ON orders (id); TRUNCATE orders;",
        "DELETE FROM orders;",
        "/* fine; */ ALTER TABLE orders\n  -- a comment\n  DROP COLUMN note;",
        "ALTER TABLE orders ADD a int NOT NULL, ADD b int DEFAULT 1;",
        "ALTER TABLE orders ADD b int DEFAULT 1, ADD a numeric(10, 2) NOT NULL;",
        "ALTER TABLE orders ADD a int, DROP note;",
        'ALTER TABLE "orders" DROP "note";',
        "ALTER TABLE `orders` ADD `a` int NOT NULL;",
        "ALTER TABLE orders ADD (a int NOT NULL, b int DEFAULT 1);",
        "ALTER TABLE orders CHANGE note remark text;",
    ],
)
def test_migration_guard_refuses_what_breaks_the_live_release(folder: Path, sql: str) -> None:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0002_next.sql").write_text(sql)
    verdict = failed(run("command", script("migration_guard.py", "migrations"), folder, ""))
    assert "0002_next.sql" in verdict.reason


def test_migration_guard_lets_expansions_old_migrations_and_what_was_allowed_pass(folder: Path) -> None:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001_old.sql").write_text("DROP TABLE orders;")
    (folder / "migrations" / "0002_next.sql").write_text(
        "CREATE TABLE lines (id int NOT NULL);\nALTER TABLE orders ADD COLUMN total int;\n"
        "ALTER TABLE orders ADD COLUMN kind text NOT NULL DEFAULT 'x; DROP TABLE y';\n-- DROP TABLE orders;\n"
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (id IS NOT NULL); DELETE FROM orders WHERE id = 0;\n"
        "ALTER TABLE orders ADD (a int NOT NULL DEFAULT 1, b int), ADD c numeric(10, 2);\n"
        "ALTER TABLE orders DROP CONSTRAINT d;\n-- bluegreen: allow nobody has read it since 1.8\nDROP TABLE carts;\n"
    )
    settings = script("migration_guard.py", "migrations", "--after", "0001_old.sql")
    assert "1 new migrations, none breaks" in passed(run("command", settings, folder, "")).detail


def test_migration_guard_knows_that_nine_comes_before_ten(folder: Path) -> None:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "9_add.sql").write_text("ALTER TABLE orders ADD a int;")
    (folder / "migrations" / "10_drop.sql").write_text("DROP TABLE orders;")
    settings = script("migration_guard.py", "migrations", "--after", "9_add.sql")
    assert "10_drop.sql" in failed(run("command", settings, folder, "")).reason
    settings = script("migration_guard.py", "migrations", "--after", "10_drop.sql")
    assert "0 new migrations" in passed(run("command", settings, folder, "")).detail


def test_migration_guard_that_does_not_know_the_last_migration_could_not_ask(folder: Path) -> None:
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0002_next.sql").write_text("DROP TABLE orders;")
    settings = script("migration_guard.py", "migrations", "--after", "0009_typo.sql")
    with pytest.raises(HookUnavailableError, match=r"no 0009_typo\.sql in"):
        run("command", settings, folder, "")


def test_migration_guard_without_its_folder_could_not_ask(folder: Path) -> None:
    with pytest.raises(HookUnavailableError, match="there is no folder"):
        run("command", script("migration_guard.py", "absent"), folder, "")


def test_sidecar_check_names_task_and_container(folder: Path) -> None:
    with serving(Release()) as ecs:
        ecs.answers = _Ecs()
        sound = ask_sidecars(folder, ecs, "envoy")
        assert "envoy run in all 2 tasks of orders-2" in passed(sound).detail
        missing = failed(ask_sidecars(folder, ecs, "envoy", "agent", "absent"))
        assert missing.output == (
            "task t1: absent is missing",
            "task t2: agent is STOPPED, exit code 1",
            "task t2: absent is missing",
        )


def test_sidecar_check_without_ecs_could_not_ask(folder: Path) -> None:
    with pytest.raises(HookUnavailableError, match="ECS did not tell"):
        ask_sidecars(folder, Release(url="http://127.0.0.1:9"), "envoy")


def ask_sidecars(folder: Path, ecs: Release, *containers: str) -> Passed | Failed:
    aws = {
        "AWS_ENDPOINT_URL": ecs.url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return run("command", script("sidecar_check.py", "--service", "orders-2", *containers), folder, "", **aws)


class _Ecs(dict[str, tuple[int, str]]):
    """ListTasks and then DescribeTasks, as ECS answers them: boto3 asks one after the other."""

    _TASKS: ClassVar[list[dict[str, Any]]] = [
        {"taskArn": "arn:aws:ecs:r:1:task/production/t1", "containers": [
            {"name": "envoy", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"},
            {"name": "agent", "lastStatus": "RUNNING"},
        ]},
        {"taskArn": "arn:aws:ecs:r:1:task/production/t2", "containers": [
            {"name": "envoy", "lastStatus": "RUNNING", "healthStatus": "UNKNOWN"},
            {"name": "agent", "lastStatus": "STOPPED", "exitCode": 1},
        ]},
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._listed = False

    def get(self, key: str, default: Any = None) -> Any:
        self._listed = not self._listed
        answer = {"taskArns": [task["taskArn"] for task in self._TASKS]} if self._listed else {"tasks": self._TASKS}
        return 200, json.dumps(answer)
