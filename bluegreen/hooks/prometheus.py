"""``prometheus``: a PromQL query that answers one number, against bounds.

The HTTP API's instant query (prometheus.io, "HTTP API"): a scalar, or a vector of one sample. An empty vector and NaN
are no data; several samples are a query that was not finished.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.exchange import Answer, NoAnswerError, Request, exchange, tls_context
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import PrometheusSettings


def prometheus_gate(settings: PrometheusSettings, around: Surroundings) -> MeasuredGate:
    return MeasuredGate(shortened(settings.query, 80), settings, lambda watch: _ask(settings, around), around)


def _ask(settings: PrometheusSettings, around: Surroundings) -> float | None:
    url = f"{settings.url.rstrip('/')}/api/v1/query"
    tls = tls_context(settings.verify) if url.startswith("https:") else None
    headers = {"User-Agent": "bluegreen", "Content-Type": "application/x-www-form-urlencoded", **settings.headers}
    body = urlencode({"query": settings.query}).encode()
    try:
        answer = exchange(Request("query", "POST", url, headers, body, settings.timeout, tls), around.clock)
    except NoAnswerError as error:
        raise HookUnavailableError(f"Prometheus at {settings.url}: {error}") from error
    return _number(settings, _data(settings, answer))


def _data(settings: PrometheusSettings, answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "status" not in document:
        raise HookUnavailableError(f"{settings.url} answered {answer.status}, and not as Prometheus does")
    if document["status"] != "success":
        raise HookUnavailableError(f"Prometheus refused the query: {document.get('error', answer.status)}")
    data: dict[str, Any] = document["data"]
    return data


def _number(settings: PrometheusSettings, data: dict[str, Any]) -> float | None:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return float(result[1])
    if kind != "vector":
        raise HookUnavailableError(f"the query answers a {kind}; it must answer one number")
    if len(result) > 1:
        raise HookUnavailableError(f"the query answers {len(result)} series; aggregate them to one, as with sum()")
    return float(result[0]["value"][1]) if result else None
