"""The DynamoDB table itself: ``bluegreen store create``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bluegreen.aws.calls import Calls
from bluegreen.clock import Clock, SystemClock
from bluegreen.errors import AwsError, BluegreenError, RefusedError, StoreUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS = {"pk": "HASH", "sk": "RANGE"}
ACTIVE_SECONDS = 120.0


def create_table(client: DynamoDBClient, name: str, clock: Clock | None = None) -> list[str]:
    """Make the table, and wait until it is active. Answers what was done, in sentences; repeating it is safe.

    Pays per request, is protected against deletion, and can be restored to any second (point-in-time recovery).
    Raises RefusedError for a table of another shape, StoreUnavailableError when it does not become active, and
    the AwsError family.
    """
    clock = clock or SystemClock()
    calls = Calls(clock)
    done = [_create(client, name, calls)]
    table = _wait_until_active(client, name, clock, calls)
    _check_keys(table, name)
    if not table.get("DeletionProtectionEnabled"):
        done.append(_protect(client, name, calls))
    done.append(_keep_backups(client, name, calls))
    return done


# -- private


def _create(client: DynamoDBClient, name: str, calls: Calls) -> str:
    try:
        _loosely(calls, client.create_table)(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS.items()],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
    except AwsError as error:
        if error.code != "ResourceInUseException":
            raise
        return f"table {name} exists already"
    return f"table {name} was created (pay per request)"


def _wait_until_active(client: DynamoDBClient, name: str, clock: Clock, calls: Calls) -> dict[str, Any]:
    end = clock.monotonic() + ACTIVE_SECONDS
    while True:
        table: dict[str, Any] = dict(calls.read(client.describe_table, TableName=name)["Table"])
        if table["TableStatus"] in ("ACTIVE", "UPDATING"):
            return table
        if clock.monotonic() >= end:
            raise StoreUnavailableError(
                f"table {name} is still {table['TableStatus']} after {ACTIVE_SECONDS:.0f} s", hint="repeat the command"
            )
        clock.sleep(1.0)


def _check_keys(table: dict[str, Any], name: str) -> None:
    found = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    if found != KEYS or {types[key] for key in KEYS} != {"S"}:
        raise RefusedError(
            f"table {name} is another program's: its keys are {found}, not {KEYS}", hint="name another table"
        )


def _protect(client: DynamoDBClient, name: str, calls: Calls) -> str:
    try:
        _loosely(calls, client.update_table)(TableName=name, DeletionProtectionEnabled=True)
    except BluegreenError as error:
        return f"it is not protected against deletion: {error.message}"
    return "it is now protected against deletion"


def _keep_backups(client: DynamoDBClient, name: str, calls: Calls) -> str:
    wanted = {"PointInTimeRecoveryEnabled": True}
    try:
        _loosely(calls, client.update_continuous_backups)(TableName=name, PointInTimeRecoverySpecification=wanted)
    except BluegreenError as error:
        return f"it has no point-in-time recovery: {error.message}"
    return "it can be restored to any second of the last 35 days"


def _loosely(calls: Calls, method: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **parameters: calls.write(method, **parameters)
