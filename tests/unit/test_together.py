"""What need not wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bluegreen.together import both, in_threads, one_by_one


def test_where_no_thread_can_be_started_the_parts_are_run_all_the_same() -> None:
    """A full process table must not keep a rollback back."""
    done: list[int] = []
    usual = threading.stack_size(1 << 46)
    try:
        in_threads([lambda: done.append(1), lambda: done.append(2), lambda: done.append(3)])
    finally:
        threading.stack_size(usual)
    assert sorted(done) == [1, 2, 3]


def refusing(what: str) -> Callable[[], None]:
    def refuse() -> None:
        raise ValueError(what)

    return refuse


def test_the_parts_run_at_the_same_time() -> None:
    """Each waits for the other: one after the other they would wait for ever."""
    meeting = threading.Barrier(2, timeout=30)

    def meet() -> None:
        meeting.wait()

    in_threads([meet, meet])


@pytest.mark.parametrize("refused", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_what_the_first_of_the_list_raised_is_raised_when_all_have_ended(refused: tuple[int, ...]) -> None:
    done: list[int] = []

    def part(index: int) -> Callable[[], None]:
        return refusing(f"part {index}") if index in refused else lambda: done.append(index)

    with pytest.raises(ValueError, match=f"part {refused[0]}"):
        in_threads([part(0), part(1), part(2)])
    assert sorted(done) == [index for index in range(3) if index not in refused]


@pytest.mark.parametrize("together", [one_by_one, in_threads])
def test_both_answers_come_back_in_their_order(together: Callable[..., None]) -> None:
    assert both(together, lambda: "the routes", lambda: 2) == ("the routes", 2)


def test_no_part_is_nothing_to_do() -> None:
    in_threads([])
