"""Contract test: green still answers as its consumers expect. What they expect stands in contract.json.

    hooks:
      test:
        - {pytest: {path: hooks/contract, junit: reports/contract.xml}}

Each entry names a request, its status, and the keys a consumer reads with their types
(string, number, boolean, array, object, null; a list of them where several are right).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ENTRIES = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))
TYPES = {"string": str, "number": (int, float), "boolean": bool, "array": list, "object": dict, "null": type(None)}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.get('method', 'GET')} {entry['path']}")
def test_answer_keeps_the_contract(entry: dict[str, Any], base_url: str, deployment: Any) -> None:
    status, body = ask(base_url, entry, deployment.headers)
    assert status == entry.get("status", 200)
    for key, kinds in entry.get("keys", {}).items():
        value = found(json.loads(body), key)
        assert any(fits(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)), (
            f"{key} is {value!r}, consumers read it as {kinds}"
        )


def ask(base_url: str, entry: dict[str, Any], headers: dict[str, str]) -> tuple[int, bytes]:
    body = json.dumps(entry["body"]).encode() if "body" in entry else None
    headers = {**headers, "Content-Type": "application/json"} if body else dict(headers)
    request = urllib.request.Request(base_url + entry["path"], body, headers, method=entry.get("method", "GET"))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def found(document: Any, key: str) -> Any:
    """``items.0.id``: keys and list positions, with dots between them."""
    for part in key.split("."):
        try:
            document = document[int(part)] if isinstance(document, list) else document[part]
        except (KeyError, IndexError, TypeError, ValueError):
            pytest.fail(f"{key} is missing: no {part} in {document!r:.200}", pytrace=False)
    return document


def fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])
