"""Prometheus's HTTP API: an instant query, and the numbers in its answer (prometheus.io, "HTTP API")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from bluegreen.clock import Clock
from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.exchange import Answer, NoAnswerError, Request, exchange, tls_context
from bluegreen.hooks.words import shortened

Sample = tuple[Mapping[str, str], float]
"""Its labels, and its value."""


class Place(Protocol):
    """Where to ask, and how."""

    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def timeout(self) -> float: ...
    @property
    def verify(self) -> bool | str: ...


def instant(settings: Place, query: str, clock: Clock, at: float | None = None) -> dict[str, Any]:
    """``data`` of an instant query's answer, as of ``at`` (epoch seconds; None: now).

    Raises HookUnavailableError when Prometheus gives no answer or refuses the query.
    """
    url = f"{settings.url.rstrip('/')}/api/v1/query"
    tls = tls_context(settings.verify) if url.startswith("https:") else None
    headers = {"User-Agent": "bluegreen", "Content-Type": "application/x-www-form-urlencoded", **settings.headers}
    when = {} if at is None else {"time": f"{at:.3f}"}
    body = urlencode({"query": query, **when}).encode()
    try:
        answer = exchange(Request("query", "POST", url, headers, body, settings.timeout, tls), clock)
    except NoAnswerError as error:
        raise HookUnavailableError(f"Prometheus at {settings.url}: {error}") from error
    return _data(settings, answer)


def samples(data: dict[str, Any]) -> list[Sample]:
    """What the query answers, of a scalar without labels. Raises HookUnavailableError for what is no number."""
    kind = data.get("resultType")
    result: Any = data.get("result")
    if kind not in ("scalar", "vector"):
        raise HookUnavailableError(f"the query answers a {kind}; it must answer one number")
    try:
        if kind == "scalar":
            return [({}, float(result[1]))]
        return [_sample(each) for each in result]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        said = shortened(json.dumps(result), 80)
        raise HookUnavailableError(f"the query answers a {kind} of what is no number: {said}") from error


# Private


def _sample(found: Any) -> Sample:
    if "histogram" in found:
        raise HookUnavailableError(
            "the query answers a native histogram; make a number of it, as with histogram_quantile(0.99, ...)"
        )
    return found.get("metric", {}), float(found["value"][1])


def _data(settings: Place, answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and "status" in document and document["status"] != "success":
        raise HookUnavailableError(f"Prometheus refused the query: {document.get('error', answer.status)}")
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise HookUnavailableError(f"{settings.url} answered {answer.status}, and not as Prometheus does")
    return data
