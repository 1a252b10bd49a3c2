"""Visitors of a route who keep the time of every answer: what was answered before, during and after a shift."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bluegreen.clock import SystemClock

CLOCK = SystemClock()
PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Visit:
    """Times are epoch seconds. ``answer`` is the document of a 200; ``problem`` says what else came."""

    asked_at: float
    answered_at: float
    answer: Any = None
    problem: str = ""


class Visits(list[Visit]):
    """In the order of their time once the visitors have left."""

    @property
    def problems(self) -> Counter[str]:
        return Counter(visit.problem for visit in self if visit.problem)


@contextmanager
def visitors(url: str, number: int = 4) -> Iterator[Visits]:
    """Each asks on one connection of its own, without pause but for 20 ms, and tries nothing again."""
    visits, leave = Visits(), threading.Event()
    found: list[list[Visit]] = [[] for _ in range(number)]
    threads = [threading.Thread(target=_visit, args=(url, mine, leave), daemon=True) for mine in found]
    for thread in threads:
        thread.start()
    try:
        yield visits
    finally:
        leave.set()
        for thread in threads:
            thread.join(timeout=15)
        visits.extend(sorted((visit for mine in found for visit in mine), key=lambda visit: visit.answered_at))


def _visit(url: str, visits: list[Visit], leave: threading.Event) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    while not leave.wait(PAUSE_SECONDS):
        visits.append(_ask(connection, parts.path))
    connection.close()


def _ask(connection: http.client.HTTPConnection, path: str) -> Visit:
    asked_at, answer, problem = CLOCK.now(), None, ""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            answer = json.loads(body)
        else:
            problem = f"status {response.status}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        problem = f"{type(error).__name__}: {error}"
    return Visit(asked_at, CLOCK.now(), answer, problem)
