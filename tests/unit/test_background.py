"""No process can be started in the background: the disk is full, or the user's state folder cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.drivers.background import drive_in_the_background, finish_in_the_background
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import BluegreenError
from tests.stage import NEW, SPEC, Crash, Recorder, Stage, StagedSession


@pytest.fixture
def stage() -> Stage:
    return Stage()


def session_without_a_folder(stage: Stage, tmp_path: Path, command: str) -> StagedSession:
    (tmp_path / "a-file").touch()
    session = stage.session(command)
    session.environment = {"XDG_STATE_HOME": str(tmp_path / "a-file")}
    return session


def test_rollback_that_cannot_leave_its_clean_up_to_a_process_is_safe_and_says_who_can(
    stage: Stage, tmp_path: Path
) -> None:
    def die_in_the_bake(when: str, name: str) -> None:
        if name == "store.load" and stage.phase() is Phase.BAKE:
            raise Crash

    stage.on_call = die_in_the_bake
    with pytest.raises(Crash):
        deploy(stage.session(), SPEC, NEW, Recorder())
    stage.on_call = lambda when, name: None
    said = Recorder()
    session = session_without_a_folder(stage, tmp_path, "rollback")
    back = rollback(session, "orders", said, finisher=finish_in_the_background)
    assert back.rollback is not None
    assert back.rollback.safe_at is not None
    assert "bluegreen resume orders does it" in said.text()
    assert resume(stage.session("resume"), "orders", Recorder()).phase is Phase.ROLLED_BACK


def test_detached_deployment_without_a_process_to_drive_it_is_an_error_that_names_the_ways_on(
    stage: Stage, tmp_path: Path
) -> None:
    session = session_without_a_folder(stage, tmp_path, "deploy")
    with pytest.raises(BluegreenError, match="nothing was launched, and traffic is where it was") as raised:
        deploy(session, SPEC, NEW, Recorder(), detach=drive_in_the_background)
    assert "bluegreen resume orders" in str(raised.value.hint)
    assert stage.compute.changes == []
    assert resume(stage.session("resume"), "orders", Recorder()).phase is Phase.SUCCEEDED
