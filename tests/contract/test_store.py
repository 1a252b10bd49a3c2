"""What every state store promises. Run over memory, SQLite, and DynamoDB as moto and as Amazon's DynamoDB Local."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import pytest
from moto import mock_aws

from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Control, ControlRequest, Lease, ServiceState
from bluegreen.errors import LockedError, PreemptedError, RecordError
from bluegreen.store.base import LEASE_SECONDS, StateStore
from bluegreen.store.dynamodb import DynamoStore
from bluegreen.store.dynamodb_table import create_table
from bluegreen.store.memory import MemoryStore
from bluegreen.store.sqlite import SqliteStore
from bluegreen.store.transactional import Row
from tests.contract.store_support import (
    ALICE,
    BOB,
    NOW,
    WITHOUT,
    LocalServer,
    a_client,
    a_deployment,
    a_full_deployment,
    an_event,
    dynamodb_local,
    known_good,
    quarantined,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KINDS = ["memory", "sqlite", "moto", *([] if os.environ.get(WITHOUT) == "1" else ["dynamodb-local"])]


@dataclass
class Case:
    """``spoil`` replaces the stored body of a record behind the store's back."""

    store: StateStore
    spoil: Callable[[str, bytes], None]
    stored: Callable[[str], bytes]


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb-local")) as server:
        yield server


@pytest.fixture(params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield _memory()
        elif request.param == "sqlite":
            yield _sqlite(tmp_path / "records.db", stack)
        elif request.param == "moto":
            stack.enter_context(mock_aws())
            yield _dynamo(cast("DynamoDBClient", OneAtATime(a_client())))
        else:
            server: LocalServer = request.getfixturevalue("local_server")
            yield _dynamo(a_client(server.url))


@pytest.fixture
def store(case: Case) -> StateStore:
    return case.store


# -- the lease


def test_an_unknown_service_answers_an_empty_state(store: StateStore) -> None:
    assert store.service("orders") == ServiceState("orders")
    assert list(store.services()) == []
    assert list(store.history("orders")) == []
    assert list(store.events("d-1")) == []


def test_a_held_lease_is_refused_to_others_naming_its_holder_and_age(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    assert lease == Lease("orders", 1, ALICE, NOW, NOW + LEASE_SECONDS)
    with pytest.raises(LockedError) as refused:
        store.acquire("orders", BOB, now=NOW + 12)
    assert str(ALICE) in refused.value.message
    assert "12 s" in refused.value.message
    assert store.service("orders").lease == lease


def test_one_service_does_not_lock_another(store: StateStore) -> None:
    store.acquire("orders", ALICE, now=NOW)
    assert store.acquire("billing", BOB, now=NOW).token == 1


def test_an_expired_lease_is_taken_over_with_a_greater_token(store: StateStore) -> None:
    first = store.acquire("orders", ALICE, now=NOW, seconds=10)
    second = store.acquire("orders", BOB, now=NOW + 10)
    assert (first.token, second.token) == (1, 2)
    with pytest.raises(PreemptedError) as gone:
        store.renew(first, now=NOW + 11)
    assert str(BOB) in gone.value.message


def test_renewing_extends_the_lease_and_reads_the_item(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    wish = ControlRequest(Control.PAUSE, "bob", NOW + 1, "lunch")
    store.request("orders", wish)
    renewed, state = store.renew(lease, now=NOW + 20)
    assert renewed == replace(lease, expires_at=NOW + 20 + LEASE_SECONDS)
    assert (state.lease, state.control) == (renewed, wish)
    assert store.service("orders") == state
    with pytest.raises(LockedError):
        store.acquire("orders", BOB, now=NOW + 40)


def test_an_expired_lease_that_nobody_took_can_be_renewed_and_written_with(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW, seconds=10)
    saved = store.begin(a_deployment(), lease)
    renewed, _ = store.renew(lease, now=NOW + 500)
    assert renewed.token == lease.token
    assert store.save(saved, lease).version == 2


def test_a_released_lease_is_free_at_once_and_cannot_be_used_again(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease)
    store.release(lease)
    state = store.service("orders")
    assert (state.lease, state.yielded, state.token) == (None, 0, 1)
    with pytest.raises(PreemptedError):
        store.renew(lease, now=NOW + 1)
    with pytest.raises(PreemptedError):
        store.save(begun, lease)
    assert store.acquire("orders", BOB, now=NOW + 1).token == 2


def test_releasing_a_lost_lease_is_no_error_and_leaves_the_new_one(store: StateStore) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    new, _ = store.preempt("orders", BOB, now=NOW + 1)
    store.release(old)
    store.release(old)
    state = store.service("orders")
    assert (state.lease, state.yielded) == (new, old.token)


def test_yielding_only_ever_grows_and_never_passes_the_token(store: StateStore) -> None:
    store.acquire("orders", ALICE, now=NOW)
    store.preempt("orders", BOB, now=NOW)
    store.preempt("orders", ALICE, now=NOW)
    seen = []
    for token in (2, 1, 9):
        store.yield_token("orders", token)
        seen.append(store.service("orders").yielded)
    assert seen == [2, 2, 2]


def test_preempting_works_at_once_and_answers_the_state_before(store: StateStore) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), old)
    new, before = store.preempt("orders", BOB, now=NOW + 1)
    assert (before.lease, before.token, before.active, before.yielded) == (old, 1, begun.id, 0)
    assert new == Lease("orders", 2, BOB, NOW + 1, NOW + 1 + LEASE_SECONDS)
    assert store.service("orders").lease == new


def test_preempting_a_service_without_a_lease_answers_that_there_was_none(store: StateStore) -> None:
    first, before = store.preempt("orders", BOB, now=NOW)
    assert (first.token, before.lease, before.token) == (1, None, 0)
    store.release(first)
    second, before = store.preempt("orders", ALICE, now=NOW)
    assert (second.token, before.lease, before.yielded) == (2, None, 0)


def test_the_word_of_a_preempted_driver_is_heard_after_the_next_one_gave_back_its_lease(store: StateStore) -> None:
    first = store.acquire("orders", ALICE, now=NOW)
    second, _ = store.preempt("orders", BOB, now=NOW + 1)
    store.release(second)
    assert store.service("orders").yielded == 0, "the second driver's end says nothing of the first"
    store.yield_token("orders", first.token)
    assert store.service("orders").yielded == first.token


def test_every_write_of_a_preempted_driver_is_refused_naming_who_took_over(store: StateStore) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), old, [an_event("one")])
    new, _ = store.preempt("orders", BOB, now=NOW + 1)
    store.request("orders", ControlRequest(Control.PAUSE, "bob", NOW))
    before = store.service("orders")
    late: list[Callable[[], object]] = [
        lambda: store.renew(old, now=NOW + 2),
        lambda: store.save(begun, old, [an_event("late")]),
        lambda: store.finish(begun, old, [an_event("late")], known_good=known_good(1)),
        lambda: store.begin(a_deployment("d-2"), old),
        lambda: store.clear_request(old),
    ]
    for write in late:
        with pytest.raises(PreemptedError) as refused:
            write()
        assert str(BOB) in refused.value.message
    assert store.service("orders") == before
    assert store.load("d-1") == begun
    assert [event.message for event in store.events("d-1")] == ["one"]
    assert store.save(begun, new).version == 2


def test_a_preempted_driver_learns_who_took_over_even_after_that_one_has_finished(store: StateStore) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    new, _ = store.preempt("orders", BOB, now=NOW + 1)
    store.release(new)
    with pytest.raises(PreemptedError, match="bob@laptop"):
        store.renew(old, now=NOW + 2)


# -- records and events


def test_every_field_of_a_record_survives_the_store(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(replace(a_full_deployment(), version=0), lease)
    assert begun == replace(a_full_deployment(), version=1)
    assert store.load("d-1") == begun


def test_beginning_makes_the_record_and_the_active_deployment_at_once(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease, [an_event("started")])
    assert begun == replace(a_deployment(), version=1)
    assert store.load("d-1") == begun
    assert store.service("orders").active == "d-1"
    assert list(store.events("d-1")) == [an_event("started")]
    assert list(store.services()) == ["orders"]


def test_a_second_active_deployment_is_refused_and_leaves_no_trace(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment("d-1"), lease)
    with pytest.raises(LockedError, match="d-1"):
        store.begin(a_deployment("d-2"), lease, [an_event("started", "d-2")])
    assert store.service("orders").active == "d-1"
    assert list(store.events("d-2")) == []
    assert [d.id for d in store.history("orders")] == ["d-1"]
    with pytest.raises(RecordError):
        store.load("d-2")


def test_an_id_is_never_used_twice(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    ended = store.finish(store.begin(a_deployment(), lease), lease)
    with pytest.raises(LockedError, match="already"):
        store.begin(a_deployment(), lease)
    assert store.load("d-1") == ended
    assert store.service("orders").active is None


def test_a_save_over_another_version_is_refused_and_writes_no_event(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease)
    saved = store.save(replace(begun, phase=Phase.LAUNCH), lease, [an_event("launch")])
    with pytest.raises(LockedError) as refused:
        store.save(replace(begun, phase=Phase.TEST), lease, [an_event("stale")])
    assert "version 2" in refused.value.message
    assert store.load("d-1") == saved
    assert [event.message for event in store.events("d-1")] == ["launch"]


def test_a_save_without_a_record_is_refused(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    with pytest.raises(RecordError, match="no record of deployment d-1"):
        store.save(a_deployment(), lease)


def test_events_keep_their_order_over_many_saves(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    deployment = store.begin(a_deployment(), lease, [an_event("0"), an_event("1")])
    for step in range(2, 14):
        deployment = store.save(deployment, lease, [an_event(f"{step}a", at=NOW - step), an_event(f"{step}b")])
    deployment = store.save(deployment, lease)
    expected = ["0", "1", *(f"{step}{half}" for step in range(2, 14) for half in "ab")]
    assert [event.message for event in store.events("d-1")] == expected


def test_a_hundred_and_more_events_go_with_one_save(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    many = [an_event(f"{number} " + "x" * 4000) for number in range(150)]
    store.begin(a_deployment(), lease, many)
    assert list(store.events("d-1")) == many


@pytest.mark.parametrize("verb", ["begin", "save", "finish"])
def test_a_write_whose_answer_was_lost_is_answered_again_and_not_doubled(store: StateStore, verb: str) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    deployment = a_deployment() if verb == "begin" else store.begin(a_deployment(), lease)
    wanted = replace(deployment, phase=Phase.LAUNCH)
    write = {"begin": store.begin, "save": store.save, "finish": store.finish}[verb]
    once = write(wanted, lease, [an_event("once")])
    assert write(wanted, lease, [an_event("once")]) == once
    assert store.load("d-1") == once
    assert [event.message for event in store.events("d-1")] == ["once"]
    with pytest.raises(LockedError):
        write(wanted, lease, [an_event("another")])


def test_finishing_frees_the_service_and_fills_both_ledgers(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), lease)
    store.request("orders", ControlRequest(Control.PROMOTE, "bob", NOW))
    ended = replace(begun, phase=Phase.SUCCEEDED)
    saved = store.finish(ended, lease, [an_event("done")], known_good=known_good(7), quarantined=quarantined(8))
    state = store.service("orders")
    assert (state.active, state.control, state.lease) == (None, None, lease)
    assert (state.known_good, state.quarantine) == ((known_good(7),), (quarantined(8),))
    assert store.load("d-1") == saved == replace(ended, version=2)
    assert [event.message for event in store.events("d-1")] == ["done"]
    assert store.begin(a_deployment("d-2"), lease).version == 1


def test_ledgers_are_newest_first_keep_twenty_and_name_a_release_once(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    for number in [*range(22), 20]:
        begun = store.begin(a_deployment(f"d-{uuid.uuid4().hex}"), lease)
        store.finish(begun, lease, known_good=known_good(number), quarantined=quarantined(number))
    state = store.service("orders")
    order = [20, 21, *range(19, 1, -1)]
    assert list(state.known_good) == [known_good(number) for number in order]
    assert list(state.quarantine) == [quarantined(number) for number in order]


@pytest.mark.parametrize(("revision", "fingerprint"), [(1, None), (1, "print-1"), (7, "print-1")])
def test_a_quarantined_release_that_is_known_good_after_all_leaves_the_quarantine(
    store: StateStore, revision: int, fingerprint: str | None
) -> None:
    """By its revision, or by its content where it was registered again."""
    lease = store.acquire("orders", ALICE, now=NOW)
    for number in (1, 2):
        store.finish(store.begin(a_deployment(f"d-{number}"), lease), lease, quarantined=quarantined(number))
    forced = replace(store.begin(a_deployment("d-3"), lease), fingerprint=fingerprint)
    store.finish(forced, lease, known_good=known_good(revision))
    state = store.service("orders")
    assert (state.quarantine, state.known_good) == ((quarantined(2),), (known_good(revision),))


def test_a_release_that_was_registered_again_takes_the_place_of_what_was_asked_for(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    for number in (1, 2, 3):
        store.finish(store.begin(a_deployment(f"d-{number}"), lease), lease, known_good=known_good(number))
    asked = ReleaseRequest(task_definition=known_good(1).release.task_definition)
    back = replace(store.begin(a_deployment("d-4"), lease), request=asked)
    store.finish(back, lease, known_good=known_good(4))
    assert list(store.service("orders").known_good) == [known_good(number) for number in (4, 3, 2)]


def test_releases_whose_content_is_not_known_do_not_push_each_other_out_of_the_quarantine(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    unknown = [replace(quarantined(number), fingerprint="") for number in (1, 2)]
    for number, entry in enumerate(unknown):
        store.finish(store.begin(a_deployment(f"d-{number}"), lease), lease, quarantined=entry)
    nameless = replace(store.begin(a_deployment("d-3"), lease), fingerprint="")
    store.finish(nameless, lease, known_good=known_good(3))
    assert list(store.service("orders").quarantine) == unknown[::-1]


def test_the_newest_wish_stands_until_it_is_cleared(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    first, second = (ControlRequest(wish, "bob", NOW) for wish in (Control.PAUSE, Control.RESUME))
    store.request("orders", first)
    store.request("orders", second)
    assert store.service("orders").control == second
    store.clear_request(lease, seen=first)
    assert store.service("orders").control == second
    store.clear_request(lease, seen=second)
    assert store.service("orders").control is None
    store.request("orders", first)
    store.clear_request(lease)
    store.clear_request(lease)
    assert store.service("orders").control is None


def test_a_wish_for_an_earlier_deployment_does_not_reach_the_next(store: StateStore) -> None:
    store.request("orders", ControlRequest(Control.PROMOTE, "bob", NOW))
    store.begin(a_deployment(), store.acquire("orders", ALICE, now=NOW))
    assert store.service("orders").control is None


def test_history_is_newest_first_limited_and_of_one_service(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    for number in (1, 2):
        _begin_and_end(store, a_deployment(f"d-{number}", started_at=NOW + number), lease)
    # A clock that runs behind does not turn the order back.
    lease, _ = store.preempt("orders", BOB, now=NOW)
    _begin_and_end(store, a_deployment("d-3", started_at=NOW - 900), lease)
    other = store.acquire("billing", ALICE, now=NOW)
    store.begin(a_deployment("d-4", "billing"), other)
    assert [d.id for d in store.history("orders")] == ["d-3", "d-2", "d-1"]
    assert [d.id for d in store.history("orders", limit=2)] == ["d-3", "d-2"]
    assert store.history("orders", limit=1)[0] == store.load("d-3")
    assert list(store.services()) == ["billing", "orders"]


def test_a_lease_on_another_service_cannot_write(store: StateStore) -> None:
    lease = store.acquire("billing", ALICE, now=NOW)
    with pytest.raises(ValueError, match="billing"):
        store.begin(a_deployment(), lease)


# -- what cannot be read


def test_a_missing_record_is_named(store: StateStore) -> None:
    with pytest.raises(RecordError, match="d-404"):
        store.load("d-404")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda body: body[: len(body) // 2], "truncated"),
        (lambda body: body.replace(b'"pending"', b'"shft"'), r"'shft' - at `\$\.phase`"),
        (lambda body: body.replace(b'"schema":1', b'"schema":99'), "newer bluegreen"),
        (lambda body: body.replace(b'"launched":false', b'"lanched":false'), r"unknown key - at `\$\.lanched`"),
        (lambda body: body.replace(b'"id":"d-1"', b'"id":"d-7"'), "d-7"),
        (lambda body: b"", "truncated|no text attribute body"),
    ],
    ids=["truncated", "wrong-value", "newer", "misspelt-key", "another-id", "empty"],
)
def test_a_damaged_record_is_named_and_left_as_it_is(case: Case, spoil: Callable[[bytes], bytes], says: str) -> None:
    lease = case.store.acquire("orders", ALICE, now=NOW)
    begun = case.store.begin(a_deployment(), lease)
    broken = spoil(case.stored("d-1"))
    case.spoil("d-1", broken)
    for read in (lambda: case.store.load("d-1"), lambda: case.store.history("orders")):
        with pytest.raises(RecordError, match=says) as refused:
            read()
        assert "d-1" in refused.value.message
        assert refused.value.hint
    assert case.stored("d-1") == broken
    assert case.store.service("orders").active == begun.id


def test_a_record_that_the_store_has_no_room_for_is_refused_whole(case: Case) -> None:
    lease = case.store.acquire("orders", ALICE, now=NOW)
    begun = case.store.begin(a_deployment(), lease)
    huge = replace(begun, started_by="x" * 420_000)
    if not isinstance(case.store, DynamoStore):
        assert case.store.save(huge, lease).started_by == huge.started_by
        return
    with pytest.raises(RecordError, match="room for"):
        case.store.save(huge, lease, [an_event("lost?")])
    assert case.store.load("d-1") == begun
    assert list(case.store.events("d-1")) == []


# -- private


def _begin_and_end(store: StateStore, deployment: Deployment, lease: Lease) -> None:
    store.finish(store.begin(deployment, lease), lease)


def _memory() -> Case:
    store = MemoryStore()

    def stored(deployment_id: str) -> bytes:
        row = store.rows.record(deployment_id)
        assert row is not None
        return row.body

    def spoil(deployment_id: str, body: bytes) -> None:
        row = store.rows.record(deployment_id)
        assert row is not None
        store.rows.put_record(deployment_id, "orders", Row(row.version, row.write, body))

    return Case(store, spoil, stored)


def _sqlite(path: Path, stack: ExitStack) -> Case:
    store = SqliteStore(path)
    stack.callback(store.close)

    def stored(deployment_id: str) -> bytes:
        with closing(sqlite3.connect(path)) as other:
            return bytes(other.execute("SELECT body FROM deployments WHERE id = ?", (deployment_id,)).fetchone()[0])

    def spoil(deployment_id: str, body: bytes) -> None:
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE deployments SET body = ? WHERE id = ?", (body, deployment_id))

    return Case(store, spoil, stored)


class OneAtATime:
    """A client of moto for several threads. Its tables show an item half written, which DynamoDB never does."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client, self._lock = client, Lock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return found if not callable(found) else partial(self._alone, found)

    def _alone(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            return call(*args, **kwargs)


def _dynamo(client: DynamoDBClient) -> Case:
    table = f"store-{uuid.uuid4().hex}"
    create_table(client, table)

    def key(deployment_id: str) -> dict[str, dict[str, str]]:
        return {"pk": {"S": f"deployment#{deployment_id}"}, "sk": {"S": "record"}}

    def stored(deployment_id: str) -> bytes:
        return client.get_item(TableName=table, Key=key(deployment_id))["Item"].get("body", {}).get("S", "").encode()

    def spoil(deployment_id: str, body: bytes) -> None:
        # DynamoDB Local of 2020 takes no empty text: an editor who empties the field removes it there.
        change = "SET body = :body" if body else "REMOVE body"
        values: dict[str, Any] = {"ExpressionAttributeValues": {":body": {"S": body.decode()}}} if body else {}
        client.update_item(TableName=table, Key=key(deployment_id), UpdateExpression=change, **values)

    return Case(DynamoStore(client, table), spoil, stored)


# -- decisions


def test_the_first_word_on_a_question_stands_whoever_asks_and_says_it_again(store: StateStore) -> None:
    yes = Decision("before_shift/0/1/notes", True, "alice@laptop", NOW, "read them")
    no = Decision("before_shift/0/1/notes", False, "bob@laptop", NOW + 1)
    assert store.decision("d-1", yes.key) is None
    assert store.decide("d-1", yes) == yes
    assert store.decide("d-1", no) == yes
    assert store.decide("d-1", yes) == yes
    assert store.decision("d-1", yes.key) == yes


def test_decisions_of_other_questions_and_deployments_are_their_own(store: StateStore) -> None:
    yes = Decision("test/0/1/notes", True, "alice", NOW)
    store.decide("d-1", yes)
    assert store.decision("d-2", yes.key) is None
    assert store.decision("d-1", "test/0/2/notes") is None
    no = Decision("test/0/2/notes", False, "bob", NOW, "Größe: 7")
    assert store.decide("d-1", no) == no
    assert store.decision("d-1", yes.key) == yes


def test_a_decision_is_no_event_and_no_record(store: StateStore) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), lease, [an_event("began")])
    store.decide("d-1", Decision("test/0/1/notes", True, "alice", NOW))
    assert [event.message for event in store.events("d-1")] == ["began"]
    assert [found.id for found in store.history("orders")] == ["d-1"]
    assert store.load("d-1").version == 1


def test_of_two_who_decide_at_once_one_stands(store: StateStore) -> None:
    key = "test/0/1/notes"
    with ThreadPoolExecutor(8) as pool:
        wishes = [Decision(key, number % 2 == 0, f"person {number}", NOW) for number in range(8)]
        stood = set(pool.map(lambda wish: store.decide("d-1", wish), wishes))
    assert stood == {store.decision("d-1", key)}
