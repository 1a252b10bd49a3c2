"""Records as JSON bytes. What is read is checked whole before it is used; what cannot be read is left as it is.

Every record carries ``schema``. An older one is upgraded in memory, one schema at a time, and is written in the
new form with its next save; a newer one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import SCHEMA, Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.service import ServiceState
from bluegreen.errors import RecordError
from bluegreen.store.base import Damaged

T = TypeVar("T")

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""From the JSON object of schema N to that of schema N+1 (the ``schema`` key is set by the caller)."""

DAMAGED_HINT = (
    "it was left as it is: restore it from a backup (on DynamoDB: point-in-time recovery); "
    "traffic can be put back without it: bluegreen rollback"
)


class Format(NamedTuple, Generic[T]):
    """One kind of record. ``upgrades[N]`` makes schema N+1 of schema N."""

    type: type[T]
    schema: int
    upgrades: Mapping[int, Upgrade]

    def encode(self, value: T, name: str) -> bytes:
        """Raises RecordError for a value that could not be read back."""
        try:
            raw = msgspec.json.encode(value)
            msgspec.json.decode(raw, type=self.type)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise RecordError(f"{name} cannot be stored: {error}", hint="please report this: it is a bug") from error
        return raw

    def decode(self, raw: bytes | str, name: str) -> T:
        """``name`` is what a person calls the record. Raises RecordError naming it, the fault and its place."""
        try:
            return self._decode(raw, name)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise damaged(name, str(error)) from error

    # -- private

    def _decode(self, raw: bytes | str, name: str) -> T:
        found = msgspec.json.decode(raw, type=_Head).schema
        if found > self.schema:
            raise newer(name, found, self.schema)
        if found < self.schema:
            raw = self._upgraded(raw, found, name)
        value = msgspec.json.decode(raw, type=self.type)
        _refuse_unknown_keys(raw, value, name)
        return value

    def _upgraded(self, raw: bytes | str, found: int, name: str) -> bytes:
        content = msgspec.json.decode(raw, type=dict[str, Any])
        for schema in range(found, self.schema):
            if schema not in self.upgrades:
                raise damaged(name, f"its schema is {schema}, which no bluegreen has written - at `$.schema`")
            content = {**self.upgrades[schema](content), "schema": schema + 1}
        return msgspec.json.encode(content)


@dataclass(frozen=True, slots=True)
class StoredService:
    schema: int
    state: ServiceState


@dataclass(frozen=True, slots=True)
class StoredEvent:
    schema: int
    event: Event


@dataclass(frozen=True, slots=True)
class StoredDecision:
    schema: int
    decision: Decision


DEPLOYMENTS = Format(Deployment, SCHEMA, {})
SERVICES = Format(StoredService, 1, {})
EVENTS = Format(StoredEvent, 1, {})
DECISIONS = Format(StoredDecision, 1, {})


def encode_deployment(deployment: Deployment) -> bytes:
    return DEPLOYMENTS.encode(deployment, _deployment_name(deployment.id))


def decode_deployment(raw: bytes | str, deployment_id: str) -> Deployment:
    name = _deployment_name(deployment_id)
    deployment = DEPLOYMENTS.decode(raw, name)
    if deployment.id != deployment_id:
        raise damaged(name, f"it says that it is the record of {deployment.id} - at `$.id`")
    return deployment


def read_deployment(raw: bytes | str, deployment_id: str) -> Deployment | Damaged:
    """For a list: what cannot be read is told in its place."""
    try:
        return decode_deployment(raw, deployment_id)
    except RecordError as error:
        return Damaged(deployment_id, error.message)


def encode_service(state: ServiceState) -> bytes:
    return SERVICES.encode(StoredService(SERVICES.schema, state), _service_name(state.service))


def decode_service(raw: bytes | str, service: str) -> ServiceState:
    return SERVICES.decode(raw, _service_name(service)).state


def encode_event(event: Event) -> bytes:
    return EVENTS.encode(StoredEvent(EVENTS.schema, event), f"an event of deployment {event.deployment}")


def decode_event(raw: bytes | str, deployment_id: str) -> Event:
    return EVENTS.decode(raw, f"an event of deployment {deployment_id}").event


def encode_decision(decision: Decision, deployment_id: str) -> bytes:
    return DECISIONS.encode(StoredDecision(DECISIONS.schema, decision), _decision_name(deployment_id))


def decode_decision(raw: bytes | str, deployment_id: str) -> Decision:
    return DECISIONS.decode(raw, _decision_name(deployment_id)).decision


def encode_part(value: object) -> str:
    """A part of an item that a store keeps as an attribute of its own."""
    return msgspec.json.encode(value).decode()


def decode_part(raw: str, kind: type[T], name: str, attribute: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        raise damaged(name, f"{error} (attribute {attribute})") from error


def no_record(deployment_id: str) -> RecordError:
    return RecordError(
        f"there is no record of deployment {deployment_id} in this store",
        hint="is it the right store (--store, BLUEGREEN_STORE)? bluegreen history lists what it holds",
    )


def damaged(name: str, fault: str) -> RecordError:
    return RecordError(f"{name} cannot be read: {fault}", hint=DAMAGED_HINT)


def newer(name: str, found: int, known: int) -> RecordError:
    return RecordError(
        f"{name} was written by a newer bluegreen (schema {found}; this one reads up to {known})",
        hint="upgrade bluegreen here; the record was left as it is",
    )


# -- private


class _Head(msgspec.Struct):
    schema: int


def _deployment_name(deployment_id: str) -> str:
    return f"the record of deployment {deployment_id}"


def _decision_name(deployment_id: str) -> str:
    return f"a decision on deployment {deployment_id}"


def _service_name(service: str) -> str:
    return f"the record of service {service}"


def _refuse_unknown_keys(raw: bytes | str, value: object, name: str) -> None:
    """A key that nobody knows would be lost with the next save."""
    clean = msgspec.json.encode(value)
    if clean == (raw.encode() if isinstance(raw, str) else raw):
        return
    path = _unknown_key(msgspec.json.decode(raw), msgspec.json.decode(clean), "$")
    if path:
        raise damaged(name, f"unknown key - at `{path}`")


def _unknown_key(raw: Any, clean: Any, path: str) -> str | None:
    if isinstance(raw, dict) and isinstance(clean, dict):
        pairs = [(f"{path}.{key}", raw[key], clean.get(key, _ABSENT)) for key in raw]
    elif isinstance(raw, list) and isinstance(clean, list):
        pairs = [(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(raw, clean, strict=True))]
    else:
        return None
    for where, left, right in pairs:
        if right is _ABSENT:
            return where
        if found := _unknown_key(left, right, where):
            return found
    return None


_ABSENT = object()
