"""A driver that ends in the middle: its last words say that nobody drives, where to see the users, and both ways on."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bluegreen.cli.main import root
from bluegreen.domain.deployment import Phase
from bluegreen.errors import BluegreenError, RecordError, StoreUnavailableError
from tests.unit.cli_kit import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def breaks_with_users_on_green(desk: Desk, error: Exception) -> None:
    def on_call(when: str, name: str) -> None:
        if (when, name) == ("before", "store.save") and desk.stage.weights().get("orders-2") == 5:
            raise error

    desk.stage.on_call = on_call


@pytest.mark.parametrize(
    "error",
    [
        RecordError("the record cannot be stored: null", hint="please report this: it is a bug"),
        StoreUnavailableError("the store gives no answer"),
        BluegreenError("a fault of ours"),
    ],
)
def test_an_error_in_the_middle_is_no_refusal_and_says_that_nobody_drives_and_what_to_type(
    desk: Desk, error: BluegreenError
) -> None:
    breaks_with_users_on_green(desk, error)
    result = desk.deploy()
    assert result.exit_code == 1
    for said in (
        "nobody drives it now, and users stay where they are",
        "bluegreen status orders shows where, bluegreen resume orders goes on with it",
        "bluegreen rollback orders goes back",
    ):
        assert said in result.stderr, result.stderr
    desk.stage.on_call = lambda when, name: None
    desk.type("rollback", "orders")
    assert desk.stage.weights() == {"orders-1": 100}


def test_resume_that_meets_the_same_at_once_says_it_too(desk: Desk) -> None:
    breaks_with_users_on_green(desk, RecordError("the record cannot be stored: null"))
    desk.deploy()
    breaks_with_users_on_green(desk, RecordError("the record cannot be stored: null"))
    result = desk.type("resume", "orders")
    assert result.exit_code == 1
    assert "nobody drives it now" in result.stderr
    assert "bluegreen rollback orders goes back" in result.stderr


def test_a_refusal_before_anything_changed_stays_one(desk: Desk) -> None:
    desk.stage.compute.mark(desk.stage.one, "unhealthy")
    result = desk.deploy()
    assert result.exit_code == 6
    assert "nobody drives" not in result.stderr


def test_a_crash_names_the_way_back(desk: Desk) -> None:
    breaks_with_users_on_green(desk, ZeroDivisionError("x"))
    result = desk.deploy()
    assert result.exit_code == 1
    assert "nobody drives it now" in result.stderr
    assert "bluegreen rollback goes back" in result.stderr


def test_a_reason_that_is_no_utf8_is_kept_as_far_as_it_is_text(desk: Desk) -> None:
    assert desk.deploy("--reason", "caf\udce9 closes").exit_code == 0
    assert desk.stage.latest().request.reason == "caf closes"
    assert desk.stage.phase() is Phase.SUCCEEDED


def test_no_command_takes_a_reason_in_another_way() -> None:
    context = click.Context(root)
    found = [
        option
        for name in root.list_commands(context)
        if (command := root.get_command(context, name)) is not None
        for option in command.params
        if isinstance(option, click.Option) and "--reason" in option.opts
    ]
    assert len(found) >= 6
    assert len({option.callback for option in found}) == 1
