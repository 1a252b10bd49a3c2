"""Secrets of a container definition, resolved from the emulator's Parameter Store and Secrets Manager.

``valueFrom`` as ECS takes it: a parameter's name or ARN, or a secret's ARN with ``:json-key:version-stage:version-id``
(each may be empty) behind it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.backends import get_backend

from bluegreen.sandbox.base import ACCOUNT


class SecretMissingError(Exception):
    """The message names the secret, never its value."""


def resolve_secret(region: str, value_from: str) -> str:
    """Raises SecretMissingError."""
    if ":secretsmanager:" in value_from:
        return _from_secrets_manager(region, value_from)
    return _from_parameter_store(region, value_from)


# -- private


def _from_parameter_store(region: str, value_from: str) -> str:
    name = value_from
    if name.startswith("arn:"):
        # The ARN of "/a/b" ends in "parameter/a/b", and so does that of "a/b".
        name = value_from.partition(":parameter")[2]
    parameters: Any = get_backend("ssm")[ACCOUNT][region]
    for candidate in dict.fromkeys((name, name.removeprefix("/"))):
        parameter = parameters.get_parameter(candidate)
        if parameter is not None:
            return str(parameter.response_object(decrypt=True)["Value"])
    raise SecretMissingError(
        f"unable to retrieve secrets from ssm: invalid parameters: {value_from} (no such parameter in {region})"
    )


def _from_secrets_manager(region: str, value_from: str) -> str:
    fields = value_from.split(":")
    arn, extra = ":".join(fields[:7]), [*fields[7:], "", "", ""]
    key, stage, version = extra[:3]
    backend: Any = get_backend("secretsmanager")[ACCOUNT][region]
    try:
        # Anything the emulator raises for it means that this secret cannot be had.
        found = backend.get_secret_value(arn, version or None, stage or None)
        text = str(found["SecretString"])
    except Exception as error:
        raise SecretMissingError(
            f"unable to retrieve secret from asm: {arn}: ResourceNotFoundException: can't find the specified secret"
        ) from error
    return _json_value(text, key, arn) if key else text


def _json_value(text: str, key: str, arn: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise SecretMissingError(
            f"retrieved secret from Secrets Manager did not contain json key {key}: {arn}"
        ) from None
    return value if isinstance(value, str) else json.dumps(value)
