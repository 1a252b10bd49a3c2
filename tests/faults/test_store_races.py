"""Many processes and threads at one store: one holder, growing tokens, no lost save, no event without its save."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.service import Lease
from bluegreen.errors import LockedError
from bluegreen.store.base import StateStore
from bluegreen.store.dynamodb_table import create_table
from tests.contract.store_support import ALICE, NOW, WITHOUT, LocalServer, a_client, a_deployment, dynamodb_local
from tests.faults import store_racer

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["sqlite", *([] if os.environ.get(WITHOUT) == "1" else ["dynamodb-local"])]
PROCESSES = 4


@dataclass(frozen=True)
class Place:
    """Where the racers meet; every process and thread opens its own store there."""

    place: str
    table: str

    def open(self) -> StateStore:
        return store_racer.open_store(self.place, self.table)


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb-local")) as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(str(tmp_path / "records.db"), "-")
    server: LocalServer = request.getfixturevalue("local_server")
    table = f"race-{uuid.uuid4().hex}"
    create_table(a_client(server.url), table)
    return Place(server.url, table)


def test_one_of_many_processes_gets_the_lease(place: Place) -> None:
    """The store itself is new too: in SQLite they race for making the file."""
    told = _race(place, "acquire", count=5)
    tokens = [fact["token"] for fact in told if fact.get("token") is not None]
    assert tokens == [1]
    assert sum(fact.get("token", 0) is None for fact in told) == PROCESSES * 5 - 1


def test_a_new_file_that_many_open_at_once_is_made_once(tmp_path: Path) -> None:
    """The window is small, so it is looked for many times."""
    tokens: list[int] = []
    together = threading.Barrier(4, timeout=60)

    def use_each() -> None:
        for round_ in range(60):
            together.wait()
            store = store_racer.open_store(str(tmp_path / f"{round_}.db"), "-")
            with contextlib.suppress(LockedError):
                tokens.append(store.acquire("orders", ALICE, now=NOW).token)

    failures = _in_threads(use_each, 4)
    assert failures == []
    assert tokens == [1] * 60


def test_one_of_many_threads_takes_over_an_expired_lease(place: Place) -> None:
    place.open().acquire("orders", ALICE, now=NOW, seconds=1)
    won: list[Lease] = []
    refused: list[LockedError] = []

    def take_over() -> None:
        try:
            won.append(place.open().acquire("orders", ALICE, now=NOW + 5))
        except LockedError as error:
            refused.append(error)

    assert _in_threads(take_over, 8) == []
    assert [lease.token for lease in won] == [2]
    assert len(refused) == 7
    assert place.open().service("orders").lease == won[0]


def test_takeovers_by_many_processes_lose_no_save_and_keep_no_late_one(place: Place) -> None:
    store = place.open()
    first = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), first)
    told = _race(place, "preempt", count=12)
    _check_tokens(told, first.token)
    saved = [fact for fact in told if "saved" in fact]
    assert saved, "somebody must have got a save through"
    versions = sorted(fact["saved"] for fact in saved)
    assert versions == list(range(2, len(saved) + 2)), "each save made a version of its own"
    last = store.load("d-1")
    assert (last.version, last.step) == (versions[-1], len(saved) - 1), "no save was written over"
    in_order = [fact["event"] for fact in sorted(saved, key=lambda fact: fact["saved"])]
    assert [event.message for event in store.events("d-1")] == in_order, "no event without its save"
    by_version = [fact["token"] for fact in sorted(saved, key=lambda fact: fact["saved"])]
    assert by_version == sorted(by_version), "no older token wrote after a newer one"
    state = store.service("orders")
    assert state.token == first.token + PROCESSES * 12


def test_threads_that_share_a_store_lose_no_save(place: Place) -> None:
    store = place.open()
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), lease)
    done: list[int] = []

    def save() -> None:
        for _ in range(5):
            try:
                done.append(store.save(store.load("d-1"), lease).version)
            except LockedError:
                continue

    assert _in_threads(save, 4) == []
    # An identical save of the same version is the same wish: it is answered with the same version.
    assert store.load("d-1").version == max(done) == len(set(done)) + 1


@pytest.mark.parametrize("round_", range(6))
def test_a_driver_killed_in_the_middle_of_saves_leaves_a_whole_file(tmp_path: Path, round_: int) -> None:
    place = Place(str(tmp_path / "records.db"), "-")
    store = place.open()
    store.begin(a_deployment(), store.acquire("orders", ALICE, now=NOW))
    with _racer(place, "save", "victim", 1_000_000) as victim:
        _start([victim])
        told = _read_until(victim, 5 + 37 * round_)
        os.kill(victim.pid, signal.SIGKILL)
        told += _rest_of(victim)
    version = max(fact.get("saved", 1) for fact in told)
    found = store.load("d-1")
    assert found.version in (version, version + 1), "what was answered is there; at most one more was under way"
    assert found.step == found.version
    expected = [str(number) for number in range(2, found.version + 1) for _ in range(2)]
    assert [event.message for event in store.events("d-1")] == expected
    with closing(sqlite3.connect(place.place)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert store.preempt("orders", ALICE, now=NOW)[0].token == 3


# -- private


def _check_tokens(told: Sequence[dict[str, Any]], first: int) -> None:
    grants = [fact for fact in told if "ended" in fact]
    tokens = sorted(fact["token"] for fact in grants)
    assert tokens == list(range(first + 1, first + 1 + len(grants))), "every token was given once"
    assert all(fact["ended"] == fact["token"] - 1 for fact in grants), "each learnt whom it ended"


def _race(place: Place, role: str, count: int) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        racers = [stack.enter_context(_racer(place, role, f"p{n}", count)) for n in range(PROCESSES)]
        _start(racers)
        told = [fact for racer in racers for fact in _rest_of(racer)]
        assert [racer.wait(60) for racer in racers] == [0] * PROCESSES
    return told


def _racer(place: Place, role: str, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.store_racer", place.place, place.table, role, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _start(racers: Sequence[subprocess.Popen[str]]) -> None:
    """All at once, when all are ready."""
    for racer in racers:
        assert "ready" in _next(racer)
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()


def _read_until(racer: subprocess.Popen[str], lines: int) -> list[dict[str, Any]]:
    return [_next(racer) for _ in range(lines)]


def _rest_of(racer: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """A killed racer's last line may be cut."""
    assert racer.stdout is not None
    return [json.loads(line) for line in racer.stdout if line.endswith("\n")]


def _next(racer: subprocess.Popen[str]) -> dict[str, Any]:
    assert racer.stdout is not None
    found: dict[str, Any] = json.loads(racer.stdout.readline())
    return found


def _in_threads(work: Callable[[], None], count: int) -> list[BaseException]:
    """What went wrong in any of them."""
    with ThreadPoolExecutor(count) as pool:
        started = [pool.submit(work) for _ in range(count)]
        found = [one.exception() for one in started]
    return [error for error in found if error is not None]
