"""Records in one DynamoDB table, for drivers on many machines.

    pk                sk                              what
    service#NAME      current                         the contended item (dynamodb_items.py)
    service#NAME      deployment#TOKEN#TIME#ID        a pointer for history, written once
    deployment#ID     record                          the record: version, body (JSON), id of its last write
    deployment#ID     events#VERSION#N                the events of one save
    deployment#ID     decision#KEY                    what a person said, written once
    services          NAME                            that it exists

A record changes only in a transaction that checks the lease's token on the contended item. Every read is strongly
consistent. An answer that was lost is made good: the same call is sent again and recognises its first effect.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bluegreen.aws.calls import Calls
from bluegreen.clock import Clock, SystemClock
from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import ControlRequest, Lease, Owner, ServiceState
from bluegreen.store import codec
from bluegreen.store import dynamodb_items as items
from bluegreen.store import lease as rules
from bluegreen.store.base import LEASE_SECONDS, Damaged
from bluegreen.store.dynamodb_calls import Part, Refused, TableCalls
from bluegreen.store.write import Write, write_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONTENDED_TRIES = 5

Parts = Callable[[items.Item], list[Part]]
"""A transaction's parts but its events, made from the contended item as last read."""


class DynamoStore:
    """See StateStore. Safe to share between threads, as its client is. Throttles are waited out for some seconds.

    ``calls`` counts and logs; by default it is a new one.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, clock: Clock | None = None, calls: Calls | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._table = TableCalls(client, table, clock, calls or Calls(clock))

    def service(self, name: str) -> ServiceState:
        return items.state_of(self._item(name), name)

    def services(self) -> Sequence[str]:
        return [items.text(item, "sk") for item in self._table.query(items.SERVICES)]

    def acquire(self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS) -> Lease:
        call, wanted = uuid.uuid4().hex, Lease(name, 0, owner, now, now + seconds)
        for _ in range(CONTENDED_TRIES):
            found = self._table.update(items.service_key(name), items.grant_if_free(wanted, call, now))
            if isinstance(found, Refused):
                found = self._item(name)
                held = items.state_of(found, name).lease
                if not items.was_granted_by(found, call):
                    if held is not None and held.expires_at > now:
                        raise rules.locked(held, now)
                    continue
            return items.lease_of(found, name)
        raise self._table.contended()

    def renew(self, lease: Lease, *, now: float, seconds: float = LEASE_SECONDS) -> tuple[Lease, ServiceState]:
        longer = replace(lease, expires_at=now + seconds)
        found = self._table.update(items.service_key(lease.service), items.renewal(longer))
        if isinstance(found, Refused):
            raise rules.preempted(self.service(lease.service), lease)
        return longer, items.state_of(found, lease.service)

    def preempt(
        self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS
    ) -> tuple[Lease, ServiceState]:
        call, wanted = uuid.uuid4().hex, Lease(name, 0, owner, now, now + seconds)
        found = self._table.update(items.service_key(name), items.grant(wanted, call))
        if isinstance(found, Refused):
            found = self._item(name)
        if not items.was_granted_by(found, call):
            # An earlier try of this call took effect, and by now someone else pre-empted us in turn.
            raise rules.preempted(items.state_of(found, name), wanted)
        return items.lease_of(found, name), items.state_before(found, name)

    def release(self, lease: Lease) -> None:
        if isinstance(self._table.update(items.service_key(lease.service), items.giving_back(lease.token)), Refused):
            self.yield_token(lease.service, lease.token)

    def yield_token(self, name: str, token: int) -> None:
        """A refusal says that a newer token has yielded already, or that there never was this one."""
        self._table.update(items.service_key(name), items.yielding(token))

    def begin(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        write = write_of("begin", deployment, lease, events)
        parts = [
            self._table.changing(items.service_key(lease.service), items.beginning(lease, deployment.id)),
            self._table.putting(items.record(write), items.IS_NEW),
            self._table.putting(items.pointer(deployment, lease)),
            self._table.putting(items.service_entry(lease.service)),
        ]
        return self._write(write, lease, lambda _: parts, new=True)

    def save(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        write = write_of("save", deployment, lease, events)
        parts = [
            self._table.checking(items.service_key(lease.service), items.holding(lease)),
            self._table.putting(items.record(write), items.at_version(write.expected)),
        ]
        return self._write(write, lease, lambda _: parts)

    def finish(
        self,
        deployment: Deployment,
        lease: Lease,
        events: Sequence[Event] = (),
        *,
        known_good: KnownGood | None = None,
        quarantined: Quarantined | None = None,
    ) -> Deployment:
        write = write_of("finish", deployment, lease, events)

        def parts(before: items.Item) -> list[Part]:
            after = rules.finish(items.state_of(before, lease.service), deployment, known_good, quarantined)
            change = items.ledgers(lease, before, after)
            return [
                self._table.changing(items.service_key(lease.service), change),
                self._table.putting(items.record(write), items.at_version(write.expected)),
            ]

        before = self._item(lease.service)
        rules.fence(items.state_of(before, lease.service), lease)
        return self._write(write, lease, parts, before)

    def request(self, name: str, control: ControlRequest) -> None:
        self._table.update(items.service_key(name), items.requesting(control))

    def clear_request(self, lease: Lease, seen: ControlRequest | None = None) -> None:
        before = None if seen is None else self._item(lease.service)
        if before and items.state_of(before, lease.service).control != seen:
            rules.fence(items.state_of(before, lease.service), lease)
            return
        found = self._table.update(items.service_key(lease.service), items.clearing(lease, before))
        if isinstance(found, Refused):
            rules.fence(self.service(lease.service), lease)

    def decide(self, deployment_id: str, decision: Decision) -> Decision:
        found = self._table.update(
            items.decision_key(deployment_id, decision.key), items.deciding(decision, deployment_id)
        )
        return decision if not isinstance(found, Refused) else self.decision(deployment_id, decision.key) or decision

    def decision(self, deployment_id: str, key: str) -> Decision | None:
        found = self._table.get(items.decision_key(deployment_id, key))
        return codec.decode_decision(items.text(found, "body"), deployment_id) if found else None

    def load(self, deployment_id: str) -> Deployment:
        found = self._table.get(items.record_key(deployment_id))
        if not found:
            raise codec.no_record(deployment_id)
        return codec.decode_deployment(items.text(found, "body"), deployment_id)

    def history(self, service: str, limit: int = 20) -> Sequence[Deployment]:
        return [codec.decode_deployment(body, found_id) for found_id, body in self._newest(service, limit)]

    def entries(self, service: str, limit: int = 20) -> Sequence[Deployment | Damaged]:
        return [codec.read_deployment(body, found_id) for found_id, body in self._newest(service, limit)]

    def _newest(self, service: str, limit: int) -> list[tuple[str, str]]:
        """Ids and bodies."""
        pointers = self._table.query(items.service_pk(service), prefix="deployment#", limit=limit, newest_first=True)
        ids = [items.text(pointer, "id") for pointer in pointers]
        found = self._table.get_many([items.record_key(deployment_id) for deployment_id in ids])
        bodies = {items.deployment_id(item): items.text(item, "body") for item in found}
        return [(found_id, bodies.get(found_id, "")) for found_id in ids]

    def events(self, deployment_id: str) -> Sequence[Event]:
        chunks = self._table.query(items.deployment_pk(deployment_id), prefix="events#")
        lines = [line for chunk in chunks for line in items.lines(chunk)]
        return [codec.decode_event(line, deployment_id) for line in lines]

    # -- private

    def _item(self, name: str) -> items.Item:
        return self._table.get(items.service_key(name))

    def _write(
        self, write: Write, lease: Lease, parts: Parts, before: items.Item | None = None, *, new: bool = False
    ) -> Deployment:
        items.check_size(write)
        events = [self._table.putting(chunk) for chunk in items.event_chunks(write)]
        for _ in range(CONTENDED_TRIES):
            if self._table.transact([*parts(before or {}), *events]) is None:
                return write.deployment
            before = self._item(lease.service)
            if self._took_effect(write, lease, items.state_of(before, lease.service), new):
                return write.deployment
        raise self._table.contended()

    def _took_effect(self, write: Write, lease: Lease, state: ServiceState, new: bool) -> bool:
        """True when an earlier try did it. Raises for the reason of the refusal; False when it is gone by now."""
        rules.fence(state, lease)
        row = self._table.get(items.record_key(write.deployment.id))
        if row and items.text(row, "write") == write.id:
            return True
        if new:
            rules.begin(state, write.deployment.id)
        rules.check_version(write, items.number(row, "version") if row else None, new=new)
        return False
