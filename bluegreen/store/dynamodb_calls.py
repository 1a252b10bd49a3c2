"""How the DynamoDB store calls its table: consistent reads, and repeats where a repeat is safe.

Every write of the store recognises its own first effect, so that a throttled, conflicting or unanswered call is sent
again here. A store that cannot be reached is not waited for: a rollback goes on without its record.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from bluegreen.aws.calls import Calls
from bluegreen.aws.errors import NEVER_SENT, THROTTLES
from bluegreen.clock import Clock
from bluegreen.errors import (
    AccessDeniedError,
    AwsError,
    BluegreenError,
    CredentialsError,
    NotFoundError,
    StoreUnavailableError,
    UnreachableError,
)
from bluegreen.store.dynamodb_items import Expression, Item, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Part: TypeAlias = Mapping[str, Any]
"""One action of a transaction, as TransactWriteItems takes it."""

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2)
"""Seconds, half to one and a half times each: for throttles, and for others' transactions on the same item."""

BUSY = THROTTLES | {"TransactionConflictException", "TransactionConflict", "ThrottlingError"}
BUSY_REASONS = BUSY | {"ProvisionedThroughputExceeded"}
LARGEST_BATCH = 100


class Refused:
    """A condition did not hold: nothing was written."""


class TableCalls:
    """Raises StoreUnavailableError for whatever keeps the table from answering."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock, calls: Calls) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._calls = calls

    def get(self, key: Key) -> Item:
        """Empty when there is none."""
        answer = self._send(self._client.get_item, TableName=self._table, Key=key, ConsistentRead=True)
        item: Item = answer.get("Item", {})
        return item

    def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """In no order; those that exist."""
        found: list[Item] = []
        for start in range(0, len(keys), LARGEST_BATCH):
            found += self._batch(list(keys[start : start + LARGEST_BATCH]))
        return found

    def query(
        self, pk: str, prefix: str | None = None, limit: int | None = None, *, newest_first: bool = False
    ) -> list[Item]:
        condition, values = "#pk = :pk", {":pk": {"S": pk}}
        if prefix is not None:
            condition, values = f"{condition} AND begins_with(#sk, :sk)", {**values, ":sk": {"S": prefix}}
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": _names(condition),
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not newest_first,
        }
        found: list[Item] = []
        while limit is None or len(found) < limit:
            page = self._send(self._client.query, **parameters, **({} if limit is None else {"Limit": limit}))
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                break
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found[:limit]

    def update(self, key: Key, change: Expression) -> Item | Refused:
        """The item as it is afterwards."""
        try:
            answer = self._send(
                self._client.update_item,
                TableName=self._table,
                Key=key,
                ReturnValues="ALL_NEW",
                **_spelled(change),
            )
        except _ConditionError:
            return Refused()
        item: Item = answer.get("Attributes", {})
        return item

    def transact(self, parts: Sequence[Part]) -> Refused | None:
        """All of them or none."""
        try:
            self._send(self._client.transact_write_items, TransactItems=list(parts))
        except _ConditionError:
            return Refused()
        return None

    def putting(self, item: Key, condition: Expression | None = None) -> Part:
        return {"Put": {"TableName": self._table, "Item": item, **_spelled(condition or Expression())}}

    def changing(self, key: Key, change: Expression) -> Part:
        return {"Update": {"TableName": self._table, "Key": key, **_spelled(change)}}

    def checking(self, key: Key, condition: Expression) -> Part:
        return {"ConditionCheck": {"TableName": self._table, "Key": key, **_spelled(condition)}}

    def contended(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"the state store dynamodb://{self._table} is busy: others write the same item all the time",
            hint="repeat it",
        )

    # -- private

    def _batch(self, keys: list[Key]) -> list[Item]:
        found: list[Item] = []
        for pause in (*PAUSES, 0.0):
            if not keys:
                return found
            wanted = {self._table: {"Keys": keys, "ConsistentRead": True}}
            answer = self._send(self._client.batch_get_item, RequestItems=wanted)
            found += answer["Responses"].get(self._table, [])
            keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if keys:
                self._rest(pause)
        raise self.contended()

    def _send(self, method: Callable[..., Any], **parameters: Any) -> Any:
        """Raises _ConditionError for a condition that did not hold."""
        lost = 0
        for pause in (*PAUSES, None):
            try:
                return self._calls.write(method, **parameters)
            except BluegreenError as error:
                _raise_condition(error)
                lost += _is_lost(error)
                if pause is None or lost > 1 or not (_is_lost(error) or _is_busy(error)):
                    raise self._unavailable(error) from error
            self._rest(pause)
        raise AssertionError("the last try returned or raised")

    def _rest(self, pause: float) -> None:
        self._clock.sleep(pause * random.uniform(0.5, 1.5))

    def _unavailable(self, error: BluegreenError) -> StoreUnavailableError:
        hint = error.hint
        if isinstance(error, NotFoundError):
            hint = f"create it: bluegreen store create --store dynamodb://{self._table}"
        unavailable = StoreUnavailableError(
            f"the state store dynamodb://{self._table} fails: {error.message}", hint=hint
        )
        if isinstance(error, AccessDeniedError | CredentialsError):
            unavailable.exit_code = error.exit_code  # no fault of ours; whoever is past its beginning holds instead
        return unavailable


# -- private


class _ConditionError(Exception):
    pass


def _raise_condition(error: BluegreenError) -> None:
    if _code(error) == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in _reasons(error):
        raise _ConditionError from error


def _is_busy(error: BluegreenError) -> bool:
    return _code(error) in BUSY or bool(BUSY_REASONS & _reasons(error))


def _is_lost(error: BluegreenError) -> bool:
    """It may have taken effect, or AWS itself failed."""
    return isinstance(error, UnreachableError) and not isinstance(error.__cause__, NEVER_SENT)


def _code(error: BluegreenError) -> str:
    return error.code if isinstance(error, AwsError) else ""


def _reasons(error: BluegreenError) -> set[str]:
    """Why a transaction was cancelled: TransactWriteItems' CancellationReasons, one for each part."""
    if not isinstance(error.__cause__, ClientError):
        return set()
    answer: Mapping[str, Any] = dict(error.__cause__.response)
    return {str(reason.get("Code")) for reason in answer.get("CancellationReasons", ())}


def _spelled(change: Expression) -> dict[str, Any]:
    """An Expression as the API takes it: nothing empty, nothing unused."""
    parameters: dict[str, Any] = {
        "ConditionExpression": change.condition,
        "UpdateExpression": change.update,
        "ExpressionAttributeNames": _names(f"{change.condition} {change.update}"),
        "ExpressionAttributeValues": change.values,
    }
    return {name: value for name, value in parameters.items() if value}


def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}
