"""The state machine of a target's health."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.clock import FakeClock
from bluegreen.sandbox.balancer.health import CHECKING, PASSED, REGISTERING, Health, HealthBoard, Outcome, observe
from bluegreen.sandbox.balancer.model import (
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Rule,
    Snapshot,
    Target,
    TargetGroup,
    Weighted,
)
from bluegreen.sandbox.balancer.prober import matches

FAILED = Outcome("Target.FailedHealthChecks", "Health checks failed")
CHECK = HealthCheck(healthy_threshold=3, unhealthy_threshold=2)
ONE, TWO = Target("127.9.16.1", 80), Target("127.9.16.2", 80)
GROUP = TargetGroup("arn:aws:x:targetgroup/g/1", "g", (ONE, TWO), CHECK, deregistration_delay=30)


def in_use(group: TargetGroup) -> Snapshot:
    rule = Rule("rule", Forward((Weighted(group.arn, 0),)))
    listener = Listener("arn:listener/app/lb/1/2", 80, "HTTP", (rule,))
    return Snapshot((LoadBalancer("arn:loadbalancer/app/lb/1", "lb", (listener,)),), (group,))


def after(*outcomes: Outcome, start: Health = REGISTERING) -> Health:
    health = start
    for outcome in outcomes:
        health = observe(health, outcome, CHECK)
    return health


def passes(board: HealthBoard, target: Target, number: int = 3, outcome: Outcome = PASSED) -> None:
    for _ in range(number):
        board.record(next(each for each in board.watches() if each.target == target), outcome)


def statuses(board: HealthBoard) -> dict[Target, str]:
    return {each.target: each.status for each in board.endpoints()[GROUP.arn]}


def states(board: HealthBoard) -> dict[str, str]:
    return {each.address: each.state for each in board.states(GROUP.arn)}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board(clock: FakeClock) -> HealthBoard:
    board = HealthBoard(clock)
    board.sync(in_use(GROUP))
    return board


def test_first_failure_turns_registration_into_initial_checks() -> None:
    assert replace(after(FAILED), failures=0) == CHECKING


def test_new_target_is_healthy_after_one_passed_check_whatever_the_threshold() -> None:
    assert after(PASSED) == Health("healthy", passes=1)
    assert after(FAILED, PASSED).state == "healthy"


def test_healthy_target_survives_failures_below_the_unhealthy_threshold() -> None:
    healthy = after(PASSED, PASSED, PASSED)
    assert after(FAILED, PASSED, FAILED, start=healthy).state == "healthy"
    assert after(FAILED, FAILED, start=healthy).state == "unhealthy"


def test_unhealthy_target_needs_the_healthy_threshold_again() -> None:
    unhealthy = after(FAILED, FAILED)
    assert after(PASSED, PASSED, start=unhealthy).state == "unhealthy"
    assert after(PASSED, PASSED, PASSED, start=unhealthy) == Health("healthy", passes=3)


def test_reason_follows_the_latest_failure() -> None:
    mismatch = Outcome("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
    assert after(FAILED, FAILED, mismatch).description == "Health checks failed with these codes: [503]"


@pytest.mark.parametrize(("matcher", "good", "bad"), [("200", 200, 201), ("200-399", 302, 404), ("200,404", 404, 403)])
def test_matcher_takes_codes_lists_and_ranges(matcher: str, good: int, bad: int) -> None:
    assert (matches(matcher, good), matches(matcher, bad)) == (True, False)


def test_only_healthy_targets_get_requests(board: HealthBoard) -> None:
    assert statuses(board) == {ONE: "UNHEALTHY", TWO: "UNHEALTHY"}
    passes(board, ONE)
    assert statuses(board) == {ONE: "HEALTHY", TWO: "UNHEALTHY"}


def test_group_of_unhealthy_targets_fails_open_but_initial_ones_stay_out(board: HealthBoard) -> None:
    passes(board, ONE, outcome=FAILED)
    assert states(board) == {ONE.address: "unhealthy", TWO.address: "initial"}
    assert statuses(board) == {ONE: "HEALTHY", TWO: "UNHEALTHY"}


def test_targets_of_a_group_whose_checks_are_off_are_unavailable_and_get_requests(board: HealthBoard) -> None:
    board.sync(Snapshot())
    board.sync(in_use(replace(GROUP, check=replace(CHECK, enabled=False))))
    told = {(each.state, each.reason) for each in board.states(GROUP.arn)}
    assert told == {("unavailable", "Target.HealthCheckDisabled")}
    assert statuses(board) == {ONE: "HEALTHY", TWO: "HEALTHY"}
    assert not list(board.watches())


def test_outcome_of_a_check_begun_before_a_new_registration_is_ignored(board: HealthBoard) -> None:
    stale = next(each for each in board.watches() if each.target == ONE)
    board.sync(in_use(replace(GROUP, targets=(TWO,))))
    board.sync(in_use(GROUP))
    assert not any(board.record(stale, PASSED) for _ in range(5))
    assert states(board)[ONE.address] == "initial"


def test_deregistered_target_drains_until_it_is_quiet_and_is_shown_until_the_delay_ends(
    board: HealthBoard, clock: FakeClock
) -> None:
    passes(board, ONE)
    board.sync(in_use(replace(GROUP, targets=(TWO,))))
    assert (statuses(board)[ONE], board.is_draining(GROUP.arn, ONE)) == ("DRAINING", True)
    clock.sleep(1)
    board.settle_drains({(GROUP.key, ONE): 1})
    assert board.is_draining(GROUP.arn, ONE)
    board.settle_drains({(GROUP.key, ONE): 0})
    assert (board.is_draining(GROUP.arn, ONE), states(board)[ONE.address]) == (False, "draining")
    clock.sleep(30)
    board.sync(in_use(replace(GROUP, targets=(TWO,))))
    assert ONE.address not in states(board)


def test_drain_is_not_called_quiet_before_envoy_can_have_heard_of_it(board: HealthBoard) -> None:
    passes(board, ONE)
    board.sync(in_use(replace(GROUP, targets=(TWO,))))
    assert not board.settle_drains({})
    assert board.is_draining(GROUP.arn, ONE)


def test_drain_with_a_request_that_does_not_end_is_over_after_the_delay(board: HealthBoard, clock: FakeClock) -> None:
    passes(board, ONE)
    board.sync(in_use(replace(GROUP, targets=(TWO,))))
    clock.sleep(30)
    board.settle_drains({(GROUP.key, ONE): 1})
    assert not board.is_draining(GROUP.arn, ONE)


def test_group_that_leaves_and_comes_back_into_use_is_checked_anew(board: HealthBoard) -> None:
    passes(board, ONE)
    board.sync(Snapshot((), (GROUP,)))
    assert (states(board), board.watches()) == ({ONE.address: "unused", TWO.address: "unused"}, [])
    board.sync(in_use(GROUP))
    assert states(board)[ONE.address] == "initial"
