"""``approve`` and ``reject``: a person answers from another terminal while a deployment waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from click.testing import Result

from bluegreen.domain.deployment import HookStatus, Phase
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.hooks.registry import build_hook
from bluegreen.hooks.running import Links
from tests.unit.cli_kit import CONFIGURATION, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    ask_at_before_shift(desk, {"message": "Notes read?"})
    return desk


def ask_at_before_shift(desk: Desk, settings: dict[str, object], *names: str) -> None:
    """The real hook on the stage, its decisions in the stage's store."""
    entries: list[dict[str, object]] = [
        {"approval": settings, "name": name, "timeout": "10m"} for name in names or ("notes",)
    ]
    document = yaml.safe_load(CONFIGURATION) | {"hooks": {"before_shift": entries}}
    desk.config.write_text(yaml.safe_dump(document))
    for entry in entries:
        name = str(entry["name"])
        spec = HookSpec(HookPoint.BEFORE_SHIFT, name, "approval", dict(settings))
        links = Links(approvals=lambda: desk.stage.faulty_store)
        desk.stage.hooks[name] = cast(Any, build_hook(spec, {}, desk.folder, desk.stage.clock, links))


def meanwhile(desk: Desk, *words: str, look: int = 3) -> list[Result]:
    """Type ``words`` in another terminal when the driver has looked for an answer so often."""
    results: list[Result] = []
    looks: list[str] = []

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("after", "store.decision"):
            looks.append(name)
            if len(looks) == look:
                results.append(desk.type(*words))

    desk.stage.on_call = on_call
    return results


def test_an_approved_deployment_goes_on_and_keeps_who_said_so_and_why(desk: Desk) -> None:
    results = meanwhile(desk, "approve", "orders", "--reason", "read and told support")
    assert desk.deploy().exit_code == 0
    assert results[0].exit_code == 0
    assert "approved: notes (before_shift)" in results[0].stdout
    (run,) = desk.stage.latest().hooks
    assert run.status is HookStatus.PASSED
    assert "approved by ada@laptop" in run.detail
    assert "read and told support" in run.detail


def test_a_rejected_deployment_is_rolled_back_without_a_users_request_on_green(desk: Desk) -> None:
    meanwhile(desk, "reject", "orders", "--reason", "not on a Friday")
    assert desk.deploy().exit_code == 3
    assert desk.stage.weights() == {"orders-1": 100}
    rollback = desk.stage.latest().rollback
    assert rollback is not None
    assert "rejected by ada@laptop" in rollback.reason
    assert "not on a Friday" in rollback.reason
    assert rollback.from_phase in (Phase.TEST, Phase.SHIFT)


def test_nobodys_answer_is_a_no_at_the_deadline(desk: Desk) -> None:
    assert desk.deploy().exit_code == 3
    assert "nobody answered within" in desk.stage.latest().hooks[0].detail


def test_nobodys_answer_is_a_yes_where_it_is_configured(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ask_at_before_shift(desk, {"deadline": "1m", "otherwise": "approve"})
    assert desk.deploy().exit_code == 0


def test_the_second_answer_is_told_whose_the_first_was(desk: Desk) -> None:
    first: list[Result] = []

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("before", "store.decision") and not first:
            first.append(desk.type("approve", "orders"))
            first.append(desk.type("reject", "orders"))

    desk.stage.on_call = on_call
    assert desk.deploy().exit_code == 0
    assert [result.exit_code for result in first] == [0, 6]
    assert "notes of deployment" in first[1].stderr
    assert "was approved by ada@laptop" in first[1].stderr


def test_an_answer_in_json_says_what_was_answered(desk: Desk) -> None:
    results = meanwhile(desk, "approve", "orders", "-o", "json")
    desk.deploy()
    told = json.loads(results[0].stdout)
    assert (told["answer"], told["hook"], told["point"]) == ("approved", "notes", "before_shift")
    assert told["by"].startswith("ada@laptop")


def test_nothing_to_approve_is_refused_and_says_where_it_stands(desk: Desk) -> None:
    assert desk.deploy("--detach").exit_code == 0
    result = desk.type("approve", "orders")
    assert result.exit_code == 6
    assert "waits for no approval now" in result.stderr


def test_an_answer_after_the_deadline_is_refused_and_says_what_silence_meant(desk: Desk) -> None:
    results: list[Result] = []

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("before", "store.decision") and desk.stage.latest().hooks[0].handle and not results:
            desk.stage.clock.sleep(900)
            results.append(desk.type("approve", "orders"))

    desk.stage.on_call = on_call
    assert desk.deploy().exit_code == 3
    assert results[0].exit_code == 6
    assert "the time to answer notes of deployment" in results[0].stderr


def test_another_hooks_name_is_refused(desk: Desk) -> None:
    results = meanwhile(desk, "approve", "orders", "--hook", "other")
    desk.deploy()
    assert results[0].exit_code == 6
    assert "no approval other" in results[0].stderr
