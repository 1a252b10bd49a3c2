"""CloudFormation's properties as the parameters of the API call that makes the resource.

Names differ only in case and every type is in botocore's service model, so the model is the mapping: a number given
as text by a template's parameter becomes a number, and the keys of a map (labels, log options) stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.utils import get_service_model


def as_api(service: str, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """``properties`` as input of ``operation``. What the operation does not take is left out.

    Raises ValueError when a value cannot be of the type the operation takes.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    result: dict[str, Any] = _structure(shape, properties, "")
    return result


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    members = {name.lower(): (name, member) for name, member in shape.members.items()}
    result = {}
    for key, item in value.items():
        if key.lower() in members and item is not None:
            name, member = members[key.lower()]
            result[name] = _value(member, item, f"{path}.{key}".lstrip("."))
    return result


def _value(shape: Any, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return _structure(shape, value, path)
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [_value(shape.member, item, f"{path}[{place}]") for place, item in enumerate(items)]
    if kind == "map" and isinstance(value, Mapping):
        return {str(key): _value(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    return _scalar(kind, value, path)


def _scalar(kind: str, value: Any, path: str) -> Any:
    try:
        if kind in {"integer", "long"}:
            return int(value)
        if kind in {"float", "double"}:
            return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{path}: {value!r} is not a number") from None
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value
