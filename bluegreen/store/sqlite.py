"""Records in one SQLite file: the default in the sandbox and on one machine. Any number of processes may share it.

A write-ahead log, so that a reader never waits for a writer; a lock is waited for BUSY_SECONDS. Not for a network
file system: SQLite's locks do not hold there (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bluegreen.errors import BluegreenError, RecordError, StoreUnavailableError
from bluegreen.store.codec import DAMAGED_HINT
from bluegreen.store.transactional import Row, Rows, TransactionalStore

BUSY_SECONDS = 5.0
FORMAT = 2
APPLICATION = 0x62677231
"""``bgr1`` in the file's header: it tells our files from another program's."""


class SqliteStore(TransactionalStore):
    """Safe to share between threads. The file and its folder are made when first used, for this user alone."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        super().__init__(self._open_transaction)

    def close(self) -> None:
        """Idempotent; the next call opens the file again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # -- private

    @contextmanager
    def _open_transaction(self, write: bool) -> Iterator[Rows]:
        with self._lock, self._translated():
            if self._connection is None:
                self._connection = self._connect()
                # The last to leave folds the log into the file; a store that nobody closes does so too.
                weakref.finalize(self, self._connection.close)
            with _transaction(self._connection, write):
                yield SqliteRows(self._connection)

    def _connect(self) -> sqlite3.Connection:
        _create_file(self._path)
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self._path, self._busy_seconds) from error
        except OSError as error:
            raise StoreUnavailableError(
                f"the state store {self._path} cannot be opened: {error.strerror}",
                hint="name another file with --store sqlite:///PATH",
            ) from error


class SqliteRows:
    """See Rows."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def service(self, name: str) -> bytes | None:
        return self._one("SELECT body FROM services WHERE name = ?", name)

    def put_service(self, name: str, body: bytes) -> None:
        self._connection.execute(
            "INSERT INTO services VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body", (name, body)
        )

    def services(self) -> Sequence[str]:
        return [name for (name,) in self._connection.execute("SELECT DISTINCT service FROM deployments ORDER BY 1")]

    def record(self, deployment_id: str) -> Row | None:
        query = "SELECT version, write, body FROM deployments WHERE id = ?"
        found = self._connection.execute(query, (deployment_id,)).fetchone()
        return Row(found[0], found[1], _bytes(found[2])) if found else None

    def put_record(self, deployment_id: str, service: str, row: Row) -> None:
        self._connection.execute(
            "INSERT INTO deployments (id, service, version, write, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET version = excluded.version, write = excluded.write, body = excluded.body",
            (deployment_id, service, row.version, row.write, row.body),
        )

    def newest(self, service: str, limit: int) -> Sequence[tuple[str, bytes]]:
        query = "SELECT id, body FROM deployments WHERE service = ? ORDER BY seq DESC LIMIT ?"
        return [(found, _bytes(body)) for found, body in self._connection.execute(query, (service, limit))]

    def events(self, deployment_id: str) -> Sequence[bytes]:
        query = "SELECT body FROM events WHERE deployment = ? ORDER BY seq"
        return [_bytes(body) for (body,) in self._connection.execute(query, (deployment_id,))]

    def append_events(self, deployment_id: str, events: Sequence[bytes]) -> None:
        rows = [(deployment_id, body) for body in events]
        self._connection.executemany("INSERT INTO events (deployment, body) VALUES (?, ?)", rows)

    def decision(self, deployment_id: str, key: str) -> bytes | None:
        return self._one("SELECT body FROM decisions WHERE deployment = ? AND key = ?", deployment_id, key)

    def put_decision(self, deployment_id: str, key: str, body: bytes) -> None:
        self._connection.execute("INSERT INTO decisions VALUES (?, ?, ?)", (deployment_id, key, body))

    def _one(self, query: str, *parameters: str) -> bytes | None:
        found = self._connection.execute(query, parameters).fetchone()
        return None if found is None else _bytes(found[0])


# -- private

_DECISIONS = (
    "CREATE TABLE decisions (deployment TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (deployment, key)) WITHOUT ROWID",
    f"PRAGMA user_version = {FORMAT}",
)
_TABLES = (
    "CREATE TABLE services (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE deployments (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, service TEXT NOT NULL,"
    " version INTEGER NOT NULL, write TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX deployments_of_service ON deployments (service, seq)",
    "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, deployment TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX events_of_deployment ON events (deployment, seq)",
    f"PRAGMA application_id = {APPLICATION}",
    *_DECISIONS,
)
_FROM_FORMAT = {0: _TABLES, 1: _DECISIONS}
"""What makes a file of this format of an older one."""


def _create_file(path: Path) -> None:
    for folder in reversed([folder for folder in path.absolute().parents if not folder.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    # Only a file that nobody has open is ever closed here: closing one drops every lock that this process holds on it,
    # and another process would then fold the log away under our feet (https://www.sqlite.org/howtocorrupt.html, 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # In one transaction: another process may be making the tables between two questions.
    with _transaction(connection, write=False):
        found = _format(connection, path)
    if found < FORMAT:
        with _transaction(connection, write=True):
            for statement in _FROM_FORMAT.get(_format(connection, path), ()):
                connection.execute(statement)
    if found == 0:
        _use_a_log(connection)
    # A rollback must find what the process that died had written, even after a power cut.
    connection.execute("PRAGMA synchronous = FULL")


def _format(connection: sqlite3.Connection, path: Path) -> int:
    """0 for an empty file. Raises RecordError for one that is not ours or is newer than this program."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (found, tables) != (0, 0):
        raise RecordError(
            f"{path} is a database of another program", hint="name another file with --store sqlite:///PATH"
        )
    if found > FORMAT:
        raise RecordError(
            f"{path} was made by a newer bluegreen (format {found}; this one knows {FORMAT})",
            hint="upgrade bluegreen here; the file was left as it is",
        )
    return int(found)


def _use_a_log(connection: sqlite3.Connection) -> None:
    """The mode stays with the file. It cannot be set while another process is in it; all works without it too."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


@contextmanager
def _transaction(connection: sqlite3.Connection, write: bool) -> Iterator[None]:
    """IMMEDIATE takes the write lock at once, so that what is read cannot change before it is written."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _bytes(value: object) -> bytes:
    """Someone who edits the file by hand leaves text behind."""
    return value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, bytes) else b""


def _translate(error: sqlite3.Error, path: Path, busy_seconds: float) -> BluegreenError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return RecordError(f"the state store {path} cannot be read: {error}", hint=DAMAGED_HINT)
    said, hint = {
        sqlite3.SQLITE_BUSY: (
            f"is locked by another process for more than {busy_seconds:g} s",
            "repeat it; a stopped or suspended process may hold the file open",
        ),
        sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", "free some space and repeat it"),
        sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "check who owns the file and its folder"),
        sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check who owns the file and its folder"),
        sqlite3.SQLITE_IOERR: (f"cannot be read or written: {error}", "check the disk"),
    }.get(code, (f"fails: {error}", "name another file with --store sqlite:///PATH"))
    return StoreUnavailableError(f"the state store {path} {said}", hint=hint)


def create(path: Path) -> bool:
    """Make the file and its tables now. False when it was there already."""
    existed = path.exists() and path.stat().st_size > 0
    with closing(SqliteStore(path)) as store:
        store.services()
    return not existed
