"""The log of API calls remembers what a person reads, not what a store keeps."""

from __future__ import annotations

from bluegreen.clock import FakeClock
from bluegreen.sandbox.api.calls import CallLog
from bluegreen.sandbox.api.request import Call


def logged(parameters: dict[str, object]) -> object:
    log = CallLog(FakeClock())
    call = Call("dynamodb", "TransactWriteItems", "json", "eu-west-1", parameters, "bluegreen")
    log.record(call, status=200, error=None, started=0.0, seconds=0.1)
    return log.since()[0]["parameters"]


def test_a_record_that_is_written_again_and_again_does_not_fill_the_memory() -> None:
    items = [{"Put": {"Item": {"body": {"S": "x" * 300_000}, "version": {"N": "7"}}}}]
    shown = logged({"TransactItems": items})
    assert len(str(shown)) < 2_000
    assert "(300000 characters)" in str(shown)


def test_what_is_short_is_kept_as_it_was_sent() -> None:
    sent: dict[str, object] = {"ListenerArn": "arn:1", "Actions": [{"Type": "forward", "Weight": 5}], "Dry": True}
    assert logged(sent) == sent
