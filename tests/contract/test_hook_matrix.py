"""Every kind of hook in every bad situation, within a whole deployment by the real engine. One row a kind, six cells.

A kind without its row fails here: what it says when it passes, fails, hangs, dies, cannot be asked, and whether the
next driver finds it again (``found``) or starts it again and says so (``again``). Nothing is doubled in silence.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from bluegreen.clock import FakeClock, SystemClock
from bluegreen.domain.approval import Decision, question
from bluegreen.domain.deployment import Deployment, HookRun, HookStatus, Phase
from bluegreen.domain.spec import Consequence, Deadlines, HealthSpec, HookPoint, HookSpec, ShiftStep
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.errors import HeldError
from bluegreen.hooks.base import Hook, HookCall, Verdict
from bluegreen.hooks.registry import build_hook, hook_kinds
from bluegreen.hooks.running import Links
from bluegreen.lifecycle.hooks.hooking import UNAVAILABLE_RETRIES
from tests.contract.hook_aws import MACHINE, FakeApprovals, FakeAws, refused
from tests.contract.hook_kit import ENVIRONMENT, Release, alive, serving, until
from tests.stage import NEW, SPEC, Crash, Stage, StagedSession

Situation = Literal["passes", "fails", "hangs", "dies", "unavailable", "killed"]

pytestmark = pytest.mark.xdist_group("load")

HANG = 'import os, signal; open("pid", "w").write(str(os.getpid())); signal.pause()'
BODIES = {
    "passes": "print('all is well')",
    "killed": "print('all is well')",
    "fails": "raise AssertionError('three orders are missing')",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "hangs": HANG,
}


@dataclass
class Place:
    """What a hook meets: the release behind the test route, AWS, a person's answers, and its own call."""

    folder: Path
    release: Release
    aws: FakeAws = field(default_factory=FakeAws)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    call: HookCall | None = None


def nothing(situation: Situation, place: Place) -> None:
    """The settings alone bring the situation about."""


def no_trace(place: Place) -> bool:
    return True


def process_is_gone(place: Place) -> bool:
    file = place.folder / "pid"
    until(lambda: not file.exists() or not alive(int(file.read_text() or 0)))
    return True


@dataclass(frozen=True)
class Row:
    """``settings`` and ``act`` bring a situation about; the other fields are its six cells, as told to a person."""

    kind: str
    settings: Callable[[Situation, Place], Mapping[str, object]]
    passes: str
    fails: str
    hangs: str
    dies: str
    unavailable: str
    killed: Literal["found", "again"]
    act: Callable[[Situation, Place], None] = nothing
    is_gone: Callable[[Place], bool] = no_trace
    started: Callable[[Place], int] | None = None
    dead: HookStatus = HookStatus.FAILED


def _command(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"run": ["no-such-program-here"]}
    return {"run": [sys.executable, "-c", BODIES[situation]]}


def _python(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"call": "no_such_module_here:check"}
    (place.folder / "checks.py").write_text(f"def check(call):\n    {BODIES[situation]}\n")
    return {"call": "checks.py:check"}


def _pytest(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"path": "no-such-tests-here"}
    (place.folder / "test_smoke.py").write_text(f"def test_it(base_url):\n    {BODIES[situation]}\n")
    return {"path": "test_smoke.py"}


PATHS = {"passes": "/health", "killed": "/health", "fails": "/bad", "dies": "/broken", "hangs": "/silent"}


def _http(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"url": "http://no-such-host.invalid/"}
    return {"path": PATHS[situation], "timeout": "1h"}


def _wait_for(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        return {"url": "http://no-such-host.invalid/", "interval": "50ms"}
    wished = {"fails": {"never": {"state": "failed"}, "status": "100-599"}}.get(situation, {})
    return {"path": PATHS[situation], "interval": "50ms", "timeout": "1h", **wished}


def _load(situation: Situation, place: Place) -> Mapping[str, object]:
    settings: dict[str, object] = {
        "path": PATHS.get(situation, "/health"),
        "rate": 10,
        "duration": "1s",
        "reached": "1%",
    }
    if situation == "hangs":
        return settings | {"path": "/health", "duration": "1h"}
    if situation == "dies":
        return settings | {"path": "/health", "env": {"PYTHONMALLOC": "no-such-allocator"}}
    return settings | ({"cwd": "no-such-folder"} if situation == "unavailable" else {})


def _lambda_acts(situation: Situation, place: Place) -> None:
    def function(event: dict[str, Any]) -> Any:
        if situation == "dies":
            raise RuntimeError("out of memory")
        answers = {"passes": "SUCCEEDED", "fails": "FAILED"}
        return {"hookStatus": answers.get(situation, "IN_PROGRESS"), "callBackDelay": 1}

    place.aws.lambdas.function = function


def _lambda(situation: Situation, place: Place) -> Mapping[str, object]:
    if situation == "unavailable":
        place.aws.lambdas.refusal = refused("Invoke", "TooManyRequestsException", "Rate Exceeded.", 429)
    _lambda_acts(situation, place)
    return {"function": "gate"}


def _codebuild(situation: Situation, place: Place) -> Mapping[str, object]:
    place.aws.codebuild.down = situation == "unavailable"
    return {"project": "orders-e2e"}


def _build_ends(situation: Situation, place: Place) -> None:
    ends = {"passes": "SUCCEEDED", "fails": "FAILED", "dies": "FAULT"}
    if situation in ends:
        place.aws.codebuild.end(ends[situation], "" if situation == "passes" else "three orders are missing")


def _stepfunctions(situation: Situation, place: Place) -> Mapping[str, object]:
    place.aws.stepfunctions.down = situation == "unavailable"
    return {"state_machine": MACHINE}


def _execution_ends(situation: Situation, place: Place) -> None:
    ends = {"passes": "SUCCEEDED", "fails": "FAILED", "dies": "TIMED_OUT"}
    if situation in ends:
        place.aws.stepfunctions.end(ends[situation], output="{}", cause="three orders are missing")


def _approval(situation: Situation, place: Place) -> Mapping[str, object]:
    place.approvals.down = situation == "unavailable"
    return {"message": "Notes read?"}


def _person_answers(situation: Situation, place: Place) -> None:
    """A person does not die; the store that has the answer does."""
    place.approvals.down = situation in ("dies", "unavailable")
    if situation in ("passes", "fails") and place.call is not None:
        key = question("test", 0, place.call.name, place.call.attempt)
        answer = Decision(key, situation == "passes", "ada@laptop", 1_700_000_010.0, "so it is")
        place.approvals.decisions[place.call.facts["deployment"], key] = answer


TIME = "no answer within 6 s"
SIGSEGV = "died by SIGSEGV"
MISSING = "three orders are missing"
ROWS = (
    Row("command", _command, "all is well", "exit 1", TIME, SIGSEGV, "there is no no-such-program-here", "again",
        is_gone=process_is_gone),
    Row("python", _python, "passed in", MISSING, TIME, SIGSEGV, "cannot be imported", "again", is_gone=process_is_gone),
    Row("pytest", _pytest, "1 passed in", MISSING, TIME, SIGSEGV, "there are no tests", "again",
        is_gone=process_is_gone),
    Row("load", _load, "requests", "status 500", TIME, "locust ended early", "no-such-folder does not exist", "again"),
    Row("http", _http, "→ 200", "500, expected 200", "no end, stopped", "no whole answer", "does not resolve", "again"),
    Row("wait_for", _wait_for, "→ 200", "which ends the waiting", "no end after", "no whole answer", "does not resolve",
        "again"),
    Row("lambda", _lambda, "answered SUCCEEDED", "answered FAILED", "no end after", "RuntimeError: out of memory",
        "AWS throttles", "again", act=_lambda_acts),
    Row("codebuild", _codebuild, "succeeded in", f"ended FAILED in BUILD: {MISSING}", TIME, "ended FAULT",
        "AWS throttles", "found", act=_build_ends, is_gone=lambda place: len(place.aws.codebuild.stopped) == 1,
        started=lambda place: len(place.aws.codebuild.builds)),
    Row("stepfunctions", _stepfunctions, "succeeded in", f"ended FAILED: {MISSING}", TIME, "ended TIMED_OUT",
        "AWS throttles", "found", act=_execution_ends, is_gone=lambda place: len(place.aws.stepfunctions.stopped) == 1,
        started=lambda place: len(place.aws.stepfunctions.executions)),
    Row("approval", _approval, "approved by ada@laptop: so it is", "rejected by ada@laptop", "nobody answered within",
        "decisions cannot be read", "decisions cannot be read", "found", act=_person_answers,
        dead=HookStatus.UNAVAILABLE),
)  # fmt: skip

every_kind = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)


class PacedClock(FakeClock):
    """A minute in three seconds: processes and threads need some real time to get on."""

    def sleep(self, seconds: float) -> None:
        SystemClock().sleep(max(0.0, seconds) / 20)
        super().sleep(seconds)


@dataclass
class Watched:
    """A hook whose starts are counted, and that brings its situation about once it runs."""

    inner: Hook
    theatre: Theatre
    handles: set[str] = field(default_factory=set)

    def start(self, call: HookCall) -> Verdict:
        self.theatre.starts += 1
        self.theatre.place.call = call
        verdict = self.inner.start(call)
        self.theatre.act("started")
        return verdict

    def poll(self, handle: str) -> Verdict:
        self.handles.add(handle)
        self.theatre.act("polled")
        return self.inner.poll(handle)

    def cancel(self, handle: str) -> None:
        self.inner.cancel(handle)


class Theatre(Stage):
    """A stage whose one test hook is a real one of the row's kind."""

    def __init__(self, row: Row, situation: Situation, folder: Path, release: Release, **changes: Any) -> None:
        self.row, self.situation, self.generation, self.starts = row, situation, 1, 0
        self.place = Place(folder, release)
        timeout = 6.0 if situation == "hangs" or (row.kind, situation) == ("wait_for", "dies") else 1200.0
        timeout = 3.0 if (row.kind, situation) == ("wait_for", "unavailable") else timeout
        settings = dict(row.settings(situation, self.place))
        hook = HookSpec(HookPoint.TEST, "smoke", row.kind, settings, timeout=timeout, backoff=0.1)
        super().__init__(
            replace(
                SPEC,
                hooks=(replace(hook, **changes),),
                test_base_url=release.url,
                shift=(ShiftStep(100, 0),),
                bake=0.0,
                settle=0.0,
                health=HealthSpec(100, 0.0),
            )
        )
        self.clock = PacedClock(self.clock.now())
        self.crash_at: str | None = None
        self.built: list[Watched] = []

    def session(self, command: str = "deploy", host: str = "laptop") -> StagedSession:
        plain = super().session(command, host)
        session = _Session(plain.options, plain.owner, environment={}, clock=self.clock)
        session.stage = self
        return session

    def act(self, moment: str) -> None:
        if self.situation != "killed":
            self.row.act(self.situation, self.place)
        elif self.generation == 2:
            self.row.act("passes", self.place)
        elif self.crash_at == moment:
            self.kill_driver()

    def kill_driver(self) -> None:
        """What the operating system does for a process's own hooks, the guard's lifeline does here."""
        self.generation = 2
        if self.row.killed == "again":
            for hook in self.built:
                for handle in hook.handles:
                    hook.inner.cancel(handle)
        lease = self.memory.service("orders").lease
        assert lease is not None
        self.memory.release(lease)
        raise Crash

    def run(self) -> Deployment:
        return deploy(self.session(), self.spec, NEW, self.recorder)

    def hook_run(self) -> HookRun:
        (run,) = self.latest().hooks
        return run


class _Session(StagedSession):
    def hook(self, spec: HookSpec) -> Hook:
        theatre = cast(Theatre, self.stage)
        known = self._hooks.get((spec.point.value, spec.name))
        if known is None:
            place = theatre.place
            links = Links(cast(Any, lambda: place.aws), lambda: place.approvals)
            known = Watched(build_hook(spec, ENVIRONMENT, place.folder, theatre.clock, links), theatre)
            theatre.built.append(known)
            self._hooks[spec.point.value, spec.name] = known
        return known


@pytest.fixture
def release() -> Iterator[Release]:
    release = Release()
    release.answers["/bad"] = (500, '{"state": "failed"}')
    with serving(release):
        yield release


def test_every_kind_has_its_row_and_no_other() -> None:
    assert sorted(row.kind for row in ROWS) == sorted(hook_kinds())


def rolled_back(theatre: Theatre, ended: Deployment, status: HookStatus, words: str) -> None:
    run = theatre.hook_run()
    assert (ended.phase, run.status) == (Phase.ROLLED_BACK, status)
    assert words in run.detail
    assert theatre.weights() == {"orders-1": 100}
    assert ended.rollback is not None
    assert words in ended.rollback.reason


@every_kind
def test_it_passes_and_the_release_goes_on(row: Row, tmp_path: Path, release: Release) -> None:
    theatre = Theatre(row, "passes", tmp_path, release)
    assert theatre.run().phase is Phase.SUCCEEDED
    run = theatre.hook_run()
    assert (run.status, run.attempts) == (HookStatus.PASSED, 1)
    assert row.passes in run.detail
    assert run.numbers


@every_kind
def test_it_fails_and_the_release_goes_back_with_its_reason(row: Row, tmp_path: Path, release: Release) -> None:
    theatre = Theatre(row, "fails", tmp_path, release)
    rolled_back(theatre, theatre.run(), HookStatus.FAILED, row.fails)
    assert theatre.starts == 1


@every_kind
def test_it_hangs_is_cancelled_at_its_timeout_and_counts_as_a_no(row: Row, tmp_path: Path, release: Release) -> None:
    theatre = Theatre(row, "hangs", tmp_path, release)
    rolled_back(theatre, theatre.run(), HookStatus.FAILED, row.hangs)
    assert row.is_gone(theatre.place)


@every_kind
def test_it_dies_and_that_is_never_a_yes(row: Row, tmp_path: Path, release: Release) -> None:
    theatre = Theatre(row, "dies", tmp_path, release)
    rolled_back(theatre, theatre.run(), row.dead, row.dies)


@every_kind
def test_it_cannot_be_asked_is_asked_again_and_then_the_release_goes_back(
    row: Row, tmp_path: Path, release: Release
) -> None:
    theatre = Theatre(row, "unavailable", tmp_path, release)
    rolled_back(theatre, theatre.run(), HookStatus.UNAVAILABLE, row.unavailable)
    assert theatre.starts == 1 + UNAVAILABLE_RETRIES


@every_kind
def test_it_cannot_be_asked_is_asked_again_and_then_holds_where_that_is_wished(
    row: Row, tmp_path: Path, release: Release
) -> None:
    theatre = Theatre(row, "unavailable", tmp_path, release, unavailable=Consequence.HOLD)
    with pytest.raises(HeldError, match=row.unavailable):
        theatre.run()
    assert theatre.hook_run().status is HookStatus.UNAVAILABLE
    assert theatre.weights() == {"orders-1": 100}


@every_kind
@pytest.mark.parametrize("moment", ["started", "polled"])
def test_its_driver_is_killed_and_the_next_finds_it_or_starts_it_again_and_says_so(
    row: Row, moment: str, tmp_path: Path, release: Release
) -> None:
    """``started``: before its handle is in the record. ``polled``: after that."""
    theatre = Theatre(row, "killed", tmp_path, release)
    theatre.crash_at = moment
    with pytest.raises(Crash):
        theatre.run()
    ended = resume(theatre.session("resume"), "orders", theatre.recorder)
    assert ended.phase is Phase.SUCCEEDED
    assert theatre.hook_run().attempts == 1
    told = "was interrupted with its driver; it is started again" in theatre.recorder.text()
    if row.started is not None:
        assert row.started(theatre.place) == 1
    if row.killed == "found" and moment == "polled":
        assert theatre.starts == 1
        assert not told
    else:
        assert (theatre.starts, told) == (2, True)


def test_a_person_who_answers_after_two_hours_is_too_late_for_no_deadline_but_the_approvals_own(
    tmp_path: Path, release: Release
) -> None:
    clock, asked_at = FakeClock(), FakeClock().now()

    def answers_late(situation: Situation, place: Place) -> None:
        if clock.now() - asked_at > 7_200:
            _person_answers(situation, place)

    row = replace(next(row for row in ROWS if row.kind == "approval"), act=answers_late)
    theatre = Theatre(row, "passes", tmp_path, release, timeout=10_000.0)
    theatre.clock = clock
    theatre.spec = replace(theatre.spec, deadlines=Deadlines(test=300), hook_timeouts={HookPoint.TEST: 120.0})
    assert theatre.run().phase is Phase.SUCCEEDED
    assert "approved by ada@laptop" in theatre.hook_run().detail
    assert clock.now() - asked_at > 7_200
