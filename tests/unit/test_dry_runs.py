"""What rollback, abort, promote and pause would do, said from what stands now; nothing is changed by asking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.errors import ThrottledError
from bluegreen.store.codec import encode_deployment
from tests.unit.cli_kit import Desk

BAKING = {"orders-2": 100}


def left_at(desk: Desk, phase: Phase, call: str = "store.service") -> None:
    """A deploy that is detached in this phase."""
    stage = desk.stage

    def interrupt(when: str, name: str) -> None:
        if (when, name) == ("before", call) and stage.phase() is phase:
            stage.on_call = lambda when, name: None
            raise KeyboardInterrupt

    stage.on_call = interrupt
    assert desk.deploy().exit_code == 130


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Green bakes with all traffic; blue is orders-1."""
    desk = Desk(tmp_path)
    left_at(desk, Phase.BAKE)
    assert desk.stage.weights() == BAKING
    return desk


def everything(desk: Desk) -> tuple[object, ...]:
    stage = desk.stage
    record, state = encode_deployment(stage.latest()), stage.memory.service("orders")
    return record, state, stage.weights(), list(stage.compute.changes)


def said(desk: Desk, *arguments: str) -> str:
    """Answers it in one line; the world and the record are as before."""
    before = everything(desk)
    result = desk.type(*arguments)
    assert result.exit_code == 0, result.stderr
    assert everything(desk) == before
    return " ".join(result.stdout.split())


def test_a_flip_to_a_warm_blue_is_said_to_take_less_than_a_second(desk: Desk) -> None:
    text = said(desk, "rollback", "orders", "--dry-run")
    assert "blue orders-1 (orders:1 (orders:1)) is warm and takes all traffic" in text
    assert "prod:443: all traffic to blue orders-1" in text
    assert "safe after less than a second" in text


def test_a_blue_without_healthy_targets_is_not_called_warm(desk: Desk) -> None:
    desk.stage.compute.mark(desk.stage.one, "unhealthy")
    text = said(desk, "rollback", "orders", "--dry-run")
    assert "has 0 of 2 required healthy targets: it takes all traffic when it has them, and not before" in text
    assert "less than a second" not in text
    assert "safe after not known: blue is waited for" in text
    plan = json.loads(desk.type("rollback", "orders", "--dry-run", "-o", "json").stdout)
    assert plan["expected_seconds"] is None


def test_force_sends_traffic_to_a_blue_that_is_not_healthy_and_the_dry_run_says_so(desk: Desk) -> None:
    desk.stage.compute.mark(desk.stage.one, "unhealthy")
    text = said(desk, "rollback", "orders", "--dry-run", "--force")
    assert "has 0 of 2 required healthy targets and takes all traffic all the same (--force)" in text


def test_a_blue_that_was_scaled_in_is_said_to_be_launched_first(desk: Desk) -> None:
    desk.stage.compute.set(desk.stage.one, count=0)
    desk.stage.compute.kill(desk.stage.one)
    text = said(desk, "rollback", "orders", "--dry-run")
    assert "is launched again and takes all traffic" in text
    assert "1. blue orders-1 is set to 0 tasks: 2 of orders:1 are launched first" in text
    assert "the time the last launch took" in text


def test_a_blue_that_cannot_be_asked_is_not_vouched_for(desk: Desk) -> None:
    def busy(when: str, name: str) -> None:
        if name == "compute.health":
            raise ThrottledError("ECS is busy")

    desk.stage.on_call = busy
    text = said(desk, "rollback", "orders", "--dry-run")
    assert "takes all traffic, if it is healthy, which could not be asked: ECS is busy" in text
    assert "less than a second" not in text


def test_where_blue_has_all_traffic_its_health_does_not_matter(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    left_at(desk, Phase.LAUNCH, "compute.health")
    desk.stage.compute.mark(desk.stage.one, "unhealthy")
    assert "blue orders-1 (orders:1 (orders:1)) has all traffic already" in said(
        desk, "rollback", "orders", "--dry-run"
    )


def test_abort_says_what_it_would_do_and_changes_nothing(desk: Desk) -> None:
    text = said(desk, "abort", "orders", "--dry-run")
    assert "flip: blue orders-1" in text
    assert text.endswith("Dry run: nothing was changed. to do it bluegreen abort orders")


def test_abort_of_nothing_is_refused_in_a_dry_run_too(tmp_path: Path) -> None:
    assert Desk(tmp_path).type("abort", "orders", "--dry-run").exit_code == 6


@pytest.mark.parametrize(
    ("command", "effect"),
    [("promote", "skips its remaining waits; tests, health and gates still count"), ("pause", "holds where it stands")],
)
def test_a_wish_says_what_it_would_do_and_is_not_left(desk: Desk, command: str, effect: str) -> None:
    text = said(desk, command, "orders", "--dry-run")
    assert f"deployment {desk.stage.latest().id} (in phase bake" in text
    assert effect in text
    assert text.endswith(f"to do it bluegreen {command} orders")
    told = json.loads(desk.type(command, "orders", "--dry-run", "-o", "json").stdout)
    assert (told["dry_run"], told["asked"], told["phase"]) == (True, command, "bake")


@pytest.mark.parametrize(
    ("option", "effect"),
    [
        ([], "goes on"),
        (["--accept-live"], "goes on from the live weights"),
        (["--reassert"], "writes its weights again"),
    ],
)
def test_resume_says_what_it_would_do_and_drives_nothing(desk: Desk, option: list[str], effect: str) -> None:
    text = said(desk, "resume", "orders", *option, "--dry-run")
    assert effect in text
    assert text.endswith(" ".join(["to do it bluegreen resume orders", *option]))


def test_promote_of_a_deployment_that_is_rolled_back_is_refused_in_a_dry_run_too(desk: Desk) -> None:
    desk.type("rollback", "orders")
    assert desk.stage.phase() is Phase.ROLLBACK
    result = desk.type("promote", "orders", "--dry-run")
    assert result.exit_code == 6
    assert "is being rolled back" in result.stderr
