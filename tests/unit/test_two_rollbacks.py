"""Two people roll back at once: one of them brings blue back, and the other one is told so in words that are true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import PreemptedError, RefusedError
from tests.stage import NEW, SPEC, Crash, Recorder, Stage, StagedSession


@pytest.fixture
def stage() -> Stage:
    """Green has all traffic, and its driver is dead."""
    stage = Stage(replace(SPEC, settle=1))

    def die_in_the_bake(when: str, name: str) -> None:
        if name == "store.load" and stage.phase() is Phase.BAKE:
            raise Crash

    stage.on_call = die_in_the_bake
    with pytest.raises(Crash):
        deploy(stage.session(), stage.spec, NEW, Recorder())
    return stage


def second_one_after(stage: Stage, call: str, number: int = 1) -> None:
    """Somebody else's rollback runs to its end right after this call."""
    made: list[str] = []

    def on_call(when: str, name: str) -> None:
        if (when, name) == ("after", call):
            made.append(name)
        if len(made) == number:
            stage.on_call = lambda when, name: None
            rollback(person(stage, "bob"), "orders", Recorder())

    stage.on_call = on_call


def person(stage: Stage, name: str) -> StagedSession:
    session = stage.session("rollback", host=f"{name}s-laptop")
    session.owner = replace(session.owner, user=name)
    return session


@pytest.mark.parametrize(
    ("call", "number", "said"),
    [
        ("store.load", 2, "before this rollback wrote anything"),
        ("router.modify", 1, "it goes on with the rollback"),
    ],
)
def test_the_rollback_that_was_taken_over_says_by_whom_and_blue_is_back(
    stage: Stage, call: str, number: int, said: str
) -> None:
    second_one_after(stage, call, number)
    with pytest.raises(PreemptedError) as raised:
        rollback(person(stage, "ada"), "orders", Recorder())
    assert said in raised.value.message
    assert raised.value.message.startswith("bob@"), "the subject is the other one"
    assert "bluegreen status orders" in str(raised.value.hint)
    assert stage.weights() == {"orders-1": 100}
    assert stage.latest().phase is Phase.ROLLED_BACK


def test_the_rollback_that_finds_it_done_says_what_is_live(stage: Stage) -> None:
    second_one_after(stage, "store.preempt")
    with pytest.raises(RefusedError, match="has just ended: rolled_back") as raised:
        rollback(person(stage, "ada"), "orders", Recorder())
    assert "is live on orders-1" in str(raised.value.hint)
    assert stage.memory.service("orders").lease is None
