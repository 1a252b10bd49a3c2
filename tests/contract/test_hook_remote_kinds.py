"""What the kinds keep to that ask somebody elsewhere: it goes on without the driver, and is never started twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bluegreen.clock import Clock, FakeClock, SystemClock
from bluegreen.domain.approval import Decision, question
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.errors import HookLostError, HookUnavailableError
from bluegreen.hooks.base import Failed, Hook, HookCall, Passed, Pending, Verdict
from bluegreen.hooks.registry import build_hook
from bluegreen.hooks.running import Links
from tests.contract.hook_aws import MACHINE, FakeApprovals, FakeAws, refused
from tests.contract.hook_kit import ENVIRONMENT, PLANTED, call, failed, passed

FACTS = {
    "blue_service": "orders-1",
    "green_service": "orders-2",
    "cluster": "production",
    "release": "orders:7",
    "previous_release": "orders:6",
    "green_percent": "5",
    "step": "0",
}


@dataclass
class Elsewhere:
    """One kind's other side. ``end`` brings about an end: passes, fails or dies; ``started`` counts what was begun."""

    kind: str
    settings: Mapping[str, object]
    end: Callable[[str], None]
    cut: Callable[[bool], None]
    started: Callable[[], int]
    stopped: Callable[[], int] | None
    clock: Clock
    aws: FakeAws = field(default_factory=FakeAws)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    keep: float = 0.0

    def driver(self) -> Hook:
        """The hook as a new process builds it."""
        spec = HookSpec(HookPoint.TEST, "smoke", self.kind, dict(self.settings))
        links = Links(cast(Any, lambda: self.aws), lambda: self.approvals)
        return build_hook(spec, ENVIRONMENT, Path("/"), self.clock, links)

    def wait(self, hook: Hook, verdict: Verdict, longest: float = 400.0) -> Passed | Failed:
        until = self.clock.monotonic() + longest
        while isinstance(verdict, Pending):
            assert self.clock.monotonic() < until, verdict.progress
            self.clock.sleep(verdict.again_in)
            verdict = hook.poll(verdict.handle)
        return verdict


def _stepfunctions() -> Elsewhere:
    aws, ends = FakeAws(), {"passes": "SUCCEEDED", "fails": "FAILED", "dies": "TIMED_OUT"}
    states = aws.stepfunctions

    def end(how: str) -> None:
        more = {"output": '{"orders": 7}'} if how == "passes" else {"error": "Smoke", "cause": f"no: {PLANTED}"}
        states.end(ends[how], **more)

    return Elsewhere(
        "stepfunctions",
        {"state_machine": MACHINE, "keep": "20s"},
        end,
        lambda down: setattr(states, "down", down),
        lambda: len(states.executions),
        lambda: len(states.stopped),
        FakeClock(),
        aws,
        keep=20.0,
    )


def _codebuild() -> Elsewhere:
    aws, ends = FakeAws(), {"passes": "SUCCEEDED", "fails": "FAILED", "dies": "FAULT"}
    builds = aws.codebuild
    return Elsewhere(
        "codebuild",
        {"project": "orders-e2e", "keep": "20s"},
        lambda how: builds.end(ends[how], "" if how == "passes" else f"no: {PLANTED}"),
        lambda down: setattr(builds, "down", down),
        lambda: len(builds.builds),
        lambda: len(builds.stopped),
        FakeClock(),
        aws,
        keep=20.0,
    )


def _lambda() -> Elsewhere:
    aws = FakeAws()
    functions, said = aws.lambdas, {"passes": "SUCCEEDED", "fails": "FAILED"}
    functions.hang = threading.Event()

    def end(how: str) -> None:
        def function(event: dict[str, Any]) -> Any:
            if how == "dies":
                raise RuntimeError(f"no: {PLANTED}")
            return {"hookStatus": said[how], "why": PLANTED}

        functions.function = function
        assert functions.hang is not None
        functions.hang.set()

    def cut(down: bool) -> None:
        functions.refusal = refused("Invoke", "TooManyRequestsException", "Rate Exceeded.", 429) if down else None

    return Elsewhere("lambda", {"function": "gate"}, end, cut, lambda: len(functions.events), None, SystemClock(), aws)


def _approval() -> Elsewhere:
    approvals = FakeApprovals()

    def end(how: str) -> None:
        key = question("test", 0, "smoke", 1)
        decision = Decision(key, how == "passes", "alice@laptop", 1_700_000_010.0, f"so it is, {PLANTED}")
        approvals.decisions["d-1", key] = decision

    return Elsewhere(
        "approval",
        {"message": "Notes read?"},
        end,
        lambda down: setattr(approvals, "down", down),
        lambda: 1,
        None,
        FakeClock(),
        approvals=approvals,
    )


WORLDS = [_stepfunctions, _codebuild, _lambda, _approval]
FOLLOWED = [_stepfunctions, _codebuild]
every_kind = pytest.mark.parametrize("make", WORLDS, ids=lambda make: make.__name__)
every_followed = pytest.mark.parametrize("make", FOLLOWED, ids=lambda make: make.__name__)
Make = Callable[[], Elsewhere]


def told(timeout: float = 60.0, attempt: int = 1) -> HookCall:
    return replace(call("http://green.example", timeout=timeout, facts=FACTS), attempt=attempt)


def pending(verdict: Verdict) -> Pending:
    assert isinstance(verdict, Pending), verdict
    return verdict


@every_kind
def test_a_yes_passes_and_says_how_long_it_took(make: Make) -> None:
    world = make()
    hook = world.driver()
    first = pending(hook.start(told()))
    world.end("passes")
    verdict = passed(world.wait(hook, first))
    assert verdict.detail
    assert verdict.numbers["seconds"] >= 0
    assert PLANTED not in repr(verdict)


@every_kind
def test_a_no_fails_with_its_reason_but_without_its_secret(make: Make) -> None:
    world = make()
    hook = world.driver()
    first = pending(hook.start(told()))
    world.end("fails")
    verdict = failed(world.wait(hook, first))
    assert verdict.reason
    assert PLANTED not in repr(verdict)


@pytest.mark.parametrize("make", [_stepfunctions, _codebuild, _lambda], ids=lambda make: make.__name__)
def test_what_dies_has_failed_and_says_of_what(make: Make) -> None:
    world = make()
    hook = world.driver()
    first = pending(hook.start(told()))
    world.end("dies")
    verdict = failed(world.wait(hook, first))
    assert any(word in verdict.reason for word in ("TIMED_OUT", "FAULT", "RuntimeError"))
    assert PLANTED not in repr(verdict)


@every_kind
def test_who_cannot_be_asked_is_unavailable_and_not_failed(make: Make) -> None:
    world = make()
    world.cut(True)
    hook = world.driver()
    with pytest.raises(HookUnavailableError) as raised:
        world.wait(hook, hook.start(told()))
    assert not isinstance(raised.value, HookLostError)
    assert len(raised.value.message.splitlines()) == 1


@every_kind
def test_a_hook_that_hangs_is_still_pending_at_its_timeout_or_has_failed_never_passed(make: Make) -> None:
    world = make()
    hook = world.driver()
    verdict: Verdict = hook.start(told(timeout=0.5))
    for _ in range(8):
        if isinstance(verdict, Pending):
            world.clock.sleep(max(0.1, verdict.again_in))
            verdict = hook.poll(verdict.handle)
    if isinstance(verdict, Pending):
        hook.cancel(verdict.handle)
        assert world.stopped is not None
        assert world.stopped() == 1
        failed(world.wait(hook, hook.poll(verdict.handle)))
    else:
        assert "no end" in failed(verdict).reason or "nobody answered" in failed(verdict).reason


@every_followed
def test_the_next_driver_finds_by_its_handle_what_the_dead_one_started(make: Make) -> None:
    world = make()
    handle = pending(world.driver().start(told())).handle
    next_driver = world.driver()
    again = pending(next_driver.poll(handle))
    world.end("passes")
    passed(world.wait(next_driver, again))
    assert world.started() == 1


@every_followed
def test_a_driver_that_died_before_it_noted_the_handle_doubles_nothing(make: Make) -> None:
    world = make()
    world.driver().start(told())
    world.aws.codebuild.forgets = True
    hook = world.driver()
    again = pending(hook.start(told()))
    assert world.started() == 1
    world.end("passes")
    passed(world.wait(hook, again))


@every_followed
def test_an_end_that_came_before_the_next_driver_is_its_verdict(make: Make) -> None:
    world = make()
    world.driver().start(told())
    world.end("fails")
    hook = world.driver()
    failed(world.wait(hook, hook.start(told())))
    assert world.started() == 1


@every_followed
def test_a_start_whose_answer_was_lost_is_found_by_the_next_attempt(make: Make) -> None:
    world = make()
    world.aws.stepfunctions.lost = world.aws.codebuild.lost = True
    hook = world.driver()
    with pytest.raises(HookUnavailableError):
        hook.start(told(attempt=1))
    again = pending(hook.start(told(attempt=2)))
    assert world.started() == 1
    world.end("passes")
    passed(world.wait(hook, again))


@every_followed
def test_an_attempt_after_a_no_is_a_new_one(make: Make) -> None:
    world = make()
    hook = world.driver()
    first = pending(hook.start(told(attempt=1)))
    world.end("fails")
    failed(world.wait(hook, first))
    second = pending(hook.start(told(attempt=2)))
    assert world.started() == 2
    world.end("passes")
    passed(world.wait(hook, second))


@every_followed
def test_an_attempt_after_one_that_was_stopped_is_a_new_one_though_the_other_still_ends(make: Make) -> None:
    world = make()
    world.aws.stepfunctions.slow_to_stop = world.aws.codebuild.slow_to_stop = True
    hook = world.driver()
    hook.cancel(pending(hook.start(told(attempt=1))).handle)
    second = pending(world.driver().start(replace(told(attempt=2), settled=1)))
    assert world.started() == 2
    assert "found again" not in second.progress
    world.end("passes")
    passed(world.wait(hook, second))


def test_a_build_is_found_again_among_the_newest_fifty_of_a_busy_project() -> None:
    world = _codebuild()
    builds = world.aws.codebuild
    hook = world.driver()
    first = pending(hook.start(told()))
    builds.forgets = True
    for number in range(49):
        builds.start_build(
            projectName="orders-e2e", idempotencyToken=f"other-{number}", environmentVariablesOverride=[]
        )
    assert pending(world.driver().start(told())).handle == first.handle
    assert world.started() == 50


def test_a_number_that_no_float_can_hold_is_left_out_of_what_an_execution_answered() -> None:
    world = _stepfunctions()
    hook = world.driver()
    started = hook.start(told())
    world.aws.stepfunctions.end("SUCCEEDED", output=f'{{"huge": {10**400}, "endless": 1e999, "orders": 7}}')
    numbers = passed(world.wait(hook, started)).numbers
    assert {name: numbers[name] for name in numbers if name != "seconds"} == {"orders": 7.0}


@every_followed
def test_a_service_that_is_silent_for_a_while_is_asked_again_and_then_unavailable(make: Make) -> None:
    world = make()
    hook = world.driver()
    handle = pending(hook.start(told())).handle
    world.cut(True)
    assert "asked again" in pending(hook.poll(handle)).progress
    world.clock.sleep(world.keep / 2)
    world.cut(False)
    assert "asked again" not in pending(hook.poll(handle)).progress
    world.cut(True)
    hook.poll(handle)
    world.clock.sleep(world.keep + 1)
    with pytest.raises(HookUnavailableError):
        hook.poll(handle)
    assert world.started() == 1


@every_followed
def test_cancelling_from_another_driver_stops_it_there(make: Make) -> None:
    world = make()
    handle = pending(world.driver().start(told())).handle
    world.driver().cancel(handle)
    assert world.stopped is not None
    assert world.stopped() == 1


def test_a_function_that_was_running_when_its_driver_died_is_lost_so_that_it_is_started_again_and_told() -> None:
    world = _lambda()
    handle = pending(world.driver().start(told())).handle
    with pytest.raises(HookLostError, match="has ended"):
        world.driver().poll(handle)
    world.end("passes")


def test_another_driver_goes_on_between_two_invocations_with_what_the_function_remembered() -> None:
    world = _lambda()
    functions = world.aws.lambdas
    functions.hang = None
    functions.function = lambda event: {
        "hookStatus": "IN_PROGRESS" if "seen" not in event.get("hookDetails", {}) else "SUCCEEDED",
        "callBackDelay": 0.2,
        "hookDetails": {"seen": 1},
    }
    first = world.driver()
    verdict = pending(first.start(told()))
    while "IN_PROGRESS" not in verdict.progress:
        world.clock.sleep(0.02)
        verdict = pending(first.poll(verdict.handle))
    second = world.driver()
    passed(world.wait(second, second.poll(verdict.handle), 10))
    assert [event["executionId"] for event in functions.events] == [functions.events[0]["executionId"]] * 2


def test_what_a_function_remembers_of_a_secret_is_not_written_to_the_record() -> None:
    world = _lambda()
    functions = world.aws.lambdas
    functions.hang = None
    functions.function = lambda event: {"hookStatus": "IN_PROGRESS", "hookDetails": {"token": PLANTED}}
    hook = world.driver()
    verdict = pending(hook.start(told()))
    while "IN_PROGRESS" not in verdict.progress:
        world.clock.sleep(0.02)
        verdict = pending(hook.poll(verdict.handle))
    assert PLANTED not in verdict.handle
    with pytest.raises(HookLostError):
        world.driver().poll(verdict.handle)


def test_any_driver_reads_a_persons_answer_and_the_first_one_stands() -> None:
    world = _approval()
    handle = pending(world.driver().start(told())).handle
    assert "bluegreen approve orders" in pending(world.driver().poll(handle)).progress
    world.end("passes")
    assert "approved by alice@laptop" in passed(world.driver().poll(handle)).detail


@pytest.mark.parametrize(("approved", "otherwise", "kind"), [(True, "reject", Failed), (False, "approve", Passed)])
def test_an_answer_that_came_after_the_deadline_is_none_though_nobody_drove(
    approved: bool, otherwise: str, kind: type[Verdict]
) -> None:
    world = _approval()
    world.settings = {"deadline": "15m", "otherwise": otherwise}
    handle = pending(world.driver().start(told(timeout=960.0))).handle
    world.clock.sleep(5 * 3600)
    key = question("test", 0, "smoke", 1)
    world.approvals.decisions["d-1", key] = Decision(key, approved, "bob@desk", world.clock.now(), "late")
    verdict = world.driver().poll(handle)
    assert isinstance(verdict, kind)
    assert "nobody answered within 15.0 min" in str(verdict)


def test_an_answer_in_time_counts_however_late_it_is_read() -> None:
    world = _approval()
    world.settings = {"deadline": "15m"}
    handle = pending(world.driver().start(told(timeout=960.0))).handle
    world.clock.sleep(14 * 60)
    key = question("test", 0, "smoke", 1)
    world.approvals.decisions["d-1", key] = Decision(key, True, "bob@desk", world.clock.now())
    world.clock.sleep(5 * 3600)
    passed(world.driver().poll(handle))


def test_silence_has_the_configured_consequence_before_the_engines_own_timeout() -> None:
    for otherwise, kind in (("reject", Failed), ("approve", Passed)):
        world = _approval()
        world.settings = {"otherwise": otherwise}
        hook = world.driver()
        began = world.clock.monotonic()
        verdict = world.wait(hook, hook.start(told(timeout=30.0)))
        assert isinstance(verdict, kind)
        assert world.clock.monotonic() - began < 30.0
