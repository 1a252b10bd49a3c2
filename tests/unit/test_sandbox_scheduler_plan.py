"""How many tasks to start and which to stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.sandbox.scheduler.plan import (
    Actual,
    Decision,
    Stage,
    Throttle,
    Wanted,
    after_failure,
    back_off,
    decide,
    percent_of,
)


def task(
    name: str, revision: str = "1", stage: Stage = Stage.RUNNING, healthy: bool = True, created: float = 0
) -> Actual:
    return Actual(name, revision, stage, healthy, created)


def test_all_missing_tasks_are_started_at_once() -> None:
    assert decide(Wanted(5, "1"), [task("a")]) == Decision(start=4)


def test_tasks_on_their_way_out_are_replaced_and_not_stopped_again() -> None:
    assert decide(Wanted(1, "1"), [task("a", stage=Stage.STOPPING)]) == Decision(start=1)


def test_scale_in_takes_starting_then_unhealthy_then_the_youngest() -> None:
    tasks = [
        task("old", created=1),
        task("young", created=2),
        task("sick", healthy=False, created=0),
        task("starting", stage=Stage.STARTING, healthy=False, created=3),
    ]
    assert decide(Wanted(3, "1"), tasks).stop == ("starting",)
    assert decide(Wanted(2, "1"), tasks).stop == ("starting", "sick")
    assert decide(Wanted(1, "1"), tasks).stop == ("starting", "sick", "young")


def test_an_update_with_the_defaults_starts_all_and_stops_none_until_they_are_healthy() -> None:
    old = [task("a"), task("b")]
    assert decide(Wanted(2, "2"), old) == Decision(start=2)
    fresh = [task("c", "2", Stage.STARTING, False), task("d", "2", healthy=False)]
    assert decide(Wanted(2, "2"), [*old, *fresh]) == Decision()


def test_an_update_stops_as_many_old_tasks_as_new_ones_are_healthy() -> None:
    tasks = [task("a", created=1), task("b", created=2), task("c", "2"), task("d", "2", healthy=False)]
    assert decide(Wanted(2, "2"), tasks) == Decision(stop=("b",))


def test_an_update_without_room_above_stops_first() -> None:
    wanted = Wanted(2, "2", minimum_percent=50, maximum_percent=100)
    assert decide(wanted, [task("a"), task("b")]) == Decision(start=0, stop=("a",))


def test_old_tasks_that_serve_nobody_go_at_once() -> None:
    tasks = [task("a", healthy=False), task("b", stage=Stage.STARTING, healthy=False)]
    assert decide(Wanted(2, "2"), tasks).stop == ("a", "b")


def test_nothing_wanted_stops_everything_whatever_its_revision() -> None:
    assert set(decide(Wanted(0, "2"), [task("a"), task("b", "2")]).stop) == {"a", "b"}


TASKS = st.lists(
    st.builds(
        Actual,
        task_id=st.uuids().map(str),
        revision=st.sampled_from("12"),
        stage=st.sampled_from(Stage),
        healthy=st.booleans(),
        created=st.floats(0, 100),
    ),
    max_size=8,
)


@given(st.integers(0, 6), TASKS)
def test_an_update_never_falls_below_the_healthy_minimum_or_above_the_maximum(count: int, tasks: list[Actual]) -> None:
    wanted = Wanted(count, "2")
    decision = decide(wanted, tasks)
    live = [item for item in tasks if item.stage is not Stage.STOPPING]
    healthy = {item.task_id for item in live if item.healthy}
    assert len(healthy - set(decision.stop)) >= min(len(healthy), count)
    assert decision.start == 0 or len(live) + decision.start <= 2 * count
    assert set(decision.stop) <= {item.task_id for item in live}
    assert len(set(decision.stop)) == len(decision.stop)


@given(st.integers(0, 6), TASKS)
def test_repeating_the_decision_ends_with_exactly_what_is_wanted(count: int, tasks: list[Actual]) -> None:
    wanted, number = Wanted(count, "2"), 0
    for _ in range(30):
        decision = decide(wanted, tasks)
        kept = [item for item in tasks if item.stage is not Stage.STOPPING and item.task_id not in decision.stop]
        tasks = [Actual(item.task_id, item.revision, Stage.RUNNING, True, item.created) for item in kept]
        for _ in range(decision.start):
            number += 1
            tasks.append(Actual(f"new-{number}", "2", Stage.STARTING, False, 1000 + number))
    assert [item.revision for item in tasks] == ["2"] * count


def test_a_task_sets_share_is_rounded_up() -> None:
    assert [percent_of(3, share) for share in (0, 1, 50, 100)] == [0, 1, 2, 3]
    assert percent_of(10, 70) == 7


def test_back_off_doubles_up_to_a_minute() -> None:
    assert [back_off(failures) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off(10_000) == 60


def test_tasks_that_fail_together_count_once() -> None:
    first = after_failure(Throttle("1"), "1", created=0, now=10)
    assert (first.failures, first.not_before) == (1, 11)
    assert after_failure(first, "1", created=0, now=10.5) == first
    assert after_failure(first, "1", created=11, now=12).failures == 2
    assert not first.allows(10.9)
    assert first.allows(11)


@pytest.mark.parametrize("failures", [1, 5])
def test_a_new_revision_starts_without_the_old_ones_record(failures: int) -> None:
    stale = Throttle("1", failures, not_before=100)
    assert after_failure(stale, "2", created=0, now=1).failures == 1
