"""The stack of a sandbox: a CloudFormation template made real, with errors a person can act on."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import yaml
from moto.cloudformation.models import Stack, cloudformation_backends
from moto.cloudformation.parsing import NULL_MODELS, get_model_map

from bluegreen.errors import ConfigurationError
from bluegreen.sandbox.api import cloudformation
from bluegreen.sandbox.base import ACCOUNT

# Importing them is registering them; naming them here keeps the import.
RESOURCES = cloudformation.RESOURCES


def create_stack(region: str, name: str, template: str, parameters: Mapping[str, str]) -> Sequence[str]:
    """Make the stack; answers what was left out because the sandbox does not imitate it, one line each.

    Raises ConfigurationError when the template, a parameter or a resource is wrong.
    """
    content = _parsed(template)
    check_parameters(content.get("Parameters") or {}, parameters)
    left_out = _not_imitated(content)
    backend = cloudformation_backends[ACCOUNT][region]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the emulator warns of each type it leaves out; we say it ourselves
            backend.create_stack(name, template, dict(parameters))
    except Exception as error:
        raise ConfigurationError(f"{_culprit(error)}: {_reason(error)}", hint="correct the template") from error
    return left_out


def check_parameters(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> None:
    """Raises ConfigurationError naming every parameter that is unknown, missing, or not as the template wants it."""
    problems = [
        f"{name}: no such parameter; known: {', '.join(sorted(declared)) or 'none'}"
        for name in given
        if name not in declared
    ]
    problems += [
        f"{name}: needs a value (--parameter {name}=…)"
        for name, item in declared.items()
        if name not in given and "Default" not in item
    ]
    for name, value in given.items():
        problem = _problem(declared.get(name) or {}, str(value))
        if problem:
            problems.append(f"{name}: {problem}")
    if problems:
        text = "the template's parameters: " + "; ".join(problems)
        raise ConfigurationError(text, hint="correct --parameter", problems=tuple(problems))


def differences(template: str, parameters: Mapping[str, str], asked: Mapping[str, Any]) -> list[str]:
    """What ``asked`` (``template``, ``parameters``) wants otherwise than what was made. NoEcho values are not told."""
    if asked.get("template", template) != template:
        return ["its template is another"]
    declared = _parsed(template).get("Parameters") or {}
    return [
        _difference(name, declared, parameters, wanted)
        for name, wanted in (asked.get("parameters") or {}).items()
        if name not in declared or _effective(name, declared, parameters) != wanted
    ]


def _difference(name: str, declared: Mapping[str, Any], given: Mapping[str, str], wanted: str) -> str:
    if name not in declared:
        return f"it has no parameter {name}"
    if declared[name].get("NoEcho"):
        return f"{name} is another"
    return f"{name} is {_effective(name, declared, given)}, not {wanted}"


def _effective(name: str, declared: Mapping[str, Any], given: Mapping[str, str]) -> str:
    default = declared[name].get("Default", "")
    return given.get(name, str(default).lower() if isinstance(default, bool) else str(default))


def _problem(item: Mapping[str, Any], value: str) -> str | None:
    """Source: "Parameters", CloudFormation template reference."""
    allowed = [str(each) for each in item.get("AllowedValues") or ()]
    if allowed and value not in allowed:
        return f"{value!r} is not one of {', '.join(allowed)}"
    if item.get("Type") == "Number":
        return _problem_of_number(item, value)
    if item.get("Type") == "List<Number>":
        return (
            None if all(_number(each) is not None for each in value.split(",")) else f"{value!r} is no list of numbers"
        )
    return _problem_of_text(item, value) if item.get("Type") == "String" else None


def _problem_of_number(item: Mapping[str, Any], value: str) -> str | None:
    number = _number(value)
    if number is None:
        return f"{value!r} is no number"
    if number < float(item.get("MinValue", number)):
        return f"{value} is below {item['MinValue']}"
    return f"{value} is above {item['MaxValue']}" if number > float(item.get("MaxValue", number)) else None


def _problem_of_text(item: Mapping[str, Any], value: str) -> str | None:
    shown = "it" if item.get("NoEcho") else repr(value)
    if len(value) < int(item.get("MinLength", 0)):
        return f"{shown} has fewer than {item['MinLength']} characters"
    if len(value) > int(item.get("MaxLength", len(value))):
        return f"{shown} has more than {item['MaxLength']} characters"
    pattern = item.get("AllowedPattern")
    return f"{shown} does not match {pattern}" if pattern and not re.fullmatch(pattern, value) else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parsed(template: str) -> dict[str, Any]:
    try:
        content = Stack.parse_template(template)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"the template is neither YAML nor JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise ConfigurationError("the template has no Resources", hint="give a CloudFormation template")
    return content


def _not_imitated(content: Mapping[str, Any]) -> Sequence[str]:
    known = {*get_model_map(), *NULL_MODELS}
    return [
        f"{name} ({item.get('Type')}) is left out: the sandbox does not imitate this type"
        for name, item in content["Resources"].items()
        if item.get("Type") not in known and not str(item.get("Type")).startswith("Custom::")
    ]


def _culprit(error: BaseException) -> str:
    """The resource that was being made. The emulator keeps it nowhere but in its own call frames."""
    names = []
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name == "parse_and_create_resource":
            local = frame.tb_frame.f_locals
            names.append(f"resource {local['logical_id']} ({local['resource_json'].get('Type')})")
        frame = frame.tb_next
    return names[-1] if names else "the template"


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"property {error.args[0]} is missing" if error.args else "a property is missing"
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    code = getattr(error, "code", None)
    return f"{code}: {message}" if isinstance(code, str) else str(message)
