"""Facts to the outside: told beside a deployment, and never in its way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bluegreen.clock import SystemClock
from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.service import Control
from bluegreen.domain.spec import Consequence, HookPoint, HookSpec, Moment, NotifySpec
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.inquiry import control
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import HeldError, HookUnavailableError, PreemptedError
from bluegreen.hooks.base import Failed, Passed, Pending
from bluegreen.notify.base import Fact, Notifier
from bluegreen.notify.lazily import HOLD_BACK, ToldLazily
from bluegreen.notify.telling import ATTEMPTS, LONGEST_QUEUE, Line
from tests.stage import NEW, SPEC, Recorder, ScriptedHook, Stage

ALL = tuple(Moment)
SMOKE = HookSpec(HookPoint.TEST, "smoke", "scripted", unavailable=Consequence.HOLD)


@dataclass
class Listener:
    """``answer`` is called with each fact first: it may raise, or hang."""

    answer: Callable[[Fact], None] = lambda fact: None
    told: list[Fact] = field(default_factory=list)
    attempts: int = 0

    def tell(self, fact: Fact) -> None:
        self.attempts += 1
        self.answer(fact)
        self.told.append(fact)

    def moments(self) -> list[str]:
        return [fact.moment.value for fact in self.told]


@dataclass
class World:
    """A stage, and those who are told of it by name."""

    stage: Stage
    listeners: dict[str, Listener]
    built: list[tuple[str, float | None]] = field(default_factory=list)

    def build(self, spec: NotifySpec) -> Notifier:
        facts = self.stage.latest().rollback
        self.built.append((spec.name, facts.safe_at if facts else None))
        return self.listeners[spec.name]

    def telling(self) -> ToldLazily:
        return ToldLazily(self.stage.recorder, self.build, self.stage.clock)

    def deploy(self, telling: ToldLazily) -> Deployment:
        return deploy(self.stage.session(), self.stage.spec, NEW, telling)


def world(on: tuple[Moment, ...] = ALL, **listeners: Listener) -> World:
    notify = tuple(NotifySpec(name, "scripted", on=on) for name in listeners)
    return World(Stage(replace(SPEC, hooks=(SMOKE,), notify=notify)), listeners)


def hangs(release: threading.Event) -> Callable[[Fact], None]:
    def wait(fact: Fact) -> None:
        release.wait(30)

    return wait


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def broken(error: BaseException) -> Listener:
    def answer(fact: Fact) -> None:
        raise error

    return Listener(answer)


def test_who_wants_to_know_is_told_each_moment_in_order_and_nothing_else() -> None:
    at = world(chat=Listener(), pager=Listener())
    at.stage.spec = replace(
        at.stage.spec,
        notify=(NotifySpec("chat", "scripted", on=ALL), NotifySpec("pager", "scripted", on=(Moment.SUCCEEDED,))),
    )
    telling = at.telling()
    ended = at.deploy(telling)
    assert telling.close(ended) == ()
    assert at.listeners["chat"].moments() == ["started", "succeeded"]
    (fact,) = at.listeners["pager"].told
    assert (fact.service, fact.cluster, fact.deployment) == ("orders", "production", ended.id)
    assert fact.release == ended.release.label if ended.release else False
    assert fact.text.startswith("orders: succeeded: ")


def test_a_hold_tells_the_way_out() -> None:
    at = world(chat=Listener())
    at.stage.hooks["smoke"] = ScriptedHook([HookUnavailableError("no such host")])
    telling = at.telling()
    with pytest.raises(HeldError):
        at.deploy(telling)
    telling.close(None)
    held = at.listeners["chat"].told[-1]
    assert held.moment is Moment.HELD
    assert "way out: mend it, then bluegreen resume orders" in held.text


def test_a_question_to_a_person_reaches_the_person() -> None:
    at = world(chat=Listener())
    ask = Pending("h", 1.0, "waits for a person: Notes read? — bluegreen approve orders", asks=True)
    at.stage.hooks["smoke"] = ScriptedHook([ask, ask, Passed("approved by ada")])
    telling = at.telling()
    telling.close(at.deploy(telling))
    asked = [fact for fact in at.listeners["chat"].told if fact.moment is Moment.ASKED]
    assert len(asked) == 1
    assert "bluegreen approve orders" in asked[0].message


def test_a_release_that_goes_back_is_told_from_the_decision_to_the_end() -> None:
    at = world(chat=Listener())
    at.stage.hooks["smoke"] = ScriptedHook([Failed("500")])
    telling = at.telling()
    telling.close(at.deploy(telling))
    assert at.listeners["chat"].moments() == ["started", "rolling_back", "safe", "rolled_back"]
    assert "500" in at.listeners["chat"].told[1].message


def test_one_that_hangs_delays_neither_the_deployment_nor_another_one_nor_the_end(release: threading.Event) -> None:
    at = world(stuck=Listener(hangs(release)), chat=Listener())
    telling, clock = at.telling(), SystemClock()
    began = clock.monotonic()
    ended = at.deploy(telling)
    problems = telling.close(ended, seconds=0.3)
    assert ended.phase is Phase.SUCCEEDED
    assert clock.monotonic() - began < 10
    assert at.listeners["chat"].moments() == ["started", "succeeded"]
    assert problems == ("notifier stuck was not told that orders started: it gave no answer in time",)


@pytest.mark.parametrize("error", [RuntimeError("half installed"), SystemExit(3), HookUnavailableError("no route")])
def test_one_that_raises_is_tried_again_then_told_of_and_breaks_nothing(error: BaseException) -> None:
    at = world((Moment.SUCCEEDED,), bad=broken(error), chat=Listener())
    telling = at.telling()
    ended = at.deploy(telling)
    (problem,) = telling.close(ended)
    assert ended.phase is Phase.SUCCEEDED
    assert "notifier bad was not told that orders succeeded" in problem
    assert str(error) in problem
    assert at.listeners["bad"].attempts == ATTEMPTS
    assert at.listeners["chat"].moments() == ["succeeded"]


def test_one_that_cannot_be_built_breaks_nothing() -> None:
    at = world((Moment.SUCCEEDED,), chat=Listener())
    at.stage.spec = replace(at.stage.spec, notify=(NotifySpec("gone", "gone", on=ALL), *at.stage.spec.notify))
    telling = at.telling()
    problems = telling.close(at.deploy(telling))
    assert all("notifier gone was not told" in problem for problem in problems)
    assert at.listeners["chat"].moments() == ["succeeded"]


def test_what_fails_once_is_told_at_the_next_attempt() -> None:
    answers = iter([True, False])

    def answer(fact: Fact) -> None:
        if next(answers):
            raise HookUnavailableError("busy")

    at = world((Moment.SUCCEEDED,), chat=Listener(answer))
    telling = at.telling()
    assert telling.close(at.deploy(telling)) == ()
    assert at.listeners["chat"].attempts == 2


def test_until_a_rollback_is_safe_nobody_is_built_or_told() -> None:
    at = world(chat=Listener())
    at.stage.hooks["smoke"] = ScriptedHook([Failed("500")])
    at.stage.spec = replace(at.stage.spec, notify=(replace(at.stage.spec.notify[0], on=(Moment.ROLLING_BACK,)),))
    telling = at.telling()
    telling.close(at.deploy(telling))
    ((name, safe_at),) = at.built
    assert name == "chat"
    assert safe_at is not None


def test_a_rollback_that_takes_long_to_be_safe_is_told_meanwhile() -> None:
    at = world(chat=Listener())
    at.stage.hooks["smoke"] = ScriptedHook([Failed("500")])
    at.stage.spec = replace(at.stage.spec, notify=(replace(at.stage.spec.notify[0], on=(Moment.ROLLING_BACK,)),))
    safe_after = HOLD_BACK + 20

    def blue_suffers(when: str, name: str) -> None:
        d = at.stage.latest() if at.stage.phase() else None
        if d is None or d.rollback is None or d.rollback.safe_at is not None:
            return
        waited = at.stage.clock.now() - d.rollback.requested_at
        at.stage.compute.mark(at.stage.one, "unhealthy" if waited < safe_after else "healthy")

    def put_on_green() -> None:
        production = next(iter(at.stage.router.routes))
        at.stage.router.set_weights(production, {at.stage.one.target_group_arn: 50, at.stage.two.target_group_arn: 50})

    def interfere(when: str, name: str) -> None:
        if at.stage.phase() is Phase.ROLLBACK and when == "before":
            put_on_green()
            at.stage.on_call = blue_suffers

    at.stage.on_call = interfere
    telling = at.telling()
    telling.close(at.deploy(telling))
    ((_, safe_at),) = at.built
    assert safe_at is None


def test_a_driver_that_was_pre_empted_leaves_the_telling_to_the_other_one() -> None:
    at, other = world(chat=Listener()), Listener()

    def call(when: str, name: str) -> None:
        if when == "before" and name == "store.service" and at.stage.phase() is Phase.BAKE:
            at.stage.on_call = lambda when, name: None
            telling = ToldLazily(Recorder(), lambda spec: other, at.stage.clock)
            telling.close(rollback(at.stage.session("rollback", host="phone"), "orders", telling))

    at.stage.on_call = call
    telling = at.telling()
    with pytest.raises(PreemptedError):
        at.deploy(telling)
    telling.close(None)
    assert at.listeners["chat"].moments() == ["started"]
    assert other.moments() == ["rolling_back", "safe", "rolled_back"]


def test_a_pause_is_a_hold_that_is_told() -> None:
    at = world((Moment.HELD,), chat=Listener())
    wished: list[int] = []

    def ask(when: str, name: str) -> None:
        if when == "after" and name == "store.service" and not wished and at.stage.phase() is Phase.SHIFT:
            wished.append(1)
            control(at.stage.session("pause"), "orders", Control.PAUSE, "lunch")

    at.stage.on_call = ask
    telling = at.telling()
    with pytest.raises(HeldError):
        at.deploy(telling)
    telling.close(None)
    assert at.listeners["chat"].moments() == ["held"]


def test_facts_that_nobody_takes_do_not_pile_up_without_end(release: threading.Event) -> None:
    line = Line(NotifySpec("stuck", "scripted"), lambda spec: Listener(hangs(release)))
    fact = Fact(Moment.HELD, 0.0, "orders", "production", "d-1", "test", "held: drift")
    line.tell([fact] * (LONGEST_QUEUE + 10))
    assert len(line.problems()) in (9, 10)


def test_a_deployment_that_tells_nobody_starts_no_thread() -> None:
    stage = Stage()
    before = threading.active_count()
    telling = ToldLazily(stage.recorder, _never, stage.clock)
    telling.close(deploy(stage.session(), stage.spec, NEW, telling))
    assert threading.active_count() == before


def _never(spec: NotifySpec) -> Any:
    raise AssertionError("nobody is to be told")


def test_what_tells_is_imported_only_where_somebody_is_told() -> None:
    """In a process of its own: this one has imported it."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, bluegreen.cli.rollback, bluegreen.cli.driving; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bluegreen.notify.lazily" in done.stdout.split()
    assert not {"bluegreen.notify.telling", "bluegreen.notify.registry"} & set(done.stdout.split())
