"""The DynamoDB store when the network and the table misbehave: nothing is doubled, nothing lost, clear words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from moto import mock_aws

from bluegreen.clock import FakeClock
from bluegreen.domain.service import Control, ControlRequest
from bluegreen.errors import PreemptedError, RecordError, RefusedError, StoreUnavailableError
from bluegreen.store.dynamodb import DynamoStore
from bluegreen.store.dynamodb_calls import PAUSES
from bluegreen.store.dynamodb_table import create_table
from tests.contract.store_support import ALICE, BOB, NOW, a_client, a_deployment, an_event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "bluegreen"
Fault = Callable[["Wire", Callable[[], Any]], Any]


class Wire:
    """Between a client's signed request and AWS: ``faults`` are met one by one by calls of ``operation``."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.meta = client.meta
        self.operation = ""
        self.faults: list[Fault] = []
        self.sent: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            self.sent.append(name)
            method: Callable[..., Any] = getattr(self._client, name)

            def send() -> Any:
                return method(**parameters)

            if name == self.operation and self.faults:
                return self.faults.pop(0)(self, send)
            return send()

        call.__name__ = name
        return call


def lost(wire: Wire, send: Callable[[], Any]) -> Any:
    """It takes effect, and the answer does not come back."""
    send()
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def swallowed(wire: Wire, send: Callable[[], Any]) -> Any:
    """It takes no effect, and no answer tells."""
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def never_sent(wire: Wire, send: Callable[[], Any]) -> Any:
    raise ConnectTimeoutError(endpoint_url="http://dynamodb")


def refusing(code: str, status: int = 400, **more: Any) -> Fault:
    def fault(wire: Wire, send: Callable[[], Any]) -> Any:
        error = {"Code": code, "Message": "so it is"}
        answer: Any = dict(Error=error, ResponseMetadata={"HTTPStatusCode": status}, **more)
        raise ClientError(answer, "Op")

    return fault


def cancelled(reason: str) -> Fault:
    return refusing("TransactionCanceledException", CancellationReasons=[{"Code": "None"}, {"Code": reason}])


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with mock_aws():
        made = a_client()
        create_table(made, TABLE)
        yield made


@pytest.fixture
def wire(client: DynamoDBClient) -> Wire:
    return Wire(client)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(wire: Wire, clock: FakeClock) -> DynamoStore:
    return DynamoStore(wire, TABLE, clock)  # type: ignore[arg-type]


def test_an_acquire_whose_answer_was_lost_holds_the_lease_once(store: DynamoStore, wire: Wire) -> None:
    wire.operation, wire.faults = "update_item", [lost]
    lease = store.acquire("orders", ALICE, now=NOW)
    assert lease.token == 1
    assert store.service("orders").lease == lease


def test_a_preempt_whose_answer_was_lost_still_knows_whom_it_ended(store: DynamoStore, wire: Wire) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    wire.operation, wire.faults = "update_item", [lost]
    lease, before = store.preempt("orders", BOB, now=NOW + 1)
    assert (lease.token, before.lease, before.token) == (2, old, 1)
    assert store.service("orders").token == 2


def test_a_preempt_sent_again_wins_over_one_that_came_between(store: DynamoStore, wire: Wire) -> None:
    def lost_and_overtaken(_: Wire, send: Callable[[], Any]) -> Any:
        send()
        store.preempt("orders", ALICE, now=NOW + 1)
        raise ReadTimeoutError(endpoint_url="http://dynamodb")

    wire.operation, wire.faults = "update_item", [lost_and_overtaken]
    lease, before = store.preempt("orders", BOB, now=NOW + 2)
    assert (lease.token, before.lease is not None and before.lease.owner) == (3, ALICE)


@pytest.mark.parametrize("verb", ["begin", "save", "finish"])
def test_a_write_whose_answer_was_lost_is_recognised(store: DynamoStore, wire: Wire, verb: str) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    deployment = a_deployment() if verb == "begin" else store.begin(a_deployment(), lease)
    wire.operation, wire.faults = "transact_write_items", [lost]
    write = {"begin": store.begin, "save": store.save, "finish": store.finish}[verb]
    after = write(deployment, lease, [an_event("once")])
    assert after == store.load("d-1") == replace(deployment, version=deployment.version + 1)
    assert [event.message for event in store.events("d-1")] == ["once"]


def test_renewing_releasing_and_wishing_again_change_nothing_more(store: DynamoStore, wire: Wire) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    wire.operation = "update_item"
    wire.faults = [lost]
    renewed, state = store.renew(lease, now=NOW + 5)
    assert state.lease == renewed
    wire.faults = [lost]
    store.request("orders", ControlRequest(Control.PAUSE, "bob", NOW))
    wire.faults = [lost]
    store.clear_request(lease)
    wire.faults = [lost]
    store.release(lease)
    state = store.service("orders")
    assert (state.lease, state.control, state.yielded) == (None, None, 0)


@pytest.mark.parametrize(
    "fault",
    [
        cancelled("TransactionConflict"),
        cancelled("ThrottlingError"),
        cancelled("ProvisionedThroughputExceeded"),
        refusing("TransactionInProgressException"),
        refusing("ThrottlingException"),
    ],
)
def test_a_busy_table_is_waited_for(store: DynamoStore, wire: Wire, clock: FakeClock, fault: Fault) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    wire.operation, wire.faults = "transact_write_items", [fault, fault, fault]
    began = clock.monotonic()
    assert store.begin(a_deployment(), lease).version == 1
    assert clock.monotonic() > began


def test_a_renewal_waits_for_another_transaction_on_the_item(store: DynamoStore, wire: Wire) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    wire.operation, wire.faults = "update_item", [refusing("TransactionConflictException")] * 3
    assert store.renew(lease, now=NOW + 1)[0].token == 1


def test_a_table_that_stays_throttled_is_unavailable_after_some_seconds(
    store: DynamoStore, wire: Wire, clock: FakeClock
) -> None:
    wire.operation, wire.faults = "update_item", [refusing("ThrottlingException")] * 50
    began = clock.monotonic()
    with pytest.raises(StoreUnavailableError, match="throttles"):
        store.acquire("orders", ALICE, now=NOW)
    assert clock.monotonic() - began <= 1.5 * sum(PAUSES)


def test_a_store_that_cannot_be_reached_is_not_waited_for(store: DynamoStore, wire: Wire, clock: FakeClock) -> None:
    wire.operation, wire.faults = "get_item", [never_sent] * 9
    began = clock.monotonic()
    with pytest.raises(StoreUnavailableError, match="dynamodb://bluegreen"):
        store.service("orders")
    assert wire.sent.count("get_item") == 1
    assert clock.monotonic() == began


def test_answers_lost_twice_are_unavailable(store: DynamoStore, wire: Wire) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    wire.operation, wire.faults = "transact_write_items", [swallowed, swallowed]
    with pytest.raises(StoreUnavailableError, match="may have taken effect"):
        store.begin(a_deployment(), lease)


def test_a_missing_table_says_how_to_make_it(client: DynamoDBClient) -> None:
    store = DynamoStore(client, "nowhere", FakeClock())
    calls: list[Callable[[], object]] = [
        lambda: store.service("orders"),
        lambda: store.acquire("orders", ALICE, now=NOW),
        lambda: store.history("orders"),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailableError) as refused:
            call()
        assert "bluegreen store create --store dynamodb://nowhere" in (refused.value.hint or "")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException"])
def test_a_table_that_may_not_be_used_is_unavailable_with_the_reason(store: DynamoStore, wire: Wire, code: str) -> None:
    wire.operation, wire.faults = "get_item", [refusing(code)]
    with pytest.raises(StoreUnavailableError) as refused:
        store.service("orders")
    assert refused.value.hint
    assert refused.value.__cause__ is not None


def test_a_service_item_edited_by_hand_is_named_with_the_attribute(store: DynamoStore, client: DynamoDBClient) -> None:
    store.acquire("orders", ALICE, now=NOW)
    client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "service#orders"}, "sk": {"S": "current"}},
        UpdateExpression="SET lease = :bad",
        ExpressionAttributeValues={":bad": {"S": '{"service": "orders"}'}},
    )
    with pytest.raises(RecordError, match=r"service#orders / current cannot be read.*attribute lease"):
        store.service("orders")


def test_a_service_item_of_a_newer_schema_is_refused(store: DynamoStore, client: DynamoDBClient) -> None:
    store.acquire("orders", ALICE, now=NOW)
    client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "service#orders"}, "sk": {"S": "current"}},
        UpdateExpression="SET #s = :new",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":new": {"N": "2"}},
    )
    with pytest.raises(RecordError, match="newer bluegreen"):
        store.service("orders")


@pytest.mark.thorough
def test_history_and_events_are_read_through_all_pages(store: DynamoStore, wire: Wire, client: DynamoDBClient) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    events = [an_event("x" * 90_000) for _ in range(15)]
    for number in range(105):
        deployment = replace(a_deployment(f"d-{number:03d}", started_at=NOW + number), id=f"d-{number:03d}")
        store.finish(store.begin(deployment, lease), lease, events if number == 7 else ())
    ids = [deployment.id for deployment in store.history("orders", limit=104)]
    assert ids == [f"d-{number:03d}" for number in range(104, 0, -1)]
    assert len(store.events("d-007")) == 15


def test_keys_that_a_batch_left_out_are_asked_for_again(store: DynamoStore, wire: Wire) -> None:
    lease = store.acquire("orders", ALICE, now=NOW)
    store.begin(a_deployment(), lease)

    def left_out(_: Wire, send: Callable[[], Any]) -> Any:
        keys = [{"pk": {"S": "deployment#d-1"}, "sk": {"S": "record"}}]
        return {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": keys, "ConsistentRead": True}}}

    wire.operation, wire.faults = "batch_get_item", [left_out, left_out]
    assert [deployment.id for deployment in store.history("orders")] == ["d-1"]


def test_creating_the_table_twice_changes_nothing(client: DynamoDBClient) -> None:
    lines = create_table(client, TABLE, FakeClock())
    assert lines[0] == "table bluegreen exists already"
    table = client.describe_table(TableName=TABLE)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is True
    backups = client.describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_table_of_another_shape_is_refused(client: DynamoDBClient) -> None:
    client.create_table(
        TableName="users",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(RefusedError, match="another program's"):
        create_table(client, "users", FakeClock())


def test_a_preempted_driver_reads_nothing_it_could_mistake_for_its_own(store: DynamoStore) -> None:
    old = store.acquire("orders", ALICE, now=NOW)
    begun = store.begin(a_deployment(), old)
    new, _ = store.preempt("orders", BOB, now=NOW)
    after = store.save(begun, new, [an_event("theirs")])
    with pytest.raises(PreemptedError):
        store.save(begun, old, [an_event("theirs")])
    assert store.load("d-1") == after
