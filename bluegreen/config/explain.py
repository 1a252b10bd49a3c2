"""pydantic's findings in our words: each with its key, its place, what is wrong and what to write instead."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from bluegreen.config.problems import Path, Place, Problem, nearest
from bluegreen.config.source import Items, Node, Pairs, Scalar, find
from bluegreen.config.values import MUST_BE, SAID

_TYPES = {
    "string_type": "must be text",
    "list_type": "must be a list: a - in front of each item, or [ ] around them",
    "tuple_type": "must be a list: a - in front of each item, or [ ] around them",
    "model_type": "must be a mapping of keys and values",
    "model_attributes_type": "must be a mapping of keys and values",
    "dict_type": "must be a mapping of keys and values",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_LIMITS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "does not have the form {pattern}",
}
_EMPTY = {"string_too_short", "too_short"}


def explain(error: ValidationError, model: type[BaseModel], root: Node, base: Path = ()) -> Iterator[Problem]:
    """``base`` leads from the file's ``root`` to what ``model`` was given.

    The findings of alternatives (a list or a text) for one key become one problem.
    """
    joined: dict[tuple[Path, Place], list[str]] = {}
    for one in error.errors(include_url=False):
        problem = _problem(one, model, root, base)
        texts = joined.setdefault((problem.path, problem.place or Place(0, 0)), [])
        if problem.text not in texts:
            texts.append(problem.text)
    for (path, place), texts in joined.items():
        yield Problem(path, " or ".join(texts), place)


def is_tainted(node: Node) -> bool:
    """True where a variable stands in the value, so that nothing made of it may be shown."""
    if isinstance(node, Scalar):
        return isinstance(node.value, str) and "${" in node.value
    below = node.items if isinstance(node, Items) else node.pairs.values()
    return any(is_tainted(one) for one in below)


def shown(node: Node) -> str:
    """What the file says, short: a text in quotes, a number as it is, the kind of a collection."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Pairs):
        return "a mapping"
    if isinstance(node.value, str):
        return repr(node.value if len(node.value) <= 60 else node.value[:57] + "...")
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    return str(node.value)[:60]


def keys_at(model: type[BaseModel], loc: Path) -> dict[str, str]:
    """The keys that are known where ``loc`` leads, with their descriptions."""
    models = [model]
    for part in loc:
        if isinstance(part, str):
            models = [found for one in models for found in _below(one, part)] or models
    return {name: field.description or "" for one in models for name, field in _fields(one).items()}


# Private


def _problem(one: Mapping[str, Any], model: type[BaseModel], root: Node, base: Path) -> Problem:
    loc: Path = tuple(one["loc"])
    node, reached = find(root, (*base, *loc))
    if one["type"] == "missing":
        key = str(loc[-1])
        described = keys_at(model, loc[:-1]).get(key, "")
        return Problem((*reached, key), "is missing" + (f": {described}" if described else ""), node.place)
    if one["type"] == "extra_forbidden":
        key = str(loc[-1])
        return Problem(
            reached, f"is not a key here; {nearest(key, keys_at(model, loc[:-1]))}", key_place(root, reached)
        )
    return Problem(reached, _text(one, node), node.place)


def key_place(root: Node, path: Path) -> Place:
    """Where the key itself stands that ``path`` ends with."""
    holder, _ = find(root, path[:-1])
    if isinstance(holder, Pairs) and path and path[-1] in holder.keys:
        return holder.keys[str(path[-1])]
    return find(root, path)[0].place


def _text(one: Mapping[str, Any], node: Node) -> str:
    kind, context = one["type"], one.get("ctx") or {}
    if kind == SAID:
        return str(context["text"])
    if isinstance(node, Scalar) and node.value is None:
        return "has no value; give it one or remove the key"
    if kind == MUST_BE:
        return f"{context['what']}, not {shown(node)}"
    if kind in _EMPTY:
        return "must not be empty"
    if kind == "string_type" and isinstance(node, Scalar) and not isinstance(node.value, str):
        return f"must be text: put it in quotes, YAML reads it as {_reading(node.value)}"
    if kind in _TYPES:
        return f"{_TYPES[kind]}, not {shown(node)}"
    if kind in _LIMITS:
        return f"{_LIMITS[kind].format(**context)}, not {shown(node)}"
    return _others_words(one, node)


def _others_words(one: Mapping[str, Any], node: Node) -> str:
    """A message made elsewhere may repeat the value it was given."""
    if is_tainted(node):
        return f"is not accepted as {shown(node)} once its variables are filled in"
    error = (one.get("ctx") or {}).get("error")
    words = str(error) if error is not None else str(one["msg"]).replace("Input should be", "must be")
    return words[:1].lower() + words[1:] if words[:2].istitle() else words


def _reading(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number"


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _below(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    field = _fields(model).get(key)
    if field is not None:
        yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
