"""How the engine runs hooks: together or in order, within their time, found again, deciding only what they may."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus, Phase
from bluegreen.domain.events import Kind
from bluegreen.domain.service import Control
from bluegreen.domain.spec import Consequence, Deadlines, HookPoint, HookSpec
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import ConfigurationError, HeldError, HookUnavailableError, PreemptedError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from tests.stage import NEW, SPEC, Crash, Recorder, ScriptedHook, Stage

FINE = Passed("fine")


@dataclass
class Busy:
    """Runs for ``seconds`` of the stage's clock, then gives ``verdict``; ``log`` tells starts and ends in order."""

    stage: Stage
    name: str
    seconds: float
    log: list[str]
    verdict: Verdict = FINE
    asks: bool = False
    began: float = 0.0
    starts: int = 0
    cancelled: list[str] = field(default_factory=list)
    ended: float = 0.0
    calls: list[HookCall] = field(default_factory=list)

    def start(self, call: HookCall) -> Verdict:
        self.calls.append(call)
        self.began, self.starts = self.stage.clock.now(), self.starts + 1
        self.log.append(f"{self.name} starts")
        return self.poll(f"{self.name}-{self.starts}")

    def poll(self, handle: str) -> Verdict:
        if self.stage.clock.now() - self.began < self.seconds:
            return Pending(handle, 1.0, "busy", {"log": f"https://logs/{handle}"}, asks=self.asks)
        self.log.append(f"{self.name} ends")
        return self.verdict

    def cancel(self, handle: str) -> None:
        self.cancelled.append(handle)
        self.ended = self.stage.clock.now()


def hook(name: str, point: HookPoint = HookPoint.TEST, **changes: Any) -> HookSpec:
    return replace(HookSpec(point, name, "scripted", timeout=10_000.0), **changes)


def staged(*hooks: HookSpec, **changes: Any) -> tuple[Stage, list[str]]:
    return Stage(replace(SPEC, hooks=hooks, **changes)), []


def busy(stage: Stage, log: list[str], name: str, seconds: float, **more: Any) -> Busy:
    made = Busy(stage, name, seconds, log, **more)
    stage.hooks[name] = made  # type: ignore[assignment]
    return made


def run(stage: Stage) -> Deployment:
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


def again(stage: Stage) -> Deployment:
    return resume(stage.session("resume"), "orders", stage.recorder)


def go_on(stage: Stage) -> Deployment:
    control(stage.session("resume"), "orders", Control.RESUME)
    return again(stage)


def ran(d: Deployment) -> dict[str, HookRun]:
    return {run.name: run for run in d.hooks}


def reason(d: Deployment) -> str:
    assert d.rollback is not None
    return d.rollback.reason


def test_hooks_of_one_group_run_at_the_same_time_and_the_next_one_after_all_of_them() -> None:
    stage, log = staged(hook("first"), hook("a", group=1), hook("b", group=1), hook("last"))
    for name, seconds in (("first", 10), ("a", 60), ("b", 30), ("last", 10)):
        busy(stage, log, name, seconds)
    began = stage.clock.now()
    assert run(stage).phase is Phase.SUCCEEDED
    assert log == [
        "first starts", "first ends", "a starts", "b starts", "b ends", "a ends", "last starts", "last ends",
    ]  # fmt: skip
    test = next(span for span in stage.latest().spans if span.phase is Phase.TEST)
    assert (test.ended_at or 0) - test.began_at < SPEC.settle + 10 + 60 + 10 + 5
    assert began < stage.clock.now()


def test_two_groups_side_by_side_stay_two_groups() -> None:
    stage, log = staged(*(hook(name, group=group) for name, group in (("a", 1), ("b", 1), ("c", 2), ("d", 2))))
    for name in "abcd":
        busy(stage, log, name, 5)
    run(stage)
    assert log.index("c starts") > log.index("b ends")


def test_the_first_no_of_a_group_cancels_the_others_and_each_result_is_stored_once() -> None:
    stage, log = staged(hook("bad", group=1), hook("slow", group=1), hook("never"))
    busy(stage, log, "bad", 5, verdict=Failed("500, not 200"))
    slow = busy(stage, log, "slow", 600)
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert "500, not 200" in reason(ended)
    assert slow.cancelled == ["slow-1"]
    assert {name: found.status for name, found in ran(ended).items()} == {
        "bad": HookStatus.FAILED,
        "slow": HookStatus.CANCELLED,
    }
    assert stage.recorder.kinds().count(Kind.HOOK_ENDED) == 2
    assert stage.clock.now() - ended.started_at < 100


def test_every_hook_of_a_group_is_found_again_after_its_driver_died_and_none_is_doubled() -> None:
    stage, log = staged(hook("a", group=1), hook("b", group=1))
    hooks = [busy(stage, log, "a", 40), busy(stage, log, "b", 80)]
    crash_when(stage, lambda: log[-1:] == ["a ends"])
    with pytest.raises(Crash):
        run(stage)
    assert again(stage).phase is Phase.SUCCEEDED
    assert [each.starts for each in hooks] == [1, 1]
    assert log.count("a ends") <= 2


def crash_when(stage: Stage, now: Callable[[], bool]) -> None:
    def die(when: str, name: str) -> None:
        if when == "after" and now():
            stage.on_call = lambda when, name: None
            stage.memory.release(stage.memory.service("orders").lease)  # type: ignore[arg-type]
            raise Crash

    stage.on_call = die


def test_one_that_cannot_be_asked_holds_only_after_the_others_of_its_group_have_ended() -> None:
    stage, log = staged(hook("broken", group=1, unavailable=Consequence.HOLD), hook("slow", group=1))
    stage.hooks["broken"] = ScriptedHook([HookUnavailableError("no such host")])
    busy(stage, log, "slow", 300)
    with pytest.raises(HeldError, match="no such host"):
        run(stage)
    assert ran(stage.latest())["slow"].status is HookStatus.PASSED


def test_resume_asks_a_hook_again_that_could_not_be_asked() -> None:
    stage, _ = staged(hook("broken", unavailable=Consequence.HOLD))
    stage.hooks["broken"] = ScriptedHook([*[HookUnavailableError("no such host")] * 4, Passed("there again")])
    with pytest.raises(HeldError, match="4 times"):
        run(stage)
    ended = go_on(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert [call.attempt for call in stage.hooks["broken"].calls] == [1, 2, 3, 4, 5]


def test_resume_gives_a_hook_all_its_retries_again() -> None:
    stage, _ = staged(hook("broken", unavailable=Consequence.HOLD))
    stage.hooks["broken"] = ScriptedHook([*[HookUnavailableError("no such host")] * 7, Passed("there again")])
    with pytest.raises(HeldError):
        run(stage)
    assert go_on(stage).phase is Phase.SUCCEEDED
    assert len(stage.hooks["broken"].calls) == 8


UNASKED, NO = HookUnavailableError("no such host"), Failed("500")


@pytest.mark.parametrize(
    ("retries", "verdicts"),
    [
        (2, [UNASKED, UNASKED, NO, NO]),
        (2, [UNASKED, NO, UNASKED, NO, UNASKED]),
        (5, [NO, NO, NO, NO, UNASKED]),
        (1, [UNASKED, UNASKED, UNASKED, NO]),
        (3, [NO, UNASKED, NO, UNASKED, NO, UNASKED]),
    ],
)
def test_what_could_not_be_asked_takes_no_retry_of_what_failed_nor_the_other_way_round(
    retries: int, verdicts: list[Verdict | Exception]
) -> None:
    stage, _ = staged(hook("both", retries=retries))
    stage.hooks["both"] = ScriptedHook([*verdicts, FINE])
    assert run(stage).phase is Phase.SUCCEEDED
    assert len(stage.hooks["both"].calls) == len(verdicts) + 1


@pytest.mark.parametrize(
    ("retries", "verdicts"), [(2, [NO] * 3), (1, [UNASKED, NO, UNASKED, NO]), (50, [NO, NO, *[UNASKED] * 4])]
)
def test_each_of_the_two_ways_to_end_has_no_more_than_its_own_retries(
    retries: int, verdicts: list[Verdict | Exception]
) -> None:
    stage, _ = staged(hook("both", retries=retries))
    stage.hooks["both"] = ScriptedHook([*verdicts, FINE])
    assert run(stage).phase is Phase.ROLLED_BACK
    assert len(stage.hooks["both"].calls) == len(verdicts)


def test_the_pause_before_each_retry_doubles_for_each_of_the_two_ways_apart() -> None:
    stage, _ = staged(hook("both", retries=3, backoff=10.0))
    stage.hooks["both"] = ScriptedHook([NO, NO, UNASKED, UNASKED, FINE])
    starts = [event.at for event in _ended_run(stage).recorder.events if event.kind is Kind.HOOK_STARTED]
    pauses = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert pauses == pytest.approx([10, 20, 10, 20], abs=2.0)


def _ended_run(stage: Stage) -> Stage:
    assert run(stage).phase is Phase.SUCCEEDED
    return stage


def test_a_hook_is_told_which_of_its_attempts_failed_and_which_only_could_not_be_asked() -> None:
    stage, _ = staged(hook("both", retries=9))
    stage.hooks["both"] = ScriptedHook([UNASKED, NO, UNASKED, UNASKED, NO, FINE])
    assert run(stage).phase is Phase.SUCCEEDED
    assert [call.settled for call in stage.hooks["both"].calls] == [0, 0, 2, 2, 2, 5]


def test_a_hook_that_was_cancelled_at_its_timeout_is_told_so_when_it_is_asked_again() -> None:
    stage, log = staged(hook("slow", retries=1, timeout=60.0))
    slow = busy(stage, log, "slow", 9_000)
    run(stage)
    assert [call.settled for call in slow.calls] == [0, 1]


def test_a_hook_that_its_points_time_cancelled_is_told_so_after_resume() -> None:
    limits = {"hook_timeouts": {HookPoint.TEST: 120.0}, "on_hook_timeout": Consequence.HOLD}
    stage, log = staged(hook("slow"), **limits)
    slow = busy(stage, log, "slow", 9_000)
    with pytest.raises(HeldError):
        run(stage)
    slow.seconds = 10
    go_on(stage)
    assert [call.settled for call in slow.calls] == [0, 1]


def test_hooks_that_outlast_their_points_time_are_cancelled_and_the_release_goes_back() -> None:
    stage, log = staged(hook("a", group=1), hook("b", group=1), hook_timeouts={HookPoint.TEST: 120.0})
    hooks = [busy(stage, log, "a", 9_000), busy(stage, log, "b", 9_000)]
    ended = run(stage)
    assert "the hooks of test did not end within 120 s" in reason(ended)
    assert [len(each.cancelled) for each in hooks] == [1, 1]
    assert {found.status for found in ended.hooks} == {HookStatus.CANCELLED}
    assert stage.clock.now() - ended.started_at < 200


def test_time_of_a_point_counts_from_its_first_hook_to_its_last() -> None:
    stage, log = staged(hook("a"), hook("b"), hook_timeouts={HookPoint.TEST: 120.0})
    busy(stage, log, "a", 80)
    busy(stage, log, "b", 80)
    assert "within 120 s" in reason(run(stage))
    assert "b ends" not in log


def test_each_step_of_the_shift_has_the_time_of_its_point() -> None:
    stage, log = staged(hook("a", HookPoint.AFTER_STEP), hook_timeouts={HookPoint.AFTER_STEP: 60.0})
    busy(stage, log, "a", 50)
    assert run(stage).phase is Phase.SUCCEEDED
    assert log.count("a ends") == 2


def test_held_for_a_points_time_resume_gives_the_hooks_as_long_again() -> None:
    limits = {"hook_timeouts": {HookPoint.TEST: 120.0}, "on_hook_timeout": Consequence.HOLD}
    stage, log = staged(hook("slow"), **limits)
    slow = busy(stage, log, "slow", 9_000)
    with pytest.raises(HeldError, match="did not end within 120 s"):
        run(stage)
    slow.seconds = 100
    ended = go_on(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert ran(ended)["slow"].attempts == 2


def test_a_dry_run_that_fails_is_reported_and_decides_nothing() -> None:
    stage, _ = staged(hook("new", dry_run=True), hook("old"))
    stage.hooks["new"] = ScriptedHook([Failed("3 of 9 failed")])
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert (ran(ended)["new"].status, ran(ended)["new"].dry_run) == (HookStatus.FAILED, True)
    assert "hook new (test, dry run) failed: 3 of 9 failed" in stage.recorder.text()


@pytest.mark.parametrize("unavailable", list(Consequence))
def test_a_dry_run_that_cannot_be_asked_decides_nothing(unavailable: Consequence) -> None:
    stage, _ = staged(hook("new", dry_run=True, unavailable=unavailable))
    stage.hooks["new"] = ScriptedHook([HookUnavailableError("no such host")])
    assert run(stage).phase is Phase.SUCCEEDED


def test_a_dry_run_cancels_no_other_one_of_its_group() -> None:
    stage, log = staged(hook("new", group=1, dry_run=True), hook("old", group=1))
    stage.hooks["new"] = ScriptedHook([Failed("no")])
    old = busy(stage, log, "old", 60)
    assert run(stage).phase is Phase.SUCCEEDED
    assert not old.cancelled


def test_a_dry_run_that_hangs_trips_no_deadline() -> None:
    limits: dict[str, Any] = {"hook_timeouts": {HookPoint.TEST: 50.0}, "deadlines": Deadlines(test=100)}
    stage, log = staged(hook("new", dry_run=True, timeout=500.0), **limits)
    busy(stage, log, "new", 9_000)
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert "no answer within 500 s" in ran(ended)["new"].detail


def test_a_long_approval_trips_neither_the_phases_deadline_nor_the_points() -> None:
    limits: dict[str, Any] = {"hook_timeouts": {HookPoint.TEST: 120.0}, "deadlines": Deadlines(test=300)}
    stage, log = staged(hook("person"), hook("after"), **limits)
    busy(stage, log, "person", 7_200, asks=True)
    busy(stage, log, "after", 60)
    ended = run(stage)
    assert ended.phase is Phase.SUCCEEDED
    assert stage.recorder.kinds().count(Kind.ASKED) == 1
    assert ended.clock_stopped_at is None


def test_after_an_approval_the_deadline_counts_on_from_where_it_stood() -> None:
    stage, log = staged(hook("person"), hook("after"), deadlines=Deadlines(test=300))
    busy(stage, log, "person", 7_200, asks=True)
    busy(stage, log, "after", 9_000)
    ended = run(stage)
    assert "phase test passed its deadline" in reason(ended)
    test = next(span for span in ended.spans if span.phase is Phase.TEST)
    assert (test.ended_at or 0) - test.began_at == pytest.approx(7_200 + 300 + SPEC.settle, abs=30)


def test_a_test_that_hangs_beside_an_approval_still_has_the_phases_deadline() -> None:
    stage, log = staged(hook("person", group=1), hook("hangs", group=1), deadlines=Deadlines(test=300))
    busy(stage, log, "person", 7_200, asks=True)
    busy(stage, log, "hangs", 9_000)
    assert "phase test passed its deadline" in reason(run(stage))


def test_an_approval_that_was_open_when_its_driver_died_does_not_trip_the_deadline_of_the_next() -> None:
    stage, log = staged(hook("person"), deadlines=Deadlines(test=300))
    person = busy(stage, log, "person", 7_200, asks=True)
    crash_when(stage, lambda: "person starts" in log)
    with pytest.raises(Crash):
        run(stage)
    stage.clock.sleep(4_000)
    assert again(stage).phase is Phase.SUCCEEDED
    assert person.starts <= 2


def test_a_pause_that_is_longer_than_the_phases_deadline_is_no_reason_to_roll_back() -> None:
    stage, log = staged(hook("slow"), deadlines=Deadlines(test=300))
    busy(stage, log, "slow", 100)
    wished: list[int] = []

    def ask(when: str, name: str) -> None:
        if when == "after" and name == "store.service" and not wished and stage.phase() is Phase.TEST:
            wished.append(1)
            control(stage.session("pause"), "orders", Control.PAUSE, "lunch")

    stage.on_call = ask
    with pytest.raises(HeldError, match="paused"):
        run(stage)
    stage.clock.sleep(3_600)
    assert go_on(stage).phase is Phase.SUCCEEDED


def test_a_hook_of_the_rollback_that_takes_its_time_is_let_to_its_end() -> None:
    stage, log = staged(hook("bad"), hook("undo", HookPoint.ON_ROLLBACK))
    stage.hooks["bad"] = ScriptedHook([Failed("no")])
    undo = busy(stage, log, "undo", 45)
    ended = run(stage)
    assert ran(ended)["undo"].status is HookStatus.PASSED
    assert not undo.cancelled


def test_hooks_of_a_rollback_run_only_when_the_users_are_safe_and_none_keeps_another_one_back() -> None:
    stage, log = staged(*(hook(name, HookPoint.ON_ROLLBACK) for name in ("broken", "fails", "undo")), hook("bad"))
    stage.hooks["bad"] = ScriptedHook([Failed("no")])
    stage.hooks["broken"] = ScriptedHook([HookUnavailableError("no such host")])
    busy(stage, log, "fails", 5, verdict=Failed("the flag service says no"))
    busy(stage, log, "undo", 5)
    ended = run(stage)
    assert ended.phase is Phase.ROLLED_BACK
    assert log == ["fails starts", "fails ends", "undo starts", "undo ends"]
    started = [e.at for e in stage.recorder.events if e.kind is Kind.HOOK_STARTED and e.phase is Phase.ROLLBACK]
    assert ended.rollback is not None
    assert min(started) >= (ended.rollback.safe_at or 1e12)


def test_a_failed_hook_after_success_keeps_no_other_one_back() -> None:
    stage, log = staged(hook("chat", HookPoint.ON_SUCCESS), hook("tag", HookPoint.ON_SUCCESS))
    stage.hooks["chat"] = ScriptedHook([Failed("the chat is down")])
    busy(stage, log, "tag", 5)
    assert run(stage).phase is Phase.SUCCEEDED
    assert "tag ends" in log


def test_a_hook_of_the_rollback_knows_from_where_and_why() -> None:
    stage, _ = staged(hook("bad"), hook("undo", HookPoint.ON_ROLLBACK))
    stage.hooks["bad"] = ScriptedHook([Failed("no")])
    run(stage)
    facts = stage.hooks["undo"].calls[0].facts
    assert facts["rollback_from"] == "test"
    assert "failed: no" in facts["rollback_reason"]
    assert facts["green_percent"] == "0"


def test_a_hook_of_the_bake_is_told_that_green_has_everything() -> None:
    stage, _ = staged(hook("check", HookPoint.BAKE))
    run(stage)
    assert stage.hooks["check"].calls[0].facts["green_percent"] == "100"


def test_what_this_machine_cannot_build_could_not_be_asked_and_the_deployment_holds() -> None:
    stage, _ = staged(hook("smoke", unavailable=Consequence.HOLD))

    class Elsewhere(type(stage.session())):  # type: ignore[misc]
        def hook(self, spec: HookSpec) -> Any:
            if stage.phase() is not None:
                raise ConfigurationError("hook smoke (test): the environment has no variable TOKEN")
            return super().hook(spec)

    session = Elsewhere(stage.session().options, stage.session().owner, environment={}, clock=stage.clock)
    session.stage = stage
    with pytest.raises(HeldError, match=r"could not be asked 4 times.*no variable TOKEN"):
        deploy(session, stage.spec, NEW, stage.recorder)


def test_links_stand_in_the_record_while_the_hook_still_runs_and_after_it() -> None:
    stage, log = staged(hook("build"))
    busy(stage, log, "build", 30, verdict=Passed("done", links={"report": "https://reports/1"}))
    seen: list[dict[str, str]] = []

    def look(when: str, name: str) -> None:
        if stage.phase() is Phase.TEST and ran(stage.latest()).get("build"):
            seen.append(ran(stage.latest())["build"].links)

    stage.on_call = look
    ended = run(stage)
    assert {"log": "https://logs/build-1"} in seen
    assert ran(ended)["build"].links == {"log": "https://logs/build-1", "report": "https://reports/1"}
    told = [event.data for event in stage.recorder.events if event.kind is Kind.HOOK_ENDED]
    assert told[0]["links"] == ran(ended)["build"].links


def test_a_person_rolls_back_while_hooks_run_and_all_of_them_are_cancelled() -> None:
    stage, log = staged(hook("a", group=1), hook("b", group=1))
    hooks = [busy(stage, log, "a", 9_000), busy(stage, log, "b", 9_000)]
    crash_when(stage, lambda: "b starts" in log)
    with pytest.raises(Crash):
        run(stage)
    ended = rollback(stage.session("rollback"), "orders", Recorder())
    assert ended.phase is Phase.ROLLED_BACK
    assert all(found.status is HookStatus.CANCELLED for found in ended.hooks)
    assert sum(len(each.cancelled) for each in hooks) >= 1


def test_a_rollback_does_not_wait_for_the_other_drivers_last_write_before_it_cancels_that_ones_hooks() -> None:
    stage, log = staged(hook("a", group=1))
    runs = busy(stage, log, "a", 9_000)
    rolled_back: list[Deployment] = []

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("before", "store.renew") and stage.latest().hooks:
            stage.on_call = lambda when, name: None
            rolled_back.append(rollback(stage.session("rollback", host="phone"), "orders", Recorder()))

    stage.on_call = on_call
    with pytest.raises(PreemptedError):
        run(stage)
    (ended,) = rolled_back
    assert ended.rollback is not None
    assert ended.ended_at is not None
    assert runs.ended - ended.rollback.requested_at < 2
    assert ended.ended_at - runs.ended > 60, "so long the other driver may still start tasks of green"


def test_the_record_says_what_runs_and_how_to_answer_for_those_who_look_from_elsewhere() -> None:
    stage, log = staged(hook("person", group=1), hook("smoke", group=1))
    busy(stage, log, "person", 30, asks=True)
    busy(stage, log, "smoke", 10)
    seen: list[str] = []

    def look(when: str, name: str) -> None:
        waiting = stage.latest().waiting if stage.phase() is Phase.TEST else None
        if waiting and waiting.reason not in seen:
            seen.append(waiting.reason)

    stage.on_call = look
    run(stage)
    asks = "person waits for a person (bluegreen approve orders, or reject)"
    assert {asks, f"{asks}; hook smoke"} <= set(seen)


def test_no_tick_starts_two_hooks_so_that_the_lease_is_renewed_between_slow_starts() -> None:
    stage, log = staged(*(hook(name, group=1) for name in "abc"))
    renewed: list[int] = []

    class Slow(Busy):
        def start(self, call: HookCall) -> Verdict:
            renewed.append(stage.calls.count("store.renew"))
            self.stage.clock.sleep(20.0)  # throttled: a lease lasts for half a minute
            return super().start(call)

    for name in "abc":
        stage.hooks[name] = Slow(stage, name, 5, log)  # type: ignore[assignment]
    assert run(stage).phase is Phase.SUCCEEDED
    assert len(set(renewed)) == 3


def test_when_the_last_hook_has_ended_the_record_does_not_say_that_it_is_waited_for() -> None:
    stage, log = staged(hook("bad"), hook("undo", HookPoint.ON_ROLLBACK))
    stage.hooks["bad"] = ScriptedHook([Failed("no")])
    busy(stage, log, "undo", 10)
    after: list[str] = []

    def look(when: str, name: str) -> None:
        waiting = stage.latest().waiting if log[-1:] == ["undo ends"] else None
        if waiting is not None and ran(stage.latest())["undo"].status is HookStatus.PASSED:
            after.append(waiting.reason)

    stage.on_call = look
    run(stage)
    assert not [reason for reason in after if "undo" in reason]


def test_a_teardown_that_held_at_its_deadline_gets_as_long_again_when_it_is_resumed() -> None:
    stage = Stage(replace(SPEC, deadlines=Deadlines(teardown=5)), drains_after=10_000)
    with pytest.raises(HeldError, match="phase teardown passed its deadline"):
        run(stage)
    stage.clock.sleep(3_600)
    stage.compute.kill(stage.one)
    control(stage.session("resume"), "orders", Control.RESUME)
    assert again(stage).phase is Phase.SUCCEEDED
