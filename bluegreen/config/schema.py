"""The configuration's JSON Schema (draft 2020-12), for editors: every key with its description and default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bluegreen.config.kinds import Kinds
from bluegreen.config.model import Configuration
from bluegreen.config.shift import ALL_AT_ONCE_WORD
from bluegreen.config.values import duration_text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER = "urn:bluegreen:configuration:1"

_DEFINITIONS = "#/$defs/{model}"


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """A schema of its own: nothing in it refers to another document."""
    schema = Configuration.model_json_schema(mode="validation", ref_template=_DEFINITIONS)
    definitions: dict[str, Any] = schema.pop("$defs")
    _with_kinds(definitions, "HookEntry", kinds.hooks)
    _with_kinds(definitions, "GateEntry", kinds.gates)
    _with_kinds(definitions, "NotifyEntry", kinds.notifiers)
    together = definitions["HookEntry"]["properties"]["parallel"]
    definitions["HookEntry"]["properties"]["parallel"] = {
        "description": together["description"],
        "type": "array",
        "items": {"$ref": _DEFINITIONS.format(model="HookEntry"), "not": {"required": ["parallel"]}},
        "minItems": 2,
    }
    definitions["HookEntry"]["oneOf"].append({"required": ["parallel"]})
    definitions["HookEntry"]["dependentSchemas"] = {"parallel": {"maxProperties": 1}}
    schema["properties"]["slots"] |= {"minItems": 2, "maxItems": 2}
    schema["properties"]["production"] |= {"minItems": 1}
    schema["properties"]["shift"] |= {"default": ALL_AT_ONCE_WORD}
    definitions["Shift"]["oneOf"] = [{"required": [way]} for way in definitions["Shift"]["properties"]]
    for route in ("Route", "TestRoute"):
        definitions[route]["oneOf"] = [{"required": ["arn"]}, {"required": ["load_balancer", "port"]}]
    for owner in (schema, *definitions.values()):
        _readable_defaults(owner)
    return {"$schema": DIALECT, "$id": IDENTIFIER} | schema | {"title": "bluegreen", "$defs": definitions}


# Private


def _with_kinds(definitions: dict[str, Any], entry: str, models: Mapping[str, type[BaseModel] | None]) -> None:
    owner = definitions[entry]
    for kind, model in models.items():
        owner["properties"][kind] = _settings(definitions, kind, model)
    owner["additionalProperties"] = False
    owner["oneOf"] = [{"required": [kind]} for kind in models]


def _settings(definitions: dict[str, Any], kind: str, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": f"Settings of {kind}."}
    made = model.model_json_schema(mode="validation", ref_template=_DEFINITIONS)
    definitions |= made.pop("$defs", {})
    definitions[model.__name__] = made
    return {
        "description": f"Settings of {kind}; in place of a mapping its main setting alone.",
        "anyOf": [{"$ref": f"#/$defs/{model.__name__}"}, {"type": ["string", "array"]}],
    }


def _readable_defaults(owner: dict[str, Any]) -> None:
    """A time's default is shown as it is written, ``30m`` and not 1800.0."""
    for described in owner.get("properties", {}).values():
        default = described.get("default")
        if isinstance(default, float) and _is_time(described):
            described["default"] = duration_text(default)
        elif default is None:
            described.pop("default", None)


def _is_time(described: Mapping[str, Any]) -> bool:
    return any("examples" in one for one in (described, *described.get("anyOf", [])))
