"""No interleaving of drivers, crashes, stopped processes, lost answers and differing clocks breaks a safety rule.

And a test of the test: with one of the protocol's rules taken away, the exploration finds what that rule is for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.domain.deployment import Phase, RollbackFacts
from bluegreen.domain.service import Lease, ServiceState
from bluegreen.lifecycle.routes import late
from bluegreen.store import lease as store
from tests.faults.protocol_model import (
    GREEN,
    UNIT,
    Explored,
    Record,
    Route,
    Rules,
    Story,
    Written,
    deploy_again,
    driver,
    explore,
    resume,
    rollback,
)

pytestmark = pytest.mark.faults

DEPLOY, RESUME, ROLLBACK = driver("deploy"), resume("resume"), rollback("rollback")
AHEAD = rollback("rollback", ahead=UNIT)
FAST = resume("resume", ahead=UNIT)
AGAIN = deploy_again("deploy again")
NEIGHBOUR = rollback("rollback", host="a")
TEARDOWN = Record(Phase.TEARDOWN, (Route(Written(GREEN, confirmed=True)),))

STORIES = {
    "a rollback pre-empts": Story((DEPLOY, ROLLBACK)),
    "and one of them dies": Story((DEPLOY, ROLLBACK), crashes=1),
    "a driver dies beside the rollback": Story((DEPLOY, NEIGHBOUR), crashes=1),
    "the rollback's clock is ahead": Story((DEPLOY, AHEAD)),
    "the driver's clock is ahead": Story((driver("deploy", ahead=UNIT), ROLLBACK)),
    "the driver's clock is behind": Story((driver("deploy", ahead=-UNIT), ROLLBACK)),
    "in the teardown": Story((DEPLOY, ROLLBACK), tears_down=True),
    "in the teardown, and one dies": Story((DEPLOY, ROLLBACK), tears_down=True, crashes=1),
    "resume follows a silent driver": Story((DEPLOY, RESUME), tears_down=True, steps=(5, 100)),
    "resume's clock is ahead": Story((DEPLOY, FAST), tears_down=True, steps=(5, 100)),
    "a second deploy is refused in the teardown": Story((DEPLOY, AGAIN, ROLLBACK), start=TEARDOWN, route=GREEN),
    "gates fire": Story((DEPLOY, ROLLBACK), gates_fire=True),
    "an answer is lost": Story((DEPLOY,), timeouts=2, gates_fire=True),
}
"""Small enough for every run of the tests; ``scripts/faults races`` explores larger ones."""


@pytest.mark.parametrize("name", STORIES)
def test_no_interleaving_breaks_a_safety_rule(name: str) -> None:
    found = explore(STORIES[name])
    assert found.broken is None, found.told()
    assert found.said_safe + found.ended > 0, "an exploration that never gets anywhere proves nothing"


def test_without_fencing_a_preempted_driver_writes_after_safe() -> None:
    def renew(state: ServiceState, lease: Lease, now: float, seconds: float) -> ServiceState:
        return state

    found = explore(STORIES["a rollback pre-empts"], Rules(renew=renew, fence=lambda state, lease: None))
    assert_found(found, "after SAFE there is traffic on green")


def test_without_the_check_before_sending_a_stopped_driver_sends_what_it_decided_long_ago() -> None:
    found = explore(STORIES["a rollback pre-empts"], Rules(may_send=lambda now, deadline: True))
    assert_found(found, "a driver signed a write after its lease had ended")


def test_without_the_wait_for_the_other_driver_its_last_write_arrives_after_safe() -> None:
    found = explore(STORIES["a rollback pre-empts"], Rules(is_safe=lambda facts, yielded, now: True))
    assert_found(found, "after SAFE there is traffic on green")


def test_without_aws_own_time_a_rollback_whose_clock_is_ahead_says_safe_too_early() -> None:
    assert_found(explore(STORIES["the rollback's clock is ahead"], Rules(clock_of_aws=False)), "after SAFE")


def test_a_later_drivers_word_must_not_count_for_an_earlier_one() -> None:
    """As it was once: giving back a lease was a word, and a higher token's word counted for all below it."""

    def release(state: ServiceState, lease: Lease) -> ServiceState:
        kept = None if state.token == lease.token else state.lease
        return store.yield_token(replace(state, lease=kept), lease.token)

    def is_safe(facts: RollbackFacts, yielded: int, now: float) -> bool:
        return yielded >= facts.other_token or now > facts.other_until

    story = Story((DEPLOY, ROLLBACK, RESUME))
    assert_found(explore(story, Rules(release=release, is_safe=is_safe)), "after SAFE there is traffic on green")


def test_a_dead_process_may_have_left_a_request_behind() -> None:
    def still_dangerous(d: Any, ended: Lease | None, *, yielded: int, dead: bool, now: float) -> Lease | None:
        return None if dead else late.still_dangerous(d, ended, yielded=yielded, dead=dead, now=now)

    rules = Rules(still_dangerous=still_dangerous, turned_back=_trusting)
    assert_found(explore(STORIES["a driver dies beside the rollback"], rules), "after SAFE")


def test_a_driver_without_an_answer_must_not_give_its_word() -> None:
    story = Story((DEPLOY, ROLLBACK), timeouts=1)
    assert_found(explore(story, Rules(keeps_its_word=False, is_announced=lambda d: False)), "after SAFE")


def test_a_late_call_that_scales_blue_in_must_be_undone() -> None:
    assert_found(explore(STORIES["in the teardown"], Rules(keeps_blue=False)), "after SAFE blue was scaled in")


def test_a_refused_deploy_must_not_make_a_silent_driver_look_ended() -> None:
    """As it was once: it took the lease that had ended, was refused, and gave it back as its own."""
    story = STORIES["a second deploy is refused in the teardown"]
    found = explore(story, Rules(may_be_given_back=lambda ended, active: True))
    assert_found(found, "after SAFE blue was scaled in")


def test_blue_must_outlive_the_last_write_of_a_silent_driver() -> None:
    def after_takeover(d: Any, ended: Lease | None, *, dead: bool, now: float) -> float:
        return float(d.late_until)

    story, rules = STORIES["resume follows a silent driver"], Rules(after_takeover=after_takeover)
    assert_found(explore(story, replace(rules, is_announced=lambda d: False)), "after success traffic went to the slot")


def test_a_trace_tells_the_way_to_the_fault() -> None:
    found = explore(STORIES["a rollback pre-empts"], Rules(is_safe=lambda facts, yielded, now: True))
    assert "rollback (preempt): takes token 2" in found.told()
    assert "says SAFE" in found.told()


# -- private


def assert_found(found: Explored, what: str) -> None:
    assert found.broken is not None, f"not found in {found.states} states"
    assert found.broken.startswith(what), found.told()
    assert found.trace


def _trusting(d: Any, facts: RollbackFacts, now: float) -> RollbackFacts:
    phase: Phase = d.phase
    return replace(facts, from_phase=phase, late_until=d.late_until, in_flight=late.harms_blue(d))
