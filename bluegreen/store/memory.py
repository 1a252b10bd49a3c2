"""A whole StateStore in this process's memory: for tests of what stands on a store. Keeps bytes, as the others do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bluegreen.store.transactional import Row, Rows, TransactionalStore


class MemoryStore(TransactionalStore):
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rows = MemoryRows()
        super().__init__(self._locked)

    @contextmanager
    def _locked(self, write: bool) -> Iterator[Rows]:
        with self._lock:
            yield self.rows


class MemoryRows:
    """See Rows. Nothing is rolled back: a transaction checks all before it puts anything."""

    def __init__(self) -> None:
        self._services: dict[str, bytes] = {}
        self._records: dict[str, Row] = {}
        self._order: list[tuple[str, str]] = []
        self._events: dict[str, list[bytes]] = {}
        self._decisions: dict[tuple[str, str], bytes] = {}

    def service(self, name: str) -> bytes | None:
        return self._services.get(name)

    def put_service(self, name: str, body: bytes) -> None:
        self._services[name] = body

    def services(self) -> Sequence[str]:
        return sorted({service for service, _ in self._order})

    def record(self, deployment_id: str) -> Row | None:
        return self._records.get(deployment_id)

    def put_record(self, deployment_id: str, service: str, row: Row) -> None:
        if deployment_id not in self._records:
            self._order.append((service, deployment_id))
        self._records[deployment_id] = row

    def newest(self, service: str, limit: int) -> Sequence[tuple[str, bytes]]:
        ids = [deployment_id for name, deployment_id in reversed(self._order) if name == service]
        return [(deployment_id, self._records[deployment_id].body) for deployment_id in ids[:limit]]

    def events(self, deployment_id: str) -> Sequence[bytes]:
        return tuple(self._events.get(deployment_id, ()))

    def append_events(self, deployment_id: str, events: Sequence[bytes]) -> None:
        self._events.setdefault(deployment_id, []).extend(events)

    def decision(self, deployment_id: str, key: str) -> bytes | None:
        return self._decisions.get((deployment_id, key))

    def put_decision(self, deployment_id: str, key: str, body: bytes) -> None:
        self._decisions[deployment_id, key] = body
