"""``deploy --junit FILE`` writes the results, however the deployment ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import yaml
from click.testing import Result

from bluegreen.domain.deployment import Phase
from bluegreen.domain.service import Control
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed
from tests.stage import Recorder, ScriptedHook
from tests.unit.cli_kit import CONFIGURATION, Desk

HOOKS: dict[str, Any] = {
    "before_launch": [{"http": "/flags", "name": "flags"}],
    "test": [{"http": "/health", "name": "smoke", "unavailable": "hold"}, {"http": "/new", "name": "later"}],
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.config.write_text(yaml.safe_dump(yaml.safe_load(CONFIGURATION) | {"hooks": HOOKS}))
    return desk


def deploy(desk: Desk) -> tuple[Result, Xml.Element]:
    file = desk.folder / "reports" / "bluegreen.xml"
    result = desk.deploy("--junit", str(file))
    return result, Xml.parse(file).getroot()


def counts(root: Xml.Element) -> dict[str, str]:
    return {name: root.get(name, "") for name in ("tests", "failures", "errors", "skipped")}


def test_of_a_release_that_is_live(desk: Desk) -> None:
    result, root = deploy(desk)
    assert result.exit_code == 0, result.output
    assert [suite.get("name") for suite in root] == ["orders.before_launch", "orders.test"]
    assert counts(root) == {"tests": "3", "failures": "0", "errors": "0", "skipped": "0"}


def test_of_a_release_that_was_rolled_back(desk: Desk) -> None:
    desk.stage.hooks["smoke"] = ScriptedHook([Failed("500, expected 200")])
    result, root = deploy(desk)
    assert result.exit_code == 3
    assert counts(root) == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1"}


def test_of_a_deployment_that_holds(desk: Desk) -> None:
    desk.stage.hooks["smoke"] = ScriptedHook([HookUnavailableError("no such host")])
    result, root = deploy(desk)
    assert result.exit_code == 4
    assert counts(root) == {"tests": "3", "failures": "0", "errors": "1", "skipped": "1"}


def test_of_a_deployment_that_a_person_rolled_back_meanwhile_with_what_came_of_it(desk: Desk) -> None:
    stage = desk.stage

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "store.service" and stage.phase() is Phase.BAKE:
            stage.on_call = lambda when, name: None
            rollback(stage.session("rollback", host="phone"), "orders", Recorder())

    stage.on_call = on_call
    result, root = deploy(desk)
    assert result.exit_code == 5, result.output
    results = {p.get("value") for p in root.iter("property") if p.get("name") == "result"}
    assert results == {"rolled_back"}


def test_of_a_service_that_is_locked_is_one_error_that_says_so(desk: Desk) -> None:
    other = desk.stage.session("deploy", host="elsewhere")
    desk.stage.memory.acquire("orders", other.owner, now=desk.stage.clock.now())
    result, root = deploy(desk)
    assert result.exit_code == 5, result.output
    assert counts(root) == {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    assert "ada@elsewhere" in (root.findtext(".//error") or "")


def test_of_a_deployment_that_was_refused_is_one_error_that_says_why(desk: Desk) -> None:
    production = next(iter(desk.stage.router.routes))
    desk.stage.router.set_weights(production, {desk.stage.one.target_group_arn: 50, "arn:aws:x:targetgroup/y": 50})
    result, root = deploy(desk)
    assert result.exit_code == 6
    assert counts(root)["errors"] == "1"


def test_of_a_command_that_was_interrupted(desk: Desk) -> None:
    desk.stage.on_call = _when(desk, Phase.SHIFT, _interrupt)
    result, root = deploy(desk)
    assert result.exit_code == 130, result.output
    assert counts(root) == {"tests": "4", "failures": "0", "errors": "1", "skipped": "0"}
    assert "left in shift" in (root.findtext(".//error") or "")


def test_of_a_release_that_never_became_healthy_has_a_failure_that_names_launch(desk: Desk) -> None:
    desk.stage.compute.starts_after = 10_000
    result, root = deploy(desk)
    assert result.exit_code == 3, result.output
    assert counts(root)["failures"] == "1"
    (case,) = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert case.get("name") == "launch"
    assert (case.findtext("failure") or "").startswith("rolled back in launch: ")


def test_of_a_deployment_that_was_paused_is_an_error(desk: Desk) -> None:
    def pause() -> None:
        control(desk.stage.session("pause"), "orders", Control.PAUSE, "lunch")

    desk.stage.on_call = _when(desk, Phase.SHIFT, pause)
    result, root = deploy(desk)
    assert result.exit_code == 4
    assert counts(root)["errors"] == "1"
    assert "holds in shift: " in (root.findtext(".//error") or "")


def _interrupt() -> None:
    raise KeyboardInterrupt


def _when(desk: Desk, phase: Phase, act: Callable[[], None]) -> Callable[[str, str], None]:
    def look(when: str, name: str) -> None:
        if when == "before" and name == "store.service" and desk.stage.phase() is phase:
            desk.stage.on_call = lambda when, name: None
            act()

    return look


def test_a_resume_writes_all_of_them_too(desk: Desk) -> None:
    stage = desk.stage

    def pause() -> None:
        control(stage.session("pause"), "orders", Control.PAUSE)

    stage.on_call = _when(desk, Phase.SHIFT, pause)
    assert desk.deploy().exit_code == 4
    file = desk.folder / "after.xml"
    assert desk.type("resume", "orders", "--junit", str(file)).exit_code == 0
    assert counts(Xml.parse(file).getroot())["tests"] == "3"


def test_a_file_that_cannot_be_written_is_refused_before_anything_starts(desk: Desk) -> None:
    (desk.folder / "plain").write_text("a file, no folder")
    result = desk.deploy("--junit", str(desk.folder / "plain" / "out.xml"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert desk.stage.phase() is None


@pytest.mark.parametrize("option", ["--detach", "--dry-run"])
def test_a_command_that_does_not_see_the_end_has_no_results(desk: Desk, option: str) -> None:
    result = desk.deploy("--junit", str(desk.folder / "out.xml"), option)
    assert result.exit_code == 2
    assert "bluegreen hooks report orders --junit" in result.stderr
    assert desk.stage.phase() is None
