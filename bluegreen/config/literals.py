"""Secrets that stand in a configuration as they are: the record, the log and the repository would keep them.

A variable is the way out in every case, so that a text which only looks like a secret keeps nobody from deploying.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegreen.config.problems import Path, Problem
from bluegreen.config.source import Items, Node, Scalar, find
from bluegreen.redact import CREDENTIAL, KEY_NAME, is_worth_hiding

_SECTIONS = ("hooks", "gates", "notify")
_EXPECTED = ("json", "never")
"""Settings whose keys are questions to an answer."""

_NAMED = re.compile(rf"(?i){KEY_NAME}|.*(?:credential|authorization|signature).*|(?:.*[_-])?(?:pass|pwd|pw|dsn)")
_NO_SECRET = re.compile(r"(?i).*[_-](?:file|path|dir|name|url|uri|arn|id|type|ttl|seconds|timeout|enabled|version)")
_HARMLESS = re.compile(r"arn:|/|https?://|\d+[smhd]?$")
_ASSIGNED = re.compile(
    rf"(?i)(?<![\w.-])({KEY_NAME}|authorization)['\"]?[ \t]*(?:=|:[ \t])[ \t]*['\"]?(?!bearer|basic)([^\s,;&\"']{{4,}})"
)
_OPTION = re.compile(rf"(?i)--?(?:{KEY_NAME})")
_TOKEN_IN_URL = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}")
_NO_TEXT_FOR_PROGRAMS = ("message", "name", "query", "title")


def literal_secrets(root: Node) -> Iterator[Problem]:
    for section in _SECTIONS:
        node, reached = find(root, (section,))
        if reached == (section,):
            yield from _below(node, (section,), "")


# Private


def _below(node: Node, path: Path, before: str) -> Iterator[Problem]:
    """``before``: what stands before it in a list."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and _is_secret(node.value, path, before):
            yield Problem(path, _text(path), node.place)
    elif isinstance(node, Items):
        previous = ""
        for index, item in enumerate(node.items):
            yield from _below(item, (*path, index), previous)
            previous = str(item.value) if isinstance(item, Scalar) else ""
    else:
        for key, value in node.pairs.items():
            yield from _below(value, (*path, key), "")


def _is_secret(text: str, path: Path, before: str) -> bool:
    """Whatever holds a ``$`` is taken from elsewhere: a variable of ours or of a shell."""
    if any("$" not in found[0] for found in CREDENTIAL.finditer(text)):
        return True
    if path[0] == "gates" or path[-1] in _NO_TEXT_FOR_PROGRAMS:
        return False
    assigned = (found for found in _ASSIGNED.finditer(text) if not _NO_SECRET.fullmatch(found[1]))
    if any(_is_literal(found[2]) for found in assigned):
        return True
    if _OPTION.fullmatch(before) and not text.startswith("-"):
        return _is_literal(text)
    if "webhook" in path and "$" not in text and _TOKEN_IN_URL.search(text.partition("://")[2].partition("/")[2]):
        return True
    return _is_named(path) and _is_literal(text)


def _is_named(path: Path) -> bool:
    name = str(path[-1])
    asked = any(part in _EXPECTED for part in path)
    return not asked and bool(_NAMED.fullmatch(name)) and not _NO_SECRET.fullmatch(name)


def _is_literal(text: str) -> bool:
    return "$" not in text and is_worth_hiding(text) and not _HARMLESS.match(text)


def _text(path: Path) -> str:
    name = re.sub(r"\W+", "_", str(path[-1])).strip("_").upper()
    variable = name if re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) and path[-1] not in ("run", "url", "webhook") else "VAR"
    return (
        "holds what looks like a secret, and would be kept in records as it stands; "
        f"put it into the environment and write ${{{variable}}}"
    )
