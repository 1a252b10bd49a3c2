"""Whether an answer is what was asked for, and if not, in what. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jmespath
import jmespath.exceptions

from bluegreen.hooks.exchange import Answer
from bluegreen.hooks.words import shortened, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import RequestSettings

_SHOWN = 80
_NO_JSON = (ValueError, RecursionError)
"""What reading a body raises that is none, or one that is nested deeper than anybody reads."""


def mismatch(settings: RequestSettings, answer: Answer, latency: float | None = None) -> str:
    """What is wrong with it, in one line; '' when nothing is. ``latency``: the longest it may have taken, seconds."""
    return (
        _status(settings.status, answer.status)
        or _json(settings.json_, answer)
        or _body(settings.contains, settings.matches, answer.text)
        or _latency(latency, answer)
    )


def matching(conditions: dict[str, Any], answer: Answer) -> str:
    """The first condition that holds of a JSON body, in one line; '' when none does."""
    try:
        document = json.loads(answer.body)
    except _NO_JSON:
        return ""
    for path, wanted in conditions.items():
        if _same(_found(path, document), wanted):
            return f"{path} is {_shown(wanted)}"
    return ""


def jmes(path: str) -> str:
    """``$.a.b`` as people know it from JSONPath, as JMESPath."""
    if path == "$":
        return "@"
    return path[2:] if path.startswith("$.") else path[1:] if path.startswith("$[") else path


def _status(wanted: tuple[tuple[int, int], ...], status: int) -> str:
    if any(low <= status <= high for low, high in wanted):
        return ""
    ranges = " or ".join(str(low) if low == high else f"{low}-{high}" for low, high in wanted)
    return f"{status}, expected {ranges}"


def _json(conditions: dict[str, Any], answer: Answer) -> str:
    if not conditions:
        return ""
    try:
        document = json.loads(answer.body)
    except _NO_JSON:
        return f"{answer.status}, but the body is no JSON"
    for path, wanted in conditions.items():
        try:
            found = jmespath.search(jmes(path), document)
        except jmespath.exceptions.JMESPathError as error:
            return f"{answer.status}, but {path} cannot be asked of the body: {shortened(str(error), _SHOWN)}"
        if not _same(found, wanted):
            return f"{answer.status}, but {path} is {_shown(found)}, expected {_shown(wanted)}"
    return ""


def _found(path: str, document: object) -> object:
    try:
        return jmespath.search(jmes(path), document)
    except jmespath.exceptions.JMESPathError:
        return None


def _same(found: object, wanted: object) -> bool:
    """In Python True is 1, in JSON it is not."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in wanted)
    return found == wanted


def _body(contains: tuple[str, ...], matches: tuple[str, ...], text: str) -> str:
    for wanted in contains:
        if wanted not in text:
            return f"the body does not contain {_shown(wanted)}"
    for expression in matches:
        if not re.search(expression, text):
            return f"the body does not match {_shown(expression)}"
    return ""


def _latency(longest: float | None, answer: Answer) -> str:
    if longest is None or answer.seconds <= longest:
        return ""
    return f"{answer.status} in {took(answer.seconds)}, allowed are {took(longest)}"


def _shown(value: object) -> str:
    return shortened(json.dumps(value, ensure_ascii=False, default=str), _SHOWN)
