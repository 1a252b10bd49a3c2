"""``bluegreen hooks``: list, run one alone, report."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
import yaml

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, Passed, Pending
from tests.stage import ScriptedHook
from tests.unit.cli_kit import CONFIGURATION, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    hooks = {
        "bake": [{"http": "/health", "name": "smoke"}],
        "test": [{"http": {"path": "/health"}, "name": "smoke", "timeout": "30s"}, {"approval": "ok?", "name": "ask"}],
        "after_launch": [{"command": ["make"], "name": "warm", "retries": 2}],
    }
    document = yaml.safe_load(CONFIGURATION) | {"hooks": hooks, "gates": [{"alarm": "orders-5xx"}]}
    desk.config.write_text(yaml.safe_dump(document))
    return desk


def script(desk: Desk, *verdicts: object) -> ScriptedHook:
    hook = ScriptedHook(list(verdicts))  # type: ignore[arg-type]
    desk.stage.hooks["smoke"] = desk.stage.hooks["warm"] = hook
    return hook


def test_list_shows_hooks_in_the_order_they_run(desk: Desk) -> None:
    result = desk.type("hooks", "list", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    rows = [row.split()[:3] for row in result.stdout.splitlines()[2:]]
    assert rows == [
        ["after_launch", "warm", "command"],
        ["test", "smoke", "http"],
        ["test", "ask", "approval"],
        ["bake", "smoke", "http"],
        ["gate", "alarm", "alarm"],
    ]
    told = json.loads(desk.type("hooks", "list", "-c", str(desk.config), "-o", "json").stdout)
    assert told["hooks"][1]["timeout"] == "30s"


def test_run_tells_the_hook_what_a_deployment_would_and_records_nothing(desk: Desk) -> None:
    done = Passed("200 in 31 ms", ("line",), {"median_ms": 31.0}, {"report": "https://reports/1"})
    hook = script(desk, Pending("h", 0.1, "1/2 answered"), done)
    result = desk.type("hooks", "run", "smoke", "--point", "test", "-c", str(desk.config))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "line",
        "passed: smoke (test): 200 in 31 ms (median_ms 31)",
        "  report: https://reports/1",
    ]
    assert result.stderr.splitlines()[0] == "1/2 answered"
    (call,) = hook.calls
    assert call.base_url == "http://prod.example:8080"
    assert (call.facts["service"], call.facts["blue"], call.facts["green"]) == ("orders", "orders-1", "orders-2")
    assert json.loads(call.facts["images"]) == {"app": "registry.example/orders:1"}
    assert desk.stage.phase() is None
    assert not [name for name in desk.stage.calls if name in ("router.modify", "store.save", "store.begin")]


def test_run_asks_where_it_is_told_to(desk: Desk) -> None:
    hook = script(desk, Passed())
    desk.type("hooks", "run", "warm", "--base-url", "http://127.0.0.1:9/", "-c", str(desk.config))
    assert hook.calls[0].base_url == "http://127.0.0.1:9"


def test_a_no_is_exit_6_with_its_output_and_unavailable_exit_1(desk: Desk) -> None:
    script(desk, Failed("500, expected 200", ("oops",)))
    result = desk.type("hooks", "run", "warm", "-c", str(desk.config))
    assert result.exit_code == 6
    assert result.stdout.splitlines() == ["oops", "failed: warm (after_launch): 500, expected 200"]
    script(desk, HookUnavailableError("no such host"))
    result = desk.type("hooks", "run", "warm", "-c", str(desk.config))
    assert result.exit_code == 1
    assert "warm (after_launch) could not be asked: no such host" in result.stderr
    assert "next:  a deployment asks three times more and then is rolled back" in result.stderr


def test_a_hook_that_never_ends_is_cancelled_at_its_timeout(desk: Desk) -> None:
    hook = script(desk, Pending("h", 1.0))
    result = desk.type("hooks", "run", "smoke", "--point", "test", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "no answer within 30 s" in result.stdout
    assert hook.cancelled == ["h"]


def test_which_hook_is_meant_must_be_clear_and_an_approval_cannot_be_tried(desk: Desk) -> None:
    for words, code, said in (
        (["smoke"], 2, "--point test or bake"),
        (["none"], 2, "its hooks: "),
        (["ask"], 6, "asks a person"),
    ):
        result = desk.type("hooks", "run", *words, "-c", str(desk.config))
        assert result.exit_code == code
        assert said in result.stderr


def test_report_writes_the_newest_deployment_as_junit(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    document = yaml.safe_load(CONFIGURATION) | {"hooks": {"test": [{"http": "/health", "name": "smoke"}]}}
    desk.config.write_text(yaml.safe_dump(document))
    assert desk.type("hooks", "report", "orders").exit_code == 6
    desk.stage.hooks["smoke"] = ScriptedHook([Failed("500, expected 200")])
    assert desk.deploy().exit_code == 3
    root = Xml.fromstring(desk.type("hooks", "report", "orders").stdout)
    assert (root.get("tests"), root.get("failures")) == ("1", "1")
    file = tmp_path / "reports" / "hooks.xml"
    known = desk.stage.latest().id
    result = desk.type("hooks", "report", "orders", "--deployment", known, "--junit", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert Xml.parse(file).getroot().get("name") == f"orders {known}"


def test_list_shows_what_runs_together_what_decides_and_who_is_told(desk: Desk) -> None:
    together = [{"parallel": [{"http": "/a", "name": "a"}, {"http": "/b", "name": "b", "dry_run": True}]}]
    hooks = {"test": together, "before_shift": [{"http": "/f", "name": "flag", "on": ["deploy", "rollback"]}]}
    document = yaml.safe_load(CONFIGURATION) | {"hooks": hooks, "notify": [{"command": ["tell"], "name": "team"}]}
    desk.config.write_text(yaml.safe_dump(document))
    told = json.loads(desk.type("hooks", "list", "-c", str(desk.config), "-o", "json").stdout)["hooks"]
    assert [(row["point"], row["name"], row["together"], row["decides"]) for row in told] == [
        ("test", "a", "1", "yes"),
        ("test", "b", "1", "no, dry run"),
        ("before_shift", "flag", "", "yes"),
        ("on_rollback", "before_shift/flag", "", "no"),
        ("notify", "team", "", "no"),
    ]


def test_tell_sends_a_trial_and_says_who_could_not_be_told(desk: Desk) -> None:
    notify = [
        {"command": {"run": "echo $BLUEGREEN_MOMENT $BLUEGREEN_MESSAGE > told", "shell": True}, "name": "log"},
        {"command": ["no-such-program-here"], "name": "gone"},
    ]
    desk.config.write_text(yaml.safe_dump(yaml.safe_load(CONFIGURATION) | {"notify": notify}))
    result = desk.type("hooks", "tell", "log", "--moment", "held", "-c", str(desk.config))
    assert (result.exit_code, result.stdout) == (0, "told: log (command)\n")
    assert (desk.folder / "told").read_text().startswith("held this is a trial")
    result = desk.type("hooks", "tell", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "not told: gone (command): there is no no-such-program-here on the PATH" in result.stdout
    result = desk.type("hooks", "tell", "chat", "-c", str(desk.config))
    assert (result.exit_code, "its notifiers: log, gone" in result.stderr) == (2, True)
    assert desk.stage.phase() is None


def needing(desk: Desk) -> None:
    """Another hook, a gate and a notifier need variables that are not set."""
    document = yaml.safe_load(desk.config.read_text())
    document["hooks"]["bake"].append({"http": {"url": "${OTHERS_URL}/x"}, "name": "other"})
    document |= {"gates": [{"alarm": "${OTHERS_ALARM}"}], "notify": [{"webhook": "${CHAT_URL}"}]}
    desk.config.write_text(yaml.safe_dump(document))


def test_a_variable_that_only_another_hook_uses_keeps_none_from_being_listed_or_tried(desk: Desk) -> None:
    needing(desk)
    listed = desk.type("hooks", "list", "-c", str(desk.config))
    assert listed.exit_code == 0, listed.stderr
    assert "other" in listed.stdout
    script(desk, Passed("fine"))
    tried = desk.type("hooks", "run", "warm", "-c", str(desk.config))
    assert tried.exit_code == 0, tried.stderr
