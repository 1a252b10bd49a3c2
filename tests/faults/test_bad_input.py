"""Bad input ends with exit code 2 or 6 and a message that names it; never with a traceback, never with a change.

A part of the campaign (``scripts/faults bad_input``); ``BLUEGREEN_FUZZ`` sets how many examples each family tries.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import Result

from tests.faults.bad_input import CONFIGURATIONS, Desk, Tally, judge, try_command_lines, try_configurations
from tests.faults.bad_records import try_records

pytestmark = pytest.mark.faults

EXAMPLES = int(os.environ.get("BLUEGREEN_FUZZ", "120"))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


@pytest.mark.parametrize("family", CONFIGURATIONS)
def test_bad_configuration_is_refused_and_its_keys_are_named(desk: Desk, family: str) -> None:
    tally = try_configurations(desk, family, EXAMPLES, chance=1)
    assert tally.refused > EXAMPLES // 4


def test_bad_command_line_is_refused_and_its_option_is_named(desk: Desk) -> None:
    tally = try_command_lines(desk, 2 * EXAMPLES, chance=1)
    assert tally.refused > EXAMPLES // 2


@pytest.mark.parametrize("which", ["record", "item"])
def test_damaged_record_is_refused_or_sound_and_stays_as_it_is(tmp_path: Path, which: str) -> None:
    tally = try_records(tmp_path, which, EXAMPLES, chance=1)
    assert tally.refused > EXAMPLES // 4


def test_good_input_reaches_the_first_change_so_that_the_guard_is_not_blind(desk: Desk) -> None:
    tally = Tally()
    for words in (["deploy", "--image", "app=registry.example/orders:3"], ["rollback", "orders"]):
        judge(desk, words, desk.type(words), tally)
    assert tally.changed == 2


def test_judge_sees_a_change_a_traceback_and_a_message_that_names_nothing(desk: Desk) -> None:
    good = desk.type(["status", "--nonsense"])
    for broken in (_with(good, exit_code=1), _with(good, stderr=b"Traceback"), _with(good, stderr=b"error: no\n")):
        with pytest.raises(AssertionError):
            judge(desk, ["status"], broken, Tally())
    desk.stage.compute.changes.append("compute.scale")
    with pytest.raises(AssertionError):
        judge(desk, ["status", "--nonsense"], good, Tally())


def _with(result: Result, exit_code: int | None = None, stderr: bytes | None = None) -> Result:
    return Result(
        result.runner,
        result.stdout_bytes,
        result.stderr_bytes if stderr is None else stderr,
        result.output_bytes,
        None,
        result.exit_code if exit_code is None else exit_code,
        None,
    )
