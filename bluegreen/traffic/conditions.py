"""Whether a live listener rule is the one a configuration describes: pure comparison, as sets.

Source: elbv2 API, RuleCondition; ``Values`` is the legacy form of the ``…Config`` members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.errors import RefusedError

FIELDS = {
    "path": "path-pattern",
    "host": "host-header",
    "header": "http-header",
    "method": "http-request-method",
    "query": "query-string",
    "source_ip": "source-ip",
}
"""The configuration's word → ELBv2's field."""

_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}

Condition = tuple[str, str, frozenset[str]]
"""Field, header name where there is one, values."""


def matches(wanted: Mapping[str, object], live_rule: Mapping[str, Any]) -> bool:
    """True when the rule has the wanted priority, if one is given, and exactly the wanted conditions, if any are.

    Raises RefusedError for a condition nobody knows.
    """
    priority = wanted.get("priority")
    if priority is not None and str(priority) != str(live_rule.get("Priority")):
        return False
    conditions = wanted_conditions(wanted)
    if not conditions:
        return priority is not None
    return conditions == live_conditions(live_rule)


def wanted_conditions(wanted: Mapping[str, object]) -> frozenset[Condition]:
    unknown = sorted(set(wanted) - set(FIELDS) - {"priority"})
    if unknown:
        raise RefusedError(f"unknown rule condition {unknown[0]!r}; there are {', '.join([*FIELDS, 'priority'])}")
    return frozenset(
        condition for word, value in wanted.items() if word in FIELDS for condition in _wanted(FIELDS[word], value)
    )


def live_conditions(live_rule: Mapping[str, Any]) -> frozenset[Condition]:
    return frozenset(_live(condition) for condition in live_rule.get("Conditions") or [])


def as_configured(live_rule: Mapping[str, Any]) -> dict[str, object] | None:
    """The rule's conditions in the configuration's words, each value as it stands: what ``matches`` it.

    None where no configuration can name them: an unknown field, no value, or two conditions of one field.
    """
    words = {field: word for word, field in FIELDS.items()}
    found: dict[str, object] = {}
    for condition in live_rule.get("Conditions") or []:
        word = words.get(str(condition.get("Field", "")))
        values = [_written(value) for value in _live_values(condition)]
        if word is None or word in found or not all(values) or not values:
            return None
        found[word] = values[0] if len(values) == 1 else values
        if word == "header":
            found[word] = {"name": str(_config(condition).get("HttpHeaderName", "")), "values": found[word]}
    return found or None


def describe(live_rule: Mapping[str, Any]) -> str:
    """The rule's conditions on one line, or its priority when it has none."""
    words = {field: word for word, field in FIELDS.items()}
    parts = [
        f"{words.get(field, field)}={name + ':' if name else ''}{'|'.join(sorted(values))}"
        for field, name, values in sorted(live_conditions(live_rule), key=lambda item: (item[0], item[1]))
    ]
    return " ".join(parts) or f"priority={live_rule.get('Priority')}"


def _wanted(field: str, value: object) -> Sequence[Condition]:
    if field == "http-header":
        headers = value if isinstance(value, list | tuple) else [value]
        return [_header(header) for header in headers]
    return [(field, "", _values(field, _listed(value)))]


def _header(header: object) -> Condition:
    if not isinstance(header, Mapping) or "name" not in header or "values" not in header:
        raise RefusedError(f"a header condition is {{name: …, values: […]}}, not {header!r}")
    return ("http-header", str(header["name"]).lower(), _values("http-header", _listed(header["values"])))


def _live(condition: Mapping[str, Any]) -> Condition:
    field = str(condition.get("Field", ""))
    name = str(_config(condition).get("HttpHeaderName", "")).lower()
    return (field, name, _values(field, _live_values(condition)))


def _config(condition: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = condition.get(_CONFIGS.get(str(condition.get("Field", "")), "")) or {}
    return found


def _live_values(condition: Mapping[str, Any]) -> list[object]:
    config = _config(condition)
    values = config.get("Values") or condition.get("Values") or []
    regexes = [f"regex:{value}" for value in config.get("RegexValues") or condition.get("RegexValues") or []]
    return [*values, *regexes]


def _written(value: object) -> str:
    """A query string without a key needs no ``=`` in front, unless another one follows."""
    text = _query(value) if isinstance(value, Mapping) else str(value)
    return text if not isinstance(value, Mapping) or text.startswith("==") else text.removeprefix("=")


def _listed(value: object) -> Sequence[object]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _values(field: str, values: Sequence[object]) -> frozenset[str]:
    """Host names are compared without case, as they are on the wire."""
    texts = [_query(value) if isinstance(value, Mapping) else str(value) for value in values]
    if field == "query-string":
        texts = [text.removeprefix("=") for text in texts]
    return frozenset(text.lower() if field == "host-header" else text for text in texts)


def _query(pair: Mapping[str, object]) -> str:
    lower = {str(key).lower(): value for key, value in pair.items()}
    return f"{lower.get('key') or ''}={lower.get('value') or ''}"
