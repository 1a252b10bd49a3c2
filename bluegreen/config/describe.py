"""The table of every key, made from the JSON Schema. The kinds' settings have tables of their own.

``python -m tests.architecture.test_configs_reference`` renews them in the manual, between its two marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tabulate import tabulate

from bluegreen.config.kinds import Kinds
from bluegreen.config.schema import json_schema
from bluegreen.config.values import VARIABLE_SCHEMA

BEGIN = "<!-- keys: made by python -m tests.architecture.test_configs_reference -->"
END = "<!-- end of keys -->"

Row = tuple[str, str, str, str]
"""Key, type, default, meaning."""


def rows(kinds: Kinds) -> list[Row]:
    """Every key of the configuration, the settings of hooks and gates left out."""
    schema = json_schema(kinds)
    found = _rows(schema, schema["$defs"], "", {*kinds.hooks, *kinds.gates, *kinds.notifiers}, set())
    return [(row[0].replace(_FIRST_POINT, "hooks.POINT[]"), row[1], row[2], row[3]) for row in found]


def kind_rows(kinds: Kinds, kind: str, *, notifier: bool = False) -> list[Row]:
    """The settings of one kind of hook or gate, or of notifier; none where nothing is known of them."""
    model = kinds.notifiers.get(kind) if notifier else kinds.hooks.get(kind) or kinds.gates.get(kind)
    if model is None:
        return []
    definitions = json_schema(kinds)["$defs"]
    return list(_rows(definitions[model.__name__], definitions, "", set(), set()))


def document(text: str, kinds: Kinds) -> str:
    """``text`` with what is between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [_table(rows(kinds))]
    for family, names in (("hook", kinds.hooks), ("gate", kinds.gates), ("notifier", kinds.notifiers)):
        for kind in names:
            parts += [
                f"### Settings of the {family} `{kind}`",
                _table(kind_rows(kinds, kind, notifier=family == "notifier")),
            ]
    made = "\n\n".join(parts)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


# Private

_FIRST_POINT = "hooks.before_launch[]"


def _table(found: list[Row]) -> str:
    return tabulate(found, headers=("key", "type", "default", "meaning"), tablefmt="github", disable_numparse=True)


def _rows(
    owner: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str, without: set[str], seen: set[str]
) -> Iterator[Row]:
    """A section that several keys have is written out under the first of them."""
    required = owner.get("required", ())
    for key, described in owner.get("properties", {}).items():
        if key in without:
            continue
        path = f"{prefix}{key}"
        sections = list(_sections(described))
        meaning = described.get("description") or " ".join(definitions[name]["description"] for name, _ in sections)
        default = _default(described, key in required)
        yield f"`{path}`", _type(described, definitions), default, meaning.replace("|", "\\|")
        for name, suffix in sections:
            if name not in seen:
                seen.add(name)
                yield from _rows(definitions[name], definitions, f"{path}{suffix}.", without, seen)


def _sections(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The definitions a key leads to, with what follows the key in their paths."""
    for one in (described, *described.get("anyOf", ())):
        if "$ref" in one:
            yield one["$ref"].rsplit("/", 1)[-1], ""
        elif "$ref" in one.get("items", {}):
            yield one["items"]["$ref"].rsplit("/", 1)[-1], "[]"


def _default(described: Mapping[str, Any], is_required: bool) -> str:
    if is_required:
        return "required"
    default = described.get("default")
    if default is None or default in ([], {}):
        return ""
    if isinstance(default, list):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{default}`" if isinstance(default, str) else f"`{str(default).lower()}`"


def _type(described: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    alternatives = described.get("anyOf") or [described]
    words = dict.fromkeys(_word(one, definitions) for one in alternatives if one != VARIABLE_SCHEMA)
    return " or ".join(word for word in words if word)


def _word(one: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "const" in one:
        return f"`{one['const']}`"
    if "enum" in one:
        return " or ".join(f"`{value}`" for value in one["enum"])
    if "anyOf" in one:
        return _type(one, definitions)
    if "examples" in one:
        return "share" if "%" in str(one["examples"]) else "time"
    if one.get("type") == "array":
        return f"list of {_type(one['items'], definitions)}" if one.get("items") else "list"
    if "$ref" in one:
        return "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": ""}
    return names.get(str(one.get("type")), "mapping" if one.get("type") == "object" else "any")
