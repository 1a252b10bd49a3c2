"""``sns`` and ``eventbridge``: the fact as a message of a topic, or as an event of a bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.running import Surroundings
from bluegreen.notify.base import Fact
from bluegreen.notify.shape import fact_json

if TYPE_CHECKING:
    from bluegreen.notify.settings import EventBridgeSettings, SnsSettings

_SUBJECT = 100
"""Characters of a subject at most, printable ASCII (SNS API, Publish)."""


class SnsNotifier:
    """A person's mail gets the text, a queue or a function the JSON behind it; attributes are there to filter by."""

    def __init__(self, settings: SnsSettings, timeout: float, around: Surroundings) -> None:
        self._topic = settings.topic
        self._around = around

    def tell(self, fact: Fact) -> None:
        aws = self._around.aws()
        attributes = {"moment": fact.moment.value, "service": fact.service, "deployment": fact.deployment}
        aws.write(
            aws.sns.publish,
            TopicArn=self._topic,
            Subject=_subject(f"{fact.service}: {fact.moment.value.replace('_', ' ')}"),
            Message=json.dumps({"default": fact.text, "sqs": fact_json(fact), "lambda": fact_json(fact)}),
            MessageStructure="json",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )


class EventBridgeNotifier:
    def __init__(self, settings: EventBridgeSettings, timeout: float, around: Surroundings) -> None:
        self._settings = settings
        self._around = around

    def tell(self, fact: Fact) -> None:
        aws = self._around.aws()
        entry = {
            "EventBusName": self._settings.bus,
            "Source": self._settings.source,
            "DetailType": f"bluegreen deployment {fact.moment.value}",
            "Detail": fact_json(fact),
        }
        answer: dict[str, Any] = aws.write(aws.eventbridge.put_events, Entries=[entry])
        refused = [each for each in answer.get("Entries", []) if each.get("ErrorCode")]
        if refused:
            raise HookUnavailableError(f"{refused[0]['ErrorCode']}: {refused[0].get('ErrorMessage', '')}")


def _subject(text: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:_SUBJECT]
