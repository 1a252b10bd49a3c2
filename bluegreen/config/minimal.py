"""The few facts a rollback needs before it can ask the store, read without pydantic: the rollback is timed.

Only these keys are looked at; whatever else is wrong in the file is no reason not to roll back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File

from bluegreen.config.problems import Problem, nearest, refuse
from bluegreen.config.source import Scalar, Source, read_source
from bluegreen.config.variables import Expander, plain
from bluegreen.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Minimal:
    service: str
    store: str | None = None
    region: str | None = None


def read_minimal(path: File, environment: Mapping[str, str]) -> Minimal:
    """Raises ConfigurationError when the file is no YAML mapping, names no service, or needs a variable for these."""
    source = read_source(path)
    service = _text(source, "service", environment)
    if not service:
        near = nearest("service", source.root.pairs)
        hint = f"; {near}" if near.startswith("did you mean") else ""
        raise refuse(str(path), [Problem(("service",), f"is missing{hint}", source.root.place)])
    return Minimal(service, _text(source, "store", environment), _text(source, "region", environment))


def service_name(path: File, environment: Mapping[str, str]) -> str:
    return read_minimal(path, environment).service


def store_url(path: File, environment: Mapping[str, str]) -> str | None:
    return read_minimal(path, environment).store


# Private


def _text(source: Source, key: str, environment: Mapping[str, str]) -> str | None:
    node = source.root.pairs.get(key)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return None
    expander = Expander(environment)
    value = plain(node, expander, (key,))
    if expander.missing:
        raise _refused(source, expander.missing)
    if not isinstance(value, str):
        raise _refused(source, [Problem((key,), "must be text; put it in quotes", node.place)])
    return str(value)


def _refused(source: Source, problems: list[Problem]) -> ConfigurationError:
    return refuse(source.file, problems)
