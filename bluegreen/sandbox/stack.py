"""The stack of a sandbox: a CloudFormation template made real, with errors a person can act on."""

from __future__ import annotations

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
    _check_parameters(content, parameters)
    left_out = _not_imitated(content)
    backend = cloudformation_backends[ACCOUNT][region]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the emulator warns of each type it leaves out; we say it ourselves
            backend.create_stack(name, template, dict(parameters))
    except Exception as error:
        raise ConfigurationError(f"{_culprit(error)}: {_reason(error)}", hint="correct the template") from error
    return left_out


def _parsed(template: str) -> dict[str, Any]:
    try:
        content = Stack.parse_template(template)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"the template is neither YAML nor JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise ConfigurationError("the template has no Resources", hint="give a CloudFormation template")
    return content


def _check_parameters(content: Mapping[str, Any], given: Mapping[str, str]) -> None:
    known = content.get("Parameters") or {}
    problems = [
        f"{name}: no such parameter; known: {', '.join(known) or 'none'}" for name in given if name not in known
    ]
    problems += [
        f"{name}: needs a value (--parameter {name}=…)"
        for name, item in known.items()
        if name not in given and "Default" not in item
    ]
    for name, value in given.items():
        allowed = (known.get(name) or {}).get("AllowedValues")
        if allowed and str(value) not in [str(item) for item in allowed]:
            problems.append(f"{name}: {value!r} is not one of {', '.join(str(item) for item in allowed)}")
    if problems:
        raise ConfigurationError("the template's parameters: " + "; ".join(problems), problems=tuple(problems))


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
