"""A whole StateStore over any storage that has transactions and holds five kinds of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import ControlRequest, Lease, Owner, ServiceState
from bluegreen.store import codec
from bluegreen.store import lease as rules
from bluegreen.store.base import LEASE_SECONDS, Damaged
from bluegreen.store.write import Write, write_of


@dataclass(frozen=True, slots=True)
class Row:
    """A deployment's record as stored; ``write`` is the id of the Write that made it."""

    version: int
    write: str
    body: bytes


class Rows(Protocol):
    """What is seen and changed within one transaction."""

    def service(self, name: str) -> bytes | None: ...

    def put_service(self, name: str, body: bytes) -> None: ...

    def services(self) -> Sequence[str]:
        """Of the records, sorted."""
        ...

    def record(self, deployment_id: str) -> Row | None: ...

    def put_record(self, deployment_id: str, service: str, row: Row) -> None:
        """A new one is the newest of its service."""
        ...

    def newest(self, service: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """Ids and bodies."""
        ...

    def events(self, deployment_id: str) -> Sequence[bytes]: ...

    def append_events(self, deployment_id: str, events: Sequence[bytes]) -> None: ...

    def decision(self, deployment_id: str, key: str) -> bytes | None: ...

    def put_decision(self, deployment_id: str, key: str, body: bytes) -> None: ...


class TransactionalStore:
    """See StateStore. ``transaction(write)`` locks out every other writer when ``write`` is true."""

    def __init__(self, transaction: Callable[[bool], AbstractContextManager[Rows]]) -> None:
        self._transaction = transaction

    def service(self, name: str) -> ServiceState:
        with self._transaction(False) as rows:
            return _state(rows, name)

    def services(self) -> Sequence[str]:
        with self._transaction(False) as rows:
            return rows.services()

    def acquire(self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS) -> Lease:
        _, after = self._change(name, lambda state: rules.acquire(state, owner, now, seconds))
        return _held(after)

    def renew(self, lease: Lease, *, now: float, seconds: float = LEASE_SECONDS) -> tuple[Lease, ServiceState]:
        _, after = self._change(lease.service, lambda state: rules.renew(state, lease, now, seconds))
        return _held(after), after

    def preempt(
        self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS
    ) -> tuple[Lease, ServiceState]:
        before, after = self._change(name, lambda state: rules.preempt(state, owner, now, seconds))
        return _held(after), before

    def release(self, lease: Lease) -> None:
        self._change(lease.service, lambda state: rules.release(state, lease))

    def yield_token(self, name: str, token: int) -> None:
        self._change(name, lambda state: rules.yield_token(state, token))

    def begin(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        return self._write(
            write_of("begin", deployment, lease, events),
            lease,
            lambda state: rules.begin(state, deployment.id),
            new=True,
        )

    def save(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        return self._write(write_of("save", deployment, lease, events), lease, lambda state: state)

    def finish(
        self,
        deployment: Deployment,
        lease: Lease,
        events: Sequence[Event] = (),
        *,
        known_good: KnownGood | None = None,
        quarantined: Quarantined | None = None,
    ) -> Deployment:
        return self._write(
            write_of("finish", deployment, lease, events),
            lease,
            lambda state: rules.finish(state, deployment, known_good, quarantined),
        )

    def request(self, name: str, control: ControlRequest) -> None:
        self._change(name, lambda state: replace(state, control=control))

    def clear_request(self, lease: Lease, seen: ControlRequest | None = None) -> None:
        self._change_held(lease, lambda state: rules.clear_request(state, seen))

    def decide(self, deployment_id: str, decision: Decision) -> Decision:
        body = codec.encode_decision(decision, deployment_id)
        with self._transaction(True) as rows:
            found = rows.decision(deployment_id, decision.key)
            if found is None:
                rows.put_decision(deployment_id, decision.key, body)
        return decision if found is None else codec.decode_decision(found, deployment_id)

    def decision(self, deployment_id: str, key: str) -> Decision | None:
        with self._transaction(False) as rows:
            found = rows.decision(deployment_id, key)
        return None if found is None else codec.decode_decision(found, deployment_id)

    def load(self, deployment_id: str) -> Deployment:
        with self._transaction(False) as rows:
            row = rows.record(deployment_id)
        if row is None:
            raise codec.no_record(deployment_id)
        return codec.decode_deployment(row.body, deployment_id)

    def history(self, service: str, limit: int = 20) -> Sequence[Deployment]:
        with self._transaction(False) as rows:
            found = rows.newest(service, limit)
        return [codec.decode_deployment(body, deployment_id) for deployment_id, body in found]

    def entries(self, service: str, limit: int = 20) -> Sequence[Deployment | Damaged]:
        with self._transaction(False) as rows:
            found = rows.newest(service, limit)
        return [codec.read_deployment(body, deployment_id) for deployment_id, body in found]

    def events(self, deployment_id: str) -> Sequence[Event]:
        with self._transaction(False) as rows:
            found = rows.events(deployment_id)
        return [codec.decode_event(body, deployment_id) for body in found]

    # -- private

    def _change(self, name: str, change: Callable[[ServiceState], ServiceState]) -> tuple[ServiceState, ServiceState]:
        with self._transaction(True) as rows:
            before = _state(rows, name)
            after = change(before)
            if after != before:
                rows.put_service(name, codec.encode_service(after))
        return before, after

    def _change_held(self, lease: Lease, change: Callable[[ServiceState], ServiceState]) -> None:
        def fenced(state: ServiceState) -> ServiceState:
            rules.fence(state, lease)
            return change(state)

        self._change(lease.service, fenced)

    def _write(
        self, write: Write, lease: Lease, change: Callable[[ServiceState], ServiceState], *, new: bool = False
    ) -> Deployment:
        with self._transaction(True) as rows:
            before = _state(rows, lease.service)
            rules.fence(before, lease)
            row = rows.record(write.deployment.id)
            if row is None or row.write != write.id:
                after = change(before)
                rules.check_version(write, row.version if row else None, new=new)
                if after != before:
                    rows.put_service(lease.service, codec.encode_service(after))
                rows.put_record(write.deployment.id, lease.service, Row(write.deployment.version, write.id, write.body))
                rows.append_events(write.deployment.id, write.events)
        return write.deployment


def _state(rows: Rows, name: str) -> ServiceState:
    body = rows.service(name)
    return ServiceState(name) if body is None else codec.decode_service(body, name)


def _held(state: ServiceState) -> Lease:
    if state.lease is None:
        raise AssertionError("a state that was just leased has a lease")
    return state.lease
