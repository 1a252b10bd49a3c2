"""How late a write may still take effect, and whose word counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.aws.calls import Calls, date_of
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Deployment, Phase, RollbackFacts, Route, Written
from bluegreen.domain.service import Lease
from bluegreen.domain.split import ALL_BLUE, Split
from bluegreen.errors import UnreachableError
from bluegreen.lifecycle.routes import late
from tests.contract.store_support import ALICE, NOW, a_deployment
from tests.stage import NEW, SPEC, Crash, Recorder, Stage

ENDED = Lease("orders", 3, ALICE, NOW - 60, NOW - 10)
FACTS = RollbackFacts("pager", "bob", NOW, Phase.SHIFT, other_token=3, other_until=NOW + 290)


def test_a_silent_driver_that_announced_nothing_has_nothing_on_its_way() -> None:
    d = shifting(confirmed=True)
    assert late.after_takeover(d, ENDED, dead=False, now=NOW) == 0.0
    facts = late.turned_back(d, FACTS, NOW)
    assert late.is_safe(facts, yielded=0, aws_now=NOW)
    assert not late.is_quiet(facts, yielded=0, aws_now=NOW), "it may still start tasks of green"


def test_a_silent_driver_that_announced_a_split_is_waited_for_until_its_signature_is_dead() -> None:
    d = shifting(confirmed=False)
    assert late.after_takeover(d, ENDED, dead=False, now=NOW) == ENDED.expires_at + late.SIGNATURE_SECONDS
    facts = late.turned_back(d, FACTS, NOW)
    assert not late.is_safe(facts, yielded=0, aws_now=NOW + 290)
    assert late.is_safe(facts, yielded=0, aws_now=NOW + 291)
    assert late.is_safe(facts, yielded=3, aws_now=NOW), "it said that it stopped"


@pytest.mark.parametrize("yielded", [2, 4])
def test_another_drivers_word_does_not_count(yielded: int) -> None:
    assert not late.is_safe(late.turned_back(shifting(confirmed=False), FACTS, NOW), yielded, NOW)


def test_the_word_of_a_driver_that_never_took_the_deployment_up_says_nothing_of_the_one_before() -> None:
    d = replace(shifting(confirmed=False), driver=2)
    facts = late.turned_back(d, FACTS, NOW)
    assert not late.is_safe(facts, yielded=3, aws_now=NOW + 300)
    assert late.is_safe(facts, yielded=3, aws_now=NOW + 591)


def test_a_process_that_died_in_the_middle_of_a_write_may_have_left_a_request() -> None:
    assert late.still_dangerous(shifting(confirmed=False), ENDED, yielded=0, dead=True, now=NOW) == ENDED
    assert late.still_dangerous(shifting(confirmed=True), ENDED, yielded=0, dead=True, now=NOW) is None


def test_a_driver_that_may_be_scaling_blue_in_is_waited_for() -> None:
    d = replace(shifting(confirmed=True), phase=Phase.TEARDOWN)
    assert not late.is_safe(late.turned_back(d, FACTS, NOW), yielded=0, aws_now=NOW)
    assert late.is_safe(late.turned_back(replace(d, retired_at=NOW), FACTS, NOW), yielded=0, aws_now=NOW)


def test_a_silent_driver_that_may_be_scaling_blue_in_is_remembered_by_the_next() -> None:
    d = replace(shifting(confirmed=True), phase=Phase.TEARDOWN)
    assert late.after_takeover(d, ENDED, dead=False, now=NOW) == ENDED.expires_at + late.SIGNATURE_SECONDS
    assert late.after_takeover(d, ENDED, dead=True, now=NOW) == 0.0
    assert late.after_takeover(replace(d, retired_at=NOW), ENDED, dead=False, now=NOW) == 0.0


def test_a_write_given_up_before_is_waited_for_though_nobody_else_drives() -> None:
    alone = replace(FACTS, other_token=0, other_until=0.0)
    facts = late.turned_back(shifting(confirmed=False), alone, NOW)
    assert not late.is_safe(facts, yielded=0, aws_now=NOW + 599)
    assert late.is_safe(facts, yielded=0, aws_now=NOW + 601)


def test_a_second_rollback_keeps_the_first_ones_danger_and_adds_force() -> None:
    second = RollbackFacts("again", "eve", NOW + 9, Phase.ROLLBACK, forced=True, other_token=4, other_until=NOW + 999)
    joined = late.joined(FACTS, second)
    assert (joined.other_token, joined.other_until, joined.forced) == (3, NOW + 290, True)


def test_aws_clock_is_read_from_its_answers() -> None:
    clock = FakeClock(1_700_000_100.0)
    calls = Calls(clock)
    assert calls.aws_now() == clock.now()
    calls.read(lambda: {"ResponseMetadata": {"HTTPHeaders": {"date": "Tue, 14 Nov 2023 22:13:20 GMT"}}})
    assert calls.aws_now() == 1_700_000_000.0
    clock.sleep(5)
    assert calls.aws_now() == 1_700_000_005.0


@pytest.mark.parametrize("answer", [{}, "text", {"ResponseMetadata": {"HTTPHeaders": {"date": "yesterday"}}}])
def test_an_answer_without_a_date_tells_no_time(answer: object) -> None:
    assert date_of(answer, 7.0) == 7.0


def test_a_driver_without_an_answer_keeps_its_lease_until_it_ends_by_itself() -> None:
    from bluegreen.drivers.foreground import deploy

    stage = Stage(SPEC)

    def on_call(when: str, name: str) -> None:
        if when == "before" and name == "router.modify" and stage.phase() is Phase.SHIFT:
            stage.on_call = crash
            raise UnreachableError("no answer")

    def crash(when: str, name: str) -> None:
        if when == "before" and name == "router.modify":
            raise Crash

    stage.on_call = on_call
    with pytest.raises(Crash):
        deploy(stage.session(), SPEC, NEW, Recorder())
    state = stage.memory.service("orders")
    assert state.lease is not None, "giving it back would say that nothing is on its way"
    assert stage.latest().late_until > stage.clock.now() + late.SIGNATURE_SECONDS, "the next try noted the first"


# -- private


def shifting(*, confirmed: bool) -> Deployment:
    written = Written(Split(95, 5), NOW - 20, confirmed=confirmed)
    route = Route("prod:443", "arn:listener/1", "listener", original=ALL_BLUE, written=written, previous=ALL_BLUE)
    return replace(a_deployment(), phase=Phase.SHIFT, routes=(route,), driver=3)
