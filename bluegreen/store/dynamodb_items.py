"""The items of the DynamoDB table and the expressions that change them.

The contended item keeps each field as an attribute of its own, so that one update, unconditional where it must be,
hands out a token: ``token lease before call owner active yielded control known_good quarantine schema``.
``call`` is the id of the call that was granted the lease, and ``before`` the lease that it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import ControlRequest, Lease, Owner, ServiceState
from bluegreen.errors import RecordError
from bluegreen.store import codec
from bluegreen.store.write import Write

T = TypeVar("T")

Attribute = dict[str, str]
"""``{"S": text}`` or ``{"N": digits}``: all that this table uses."""

Item = Mapping[str, Attribute]
Key = dict[str, Attribute]

SERVICES = "services"
SCHEMA = 1
NO_LEASE = "-"

LARGEST_BODY = 390_000
"""Bytes of a record's JSON. An item of more than 400 KB is refused by DynamoDB, names included."""

LARGEST_CHUNK = 300_000
LARGEST_EVENTS = 3_000_000
"""A transaction carries 4 MB and 100 items."""


@dataclass(frozen=True, slots=True)
class Expression:
    """``#name`` stands for the attribute ``name``, as many are reserved words. A mere condition has no ``update``."""

    condition: str = ""
    update: str = ""
    values: Key = field(default_factory=dict)

    def only_if(self, condition: str, values: Key | None = None) -> Expression:
        both = " AND ".join(part for part in (self.condition, condition) if part)
        return replace(self, condition=both, values={**self.values, **(values or {})})


IS_NEW = Expression("attribute_not_exists(#pk)")


def at_version(version: int) -> Expression:
    return Expression("#version = :version", "", {":version": _n(version)})


# -- keys and items


def service_pk(name: str) -> str:
    return f"service#{name}"


def deployment_pk(deployment_id: str) -> str:
    return f"deployment#{deployment_id}"


def service_key(name: str) -> Key:
    return _key(service_pk(name), "current")


def record_key(deployment_id: str) -> Key:
    return _key(deployment_pk(deployment_id), "record")


def decision_key(deployment_id: str, key: str) -> Key:
    return _key(deployment_pk(deployment_id), f"decision#{key}")


def deciding(decision: Decision, deployment_id: str) -> Expression:
    """Only the first time: whoever decided stands."""
    body = codec.encode_decision(decision, deployment_id).decode()
    return Expression("attribute_not_exists(#pk)", "SET #body = :body", {":body": _s(body)})


def record(write: Write) -> Key:
    return {
        **record_key(write.deployment.id),
        "service": _s(write.deployment.service),
        "version": _n(write.deployment.version),
        "write": _s(write.id),
        "body": _s(write.body.decode()),
    }


def pointer(deployment: Deployment, lease: Lease) -> Key:
    """Sorted as the deployments began: by token, which no clock can turn back, and within one lease by time."""
    order = f"{lease.token:012d}#{round(deployment.started_at * 1000):015d}"
    return {**_key(service_pk(lease.service), f"deployment#{order}#{deployment.id}"), "id": _s(deployment.id)}


def service_entry(name: str) -> Key:
    return _key(SERVICES, name)


def event_chunks(write: Write) -> list[Key]:
    """The save's events, packed: a transaction has room for few items but large ones."""
    chunks: list[list[bytes]] = [[]]
    for line in write.events:
        if chunks[-1] and sum(map(len, chunks[-1])) + len(chunks[-1]) + len(line) > LARGEST_CHUNK:
            chunks.append([])
        chunks[-1].append(line)
    pk = deployment_pk(write.deployment.id)
    return [
        {**_key(pk, f"events#{write.deployment.version:010d}#{index:03d}"), "events": _s(b"\n".join(chunk).decode())}
        for index, chunk in enumerate(chunks)
        if chunk
    ]


def check_size(write: Write) -> None:
    """Raises RecordError for what DynamoDB would not take."""
    largest = max((len(line) for line in write.events), default=0)
    total = sum(len(line) for line in write.events)
    for what, size, limit in (
        ("its record", len(write.body), LARGEST_BODY),
        ("one of its events", largest, LARGEST_CHUNK),
        ("the events of one step", total, LARGEST_EVENTS),
    ):
        if size > limit:
            raise RecordError(
                f"deployment {write.deployment.id} cannot be stored: {what} has {size} bytes, "
                f"and DynamoDB has room for {limit}",
                hint="what was stored before stands; make the hooks' output shorter, or use a SQLite store",
            )


# -- reading


def text(item: Item, attribute: str) -> str:
    value = item.get(attribute, {}).get("S")
    if value is None:
        raise codec.damaged(_name(item), f"it has no text attribute {attribute}")
    return value


def number(item: Item, attribute: str) -> int:
    value = item.get(attribute, {}).get("N", "")
    if not value.isdecimal():
        raise codec.damaged(_name(item), f"it has no whole number in attribute {attribute}")
    return int(value)


def deployment_id(item: Item) -> str:
    return text(item, "pk").partition("#")[2]


def lines(chunk: Item) -> list[str]:
    return text(chunk, "events").split("\n")


def state_of(item: Item, name: str) -> ServiceState:
    if not item:
        return ServiceState(name)
    _check_schema(item, name)
    return ServiceState(
        service=name,
        token=number(item, "token") if "token" in item else 0,
        lease=_lease(item, "lease"),
        active=text(item, "active") if "active" in item else None,
        yielded=number(item, "yielded") if "yielded" in item else 0,
        control=_part(item, "control", ControlRequest),
        known_good=_part(item, "known_good", tuple[KnownGood, ...]) or (),
        quarantine=_part(item, "quarantine", tuple[Quarantined, ...]) or (),
        last_owner=_part(item, "owner", Owner),
    )


def lease_of(item: Item, name: str) -> Lease:
    lease = state_of(item, name).lease
    if lease is None:
        raise codec.damaged(_name(item), "it has no attribute lease")
    return lease


def state_before(item: Item, name: str) -> ServiceState:
    """What ``item`` was before the grant that it shows."""
    after = state_of(item, name)
    ended = None if text(item, "before") == NO_LEASE else _lease(item, "before")
    ended = replace(ended, token=after.token - 1) if ended else None
    return replace(after, token=after.token - 1, lease=ended, last_owner=ended.owner if ended else None)


def was_granted_by(item: Item, call: str) -> bool:
    return item.get("call", {}).get("S") == call and "lease" in item


# -- changes of the contended item


def grant(lease: Lease, call: str) -> Expression:
    """A new lease: counts the token up and keeps what it ends in ``before``. Never twice for the same ``call``."""
    return Expression(
        "(attribute_not_exists(#call) OR #call <> :call)",
        "SET #token = if_not_exists(#token, :zero) + :one, #before = if_not_exists(#lease, :none), #lease = :lease,"
        " #expires = :expires, #owner = :owner, #call = :call, #schema = :schema",
        {
            ":zero": _n(0),
            ":one": _n(1),
            ":none": _s(NO_LEASE),
            ":lease": _s(codec.encode_part(lease)),
            ":expires": _n(lease.expires_at),
            ":owner": _s(codec.encode_part(lease.owner)),
            ":call": _s(call),
            ":schema": _n(SCHEMA),
        },
    )


def grant_if_free(lease: Lease, call: str, now: float) -> Expression:
    return grant(lease, call).only_if("(attribute_not_exists(#lease) OR #expires <= :now)", {":now": _n(now)})


def holding(lease: Lease) -> Expression:
    """The fence: the lease is the one in force."""
    return Expression("#token = :token AND attribute_exists(#lease)", "", {":token": _n(lease.token)})


def renewal(lease: Lease) -> Expression:
    values = {":lease": _s(codec.encode_part(lease)), ":expires": _n(lease.expires_at)}
    return _held(lease, "SET #lease = :lease, #expires = :expires", values)


def giving_back(token: int) -> Expression:
    return Expression("#token = :token", "REMOVE #lease, #expires", {":token": _n(token)})


def yielding(token: int) -> Expression:
    condition = "#token >= :token AND (attribute_not_exists(#yielded) OR #yielded < :token)"
    return Expression(condition, "SET #yielded = :token", {":token": _n(token)})


def beginning(lease: Lease, deployment_id: str) -> Expression:
    change = _held(lease, "SET #active = :active REMOVE #control", {":active": _s(deployment_id)})
    return change.only_if("attribute_not_exists(#active)")


def requesting(control: ControlRequest) -> Expression:
    values = {":control": _s(codec.encode_part(control)), ":schema": _n(SCHEMA)}
    return Expression("", "SET #control = :control, #schema = :schema", values)


def clearing(lease: Lease, before: Item | None = None) -> Expression:
    """With ``before``, only if the wish is still the one there."""
    change = _held(lease, "REMOVE #control", {})
    return change if before is None else _unchanged(change, before, "control")


def ledgers(lease: Lease, before: Item, after: ServiceState) -> Expression:
    """Both ledgers replaced, if they are still as ``before`` has them; and no deployment is active any more."""
    change = _held(
        lease,
        "SET #known_good = :good, #quarantine = :bad REMOVE #active, #control",
        {":good": _s(codec.encode_part(after.known_good)), ":bad": _s(codec.encode_part(after.quarantine))},
    )
    return _unchanged(_unchanged(change, before, "known_good"), before, "quarantine")


# -- private


def _held(lease: Lease, update: str, values: Key) -> Expression:
    return Expression("", update, values).only_if(holding(lease).condition, holding(lease).values)


def _unchanged(change: Expression, before: Item, attribute: str) -> Expression:
    if attribute not in before:
        return change.only_if(f"attribute_not_exists(#{attribute})")
    return change.only_if(f"#{attribute} = :was_{attribute}", {f":was_{attribute}": before[attribute]})


def _key(pk: str, sk: str) -> Key:
    return {"pk": _s(pk), "sk": _s(sk)}


def _s(value: str) -> Attribute:
    return {"S": value}


def _n(value: float) -> Attribute:
    return {"N": repr(value)}


def _name(item: Item) -> str:
    return f"the item {item.get('pk', {}).get('S')} / {item.get('sk', {}).get('S')}"


def _lease(item: Item, attribute: str) -> Lease | None:
    """The token is counted by the table, so it is not in the lease's own text."""
    lease = _part(item, attribute, Lease)
    return replace(lease, token=number(item, "token")) if lease else None


def _part(item: Item, attribute: str, kind: type[T]) -> T | None:
    if attribute not in item:
        return None
    return codec.decode_part(text(item, attribute), kind, _name(item), attribute)


def _check_schema(item: Item, name: str) -> None:
    found = number(item, "schema") if "schema" in item else SCHEMA
    if found > SCHEMA:
        raise codec.newer(f"the record of service {name}", found, SCHEMA)
