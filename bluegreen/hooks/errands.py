"""A thread of its own for a plug-in: one that never comes back keeps no driver from its looks and its lease."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

R = TypeVar("R")


class Errands:
    """Runs what it is given one after the other, so that a plug-in finds in one call what it made in another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._given: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, act: Callable[[], R]) -> Future[R]:
        future: Future[R] = Future()

        def errand() -> None:
            try:
                future.set_result(act())
            except BaseException as error:
                future.set_exception(error)

        self._given.put(errand)
        if self._thread is None:
            # A daemon: what hangs must not keep the program from ending.
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        return future

    def _work(self) -> None:
        while True:
            self._given.get()()
