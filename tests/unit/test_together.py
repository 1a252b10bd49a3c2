"""What need not wait for each other."""

from __future__ import annotations

import threading

from bluegreen.together import in_threads


def test_where_no_thread_can_be_started_the_parts_are_run_all_the_same() -> None:
    """A full process table must not keep a rollback back."""
    done: list[int] = []
    usual = threading.stack_size(1 << 46)
    try:
        in_threads([lambda: done.append(1), lambda: done.append(2), lambda: done.append(3)])
    finally:
        threading.stack_size(usual)
    assert sorted(done) == [1, 2, 3]
