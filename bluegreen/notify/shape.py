"""A fact as JSON: what a webhook, a command, a topic and an event bus get. A public format: keys are only added."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bluegreen.notify.base import Fact


def fact_data(fact: Fact) -> dict[str, object]:
    """``at`` is ISO 8601 in UTC. ``data`` is the event's own, as ``bluegreen deploy -o json`` prints it."""
    return {
        "moment": fact.moment.value,
        "at": datetime.fromtimestamp(fact.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "service": fact.service,
        "cluster": fact.cluster,
        "deployment": fact.deployment,
        "phase": fact.phase,
        "message": fact.message,
        "release": fact.release,
        "previous": fact.previous,
        "data": dict(fact.data),
    }


def fact_json(fact: Fact) -> str:
    return json.dumps(fact_data(fact), default=str)
