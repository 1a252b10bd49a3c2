"""Reads that need not wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

First = TypeVar("First")
Second = TypeVar("Second")

Together = Callable[[Sequence[Callable[[], None]]], None]
"""Runs all parts, in whatever order, and returns when all have ended; raises what the first of the list raised."""


def one_by_one(parts: Sequence[Callable[[], None]]) -> None:
    for part in parts:
        part()


def in_threads(parts: Sequence[Callable[[], None]]) -> None:
    """Each part in a thread of its own, the last one in the caller's. No thread is left when it returns."""
    if not parts:
        return
    raised: dict[int, BaseException] = {}

    def run(index: int) -> None:
        try:
            parts[index]()
        except BaseException as error:
            raised[index] = error

    # Daemons: a Ctrl-C while they are waited for must not wait for AWS's answers.
    threads: list[threading.Thread] = []
    for index in range(len(parts) - 1):
        thread = threading.Thread(target=run, args=(index,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No more processes here: slower is better than not at all, for a rollback above all.
            run(index)
        else:
            threads.append(thread)
    try:
        parts[-1]()
    except Exception as error:
        raised[len(parts) - 1] = error
    for thread in threads:
        thread.join()
    if raised:
        raise raised[min(raised)]


def both(together: Together, first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """What the two answer."""
    one: list[First] = []
    other: list[Second] = []
    together([lambda: one.append(first()), lambda: other.append(second())])
    return one[0], other[0]
