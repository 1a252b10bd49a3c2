"""What can go wrong with a file, told in clear words; and what a fresh one looks like."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bluegreen.domain.approval import Decision
from bluegreen.errors import BluegreenError, RecordError, StoreUnavailableError
from bluegreen.store.sqlite import SqliteStore, create
from tests.contract.store_support import ALICE, NOW, a_deployment, an_event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bluegreen" / "records.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


def test_file_and_new_folders_are_for_this_user_alone(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    before = stat.S_IMODE(tmp_path.stat().st_mode)
    store.acquire("orders", ALICE, now=NOW)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (path.parent.parent, *path.parent.rglob("*"))}
    assert modes.pop("state") == 0o700
    assert set(modes.values()) == {0o600}
    assert path.name in modes
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(tmp_path.stat().st_mode) == before


def test_opening_a_store_touches_nothing_until_it_is_used(store: SqliteStore, path: Path) -> None:
    assert not path.exists()


def test_what_one_process_wrote_the_next_one_reads(store: SqliteStore, path: Path) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease, [an_event("started")])
    store.close()
    with closing(SqliteStore(path)) as other:
        assert other.load("d-1") == begun
        assert other.service("orders").lease == lease
    assert store.load("d-1") == begun, "a closed store opens again"


def test_opening_and_reading_takes_less_than_three_milliseconds(store: SqliteStore, path: Path) -> None:
    store.acquire("orders", ALICE, now=NOW)
    store.close()
    took = []
    for _ in range(21):
        began = time.perf_counter()
        with closing(SqliteStore(path)) as other:
            other.service("orders")
        took.append(time.perf_counter() - began)
    assert min(took) < 0.003, "the best of them: others use this machine too"


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    assert create(path)
    assert not create(path)


def test_a_file_of_another_kind_is_refused_and_left_as_it_is(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("service: orders\n" * 100)
    before = path.read_bytes()
    with pytest.raises(RecordError, match=r"records\.db cannot be read: file is not a database"):
        store.service("orders")
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_as_it_is(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE services (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(RecordError, match="another program"):
        store.services()
    assert path.read_bytes() == before


def test_a_file_of_a_newer_bluegreen_is_refused(store: SqliteStore, path: Path) -> None:
    store.services()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA user_version = 7")
    with closing(SqliteStore(path)) as late, pytest.raises(RecordError, match="newer bluegreen"):
        late.services()


def test_a_damaged_file_is_told_from_a_busy_one(store: SqliteStore, path: Path) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), lease, [an_event("x" * 2000) for _ in range(20)])
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with closing(SqliteStore(path)) as damaged, pytest.raises(RecordError, match=r"records\.db cannot be read"):
        damaged.history("orders")


def test_a_damaged_service_record_is_named(store: SqliteStore, path: Path) -> None:
    store.acquire("orders", ALICE, now=NOW)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute('UPDATE services SET body = replace(CAST(body AS TEXT), \'"token":1\', \'"token":"one"\')')
    with pytest.raises(RecordError, match=r"the record of service orders cannot be read.*\$\.state\.token"):
        store.preempt("orders", ALICE, now=NOW)


def test_a_locked_file_is_unavailable_after_the_wait(path: Path) -> None:
    with closing(SqliteStore(path, busy_seconds=0.05)) as store:
        store.services()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked by another process"):
                store.acquire("orders", ALICE, now=NOW)
            assert store.service("orders").token == 0, "reading goes on"
            other.execute("ROLLBACK")
        assert store.acquire("orders", ALICE, now=NOW).token == 1


def test_a_full_disk_is_said_and_nothing_is_half_written(store: SqliteStore, path: Path) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease)
    _limit_pages(store)
    with pytest.raises(StoreUnavailableError, match="the disk is full"):
        store.save(begun, lease, [an_event("x" * 1000) for _ in range(200)])
    assert store.load("d-1") == begun
    assert list(store.events("d-1")) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with closing(SqliteStore(tmp_path / "file" / "records.db")) as store:
        with pytest.raises(StoreUnavailableError, match="cannot be opened") as refused:
            store.services()
        assert "sqlite:///PATH" in (refused.value.hint or "")


def test_a_directory_is_not_a_store(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store, pytest.raises(StoreUnavailableError, match="cannot be opened"):
        store.services()


def test_a_read_only_store_is_said(store: SqliteStore) -> None:
    store.services()
    assert store._connection is not None
    store._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailableError, match="read-only"):
        store.acquire("orders", ALICE, now=NOW)


def test_threads_share_a_store(store: SqliteStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), lease)
    failures: list[BluegreenError] = []

    def read() -> None:
        try:
            for _ in range(20):
                store.load("d-1")
        except BluegreenError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- private


def _limit_pages(store: SqliteStore) -> None:
    """SQLite's own limit answers as a full disk does: SQLITE_FULL."""
    assert store._connection is not None
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")


def test_second_store_on_the_same_file_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any handle of it: another process, which then believes
    to be the last one, would fold the log away under both, and the file is damaged."""
    path = tmp_path / "state.db"
    first = SqliteStore(path)
    first.services()
    second = SqliteStore(path)
    second.services()
    visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM services'); c.close()"
    subprocess.run([sys.executable, "-c", visit, str(path)], check=True)
    assert (tmp_path / "state.db-wal").exists()
    second.close()
    first.close()


def test_a_file_of_the_first_format_gets_its_room_for_decisions_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(SqliteStore(path)) as store:
        lease = store.acquire("orders", ALICE, now=NOW)
        store.begin(a_deployment(), lease)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE decisions")
        raw.execute("PRAGMA user_version = 1")
        raw.commit()
    with closing(SqliteStore(path)) as store:
        yes = Decision("test/0/1/notes", True, "alice", NOW)
        assert store.decide("d-1", yes) == yes
        assert store.load("d-1").id == "d-1"
    with closing(SqliteStore(path)) as store:
        assert store.decision("d-1", yes.key) == yes
