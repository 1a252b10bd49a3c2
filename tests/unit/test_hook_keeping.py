"""What hooks said stays within what a store takes in one record, whatever the number of steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.spec import HookPoint, HookSpec, ShiftStep
from bluegreen.drivers.foreground import deploy
from bluegreen.hooks.base import Failed, Passed, Pending, Verdict
from bluegreen.lifecycle.hooks.hook_keeping import bounded, kept
from bluegreen.store import codec
from bluegreen.store.dynamodb_items import LARGEST_BODY, LARGEST_CHUNK
from tests.stage import NEW, SPEC, ScriptedHook, Stage

VERBOSE = tuple(f"{number} {'x' * 320}" for number in range(50))
"""As much as one hook may hand over."""


def ran(number: int = 0, **changes: Any) -> HookRun:
    run = HookRun(HookPoint.AFTER_STEP, number, "smoke", "http", HookStatus.PASSED, 1_000.0 + number, 1_001.0 + number)
    return replace(run, detail="200 in 5 ms", output=VERBOSE, numbers={"p99_ms": 31.5}, **changes)


def shifted(percent: int, verdicts: Sequence[Verdict], hooks: int = 1) -> Deployment:
    steps = tuple(ShiftStep(each, 5) for each in range(percent, 101, percent))
    names = [f"smoke-{number}" for number in range(hooks)]
    stage = Stage(replace(SPEC, hooks=tuple(HookSpec(HookPoint.AFTER_STEP, n, "scripted") for n in names), shift=steps))
    stage.hooks.update({name: ScriptedHook(list(verdicts)) for name in names})
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


def test_verbose_hooks_at_every_step_leave_the_record_far_below_dynamodbs_limit() -> None:
    ended = shifted(10, [Passed("fine", VERBOSE)], hooks=3)
    assert ended.phase is Phase.SUCCEEDED
    assert len(ended.hooks) == 30
    assert len(codec.encode_deployment(ended)) < LARGEST_BODY / 2
    assert ended.hooks[-1].output == VERBOSE


def test_three_hundred_runs_that_say_much_leave_room_in_the_record() -> None:
    numbers, links = {f"figure-{number}": 1.5 for number in range(20)}, {"log": "https://logs/" * 9}
    said = [replace(ran(number), numbers=numbers, links=links, detail="x" * 300) for number in range(300)]
    runs = kept(said)
    assert len(runs) == 300
    assert len(msgspec.json.encode(runs)) < LARGEST_BODY * 0.8


def test_one_that_fails_after_many_that_passed_keeps_all_it_said() -> None:
    verdicts: list[Verdict] = [*[Passed("fine", VERBOSE)] * 18, Failed("no", VERBOSE)]
    ended = shifted(5, verdicts)
    assert ended.phase is Phase.ROLLED_BACK
    assert (ended.hooks[-1].status, ended.hooks[-1].output) == (HookStatus.FAILED, VERBOSE)


def test_few_runs_keep_all_they_said() -> None:
    runs = tuple(ran(number) for number in range(5))
    assert kept(runs) == runs


def test_the_newest_keep_all_and_older_ones_their_last_line_numbers_and_verdict() -> None:
    runs = kept([ran(number) for number in range(20)])
    assert [run.output == VERBOSE for run in runs] == sorted(run.output == VERBOSE for run in runs)
    oldest = runs[0]
    assert oldest.output == ("…", f"49 {'x' * 296}…")
    assert (oldest.status, oldest.detail, oldest.numbers) == (HookStatus.PASSED, "200 in 5 ms", {"p99_ms": 31.5})
    assert runs[-1].output == VERBOSE


def test_what_did_not_pass_is_kept_before_what_did() -> None:
    runs = kept([ran(0, status=HookStatus.FAILED), *(ran(number) for number in range(1, 40))])
    assert runs[0].output == VERBOSE
    assert runs[1].output[0] == "…"


def test_what_still_runs_is_left_alone() -> None:
    links = {f"log-{number}": "https://logs/" * 100 for number in range(200)}
    running = ran(99, status=HookStatus.RUNNING, handle="h", links=links)
    assert kept([ran(), running]) == (kept([ran(), running])[0], running)


def test_what_was_cut_once_is_not_cut_again_by_the_next_save() -> None:
    runs = kept([ran(number) for number in range(40)])
    assert kept(runs) == runs


@pytest.mark.parametrize("huge", [{"numbers": {f"n{n}": 1.5 for n in range(50_000)}}, {"detail": "ü" * 500_000}])
def test_not_even_one_run_outgrows_the_record(huge: dict[str, Any]) -> None:
    (run,) = kept([replace(ran(), **huge)])
    assert len(json.dumps((run.detail, run.output, run.numbers, run.links))) < 20_000
    assert run.status is HookStatus.PASSED


@pytest.mark.parametrize(
    "verdict",
    [
        Passed("ü" * 500_000, (), {f"n{n}": 1.5 for n in range(50_000)}, {f"l{n}": "https://x" for n in range(50_000)}),
        Failed("no " * 500_000, (), {"n" * 500_000: 1.5}, {"log": "https://" + "x" * 500_000}),
    ],
)
def test_whatever_one_hook_hands_over_neither_the_record_nor_an_event_outgrows_the_store(verdict: Verdict) -> None:
    stage = Stage(replace(SPEC, hooks=(HookSpec(HookPoint.TEST, "table", "scripted"),)))
    stage.hooks["table"] = ScriptedHook([verdict])
    ended = deploy(stage.session(), stage.spec, NEW, stage.recorder)
    assert len(codec.encode_deployment(ended)) < LARGEST_BODY / 4
    events = [event for event in stage.recorder.events if event.kind is Kind.HOOK_ENDED]
    assert max(len(msgspec.json.encode(event)) for event in events) < LARGEST_CHUNK / 4


def test_an_ordinary_verdict_is_kept_as_it_is() -> None:
    for verdict in (Passed("fine", VERBOSE, {"n": 1.5}, {"log": "https://x"}), Failed("no", VERBOSE), Pending("h")):
        assert bounded(verdict) == verdict
