"""Rule conditions → Envoy route matchers. Values of a condition are alternatives; conditions must all hold.

As on an ALB: ``*`` and ``?`` are wildcards; hosts, header values and query strings compare without case,
paths and methods with it. Source: "Condition types for listener rules", ELB user guide.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from bluegreen.sandbox.balancer.model import Condition

SOURCE_KEY = "alb.source"


def match_of(conditions: Iterable[Condition]) -> dict[str, Any]:
    """One Envoy RouteMatch. Raises ValueError for a condition this does not know."""
    match: dict[str, Any] = {"prefix": "/"}
    for condition in conditions:
        if condition.field == "source-ip":
            match.setdefault("filter_state", []).append(_source(condition))
        else:
            match.setdefault("headers", []).append(_header(condition))
    return match


def header_regex(name: str, regex: str) -> dict[str, Any]:
    return {"name": name, "string_match": {"safe_regex": {"regex": regex}}}


def _header(condition: Condition) -> dict[str, Any]:
    match condition.field:
        case "host-header":
            return header_regex(":authority", rf"(?i){_any_of(condition.values, '.')}(:[0-9]+)?")
        case "path-pattern":
            return header_regex(":path", rf"{_any_of(condition.values, '[^?]')}(\?.*)?")
        case "http-request-method":
            return header_regex(":method", _any_of(condition.values, "."))
        case "http-header":
            return header_regex((condition.name or "").lower(), rf"(?i){_any_of(condition.values, '.')}")
        case "query-string":
            pairs = "|".join(_pair(key, value) for key, value in condition.pairs)
            return header_regex(":path", rf"(?i)[^?]*\?(.*&)?({pairs})(&.*)?")
    raise ValueError(f"unknown condition {condition.field}")


def _pair(key: str | None, value: str) -> str:
    name = "([^=&]*=)?" if key is None else f"{_wildcard(key, '[^=&]')}="
    return name + _wildcard(value, "[^&]")


def _any_of(values: Iterable[str], one: str) -> str:
    return "(" + "|".join(_wildcard(value, one) for value in values) + ")"


def _wildcard(pattern: str, one: str) -> str:
    """``one`` is the class a single ``?`` stands for. ``\\*`` and ``\\?`` are the characters themselves."""
    tokens = {"*": f"{one}*", "?": one}
    parts = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    return "".join(tokens.get(part) or re.escape(part[-1]) for part in parts)


def _source(condition: Condition) -> dict[str, Any]:
    networks = [ipaddress.ip_network(value, strict=False) for value in condition.values]
    ranges = [{"address_prefix": str(each.network_address), "prefix_len": each.prefixlen} for each in networks]
    return {"key": SOURCE_KEY, "address_match": {"ranges": ranges}}
