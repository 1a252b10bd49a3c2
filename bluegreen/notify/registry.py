"""From a kind's name to the notifier: the built-in ones by a table, others by entry point, by name, when used.

An entry point in ``bluegreen.notifiers`` names a factory, ``(spec, Surroundings) -> Notifier``, with ``spec.settings``
expanded. It checks them itself. Notifiers are built as hooks are, with the hooks' own tools.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bluegreen.clock import Clock
from bluegreen.domain.spec import NotifySpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.expand import expand, scripts_of
from bluegreen.hooks.registry import plugged
from bluegreen.hooks.running import Links, Surroundings
from bluegreen.notify.base import Fact, Notifier
from bluegreen.redact import Redactor

NOTIFIER_GROUP = "bluegreen.notifiers"

_NOTIFIERS = {
    "command": ("bluegreen.notify.command", "CommandNotifier"),
    "webhook": ("bluegreen.notify.webhook", "WebhookNotifier"),
    "sns": ("bluegreen.notify.aws", "SnsNotifier"),
    "eventbridge": ("bluegreen.notify.aws", "EventBridgeNotifier"),
}


def notifier_kinds() -> tuple[str, ...]:
    return tuple(_NOTIFIERS)


def build_notifier(
    spec: NotifySpec, environment: Mapping[str, str], folder: Path, clock: Clock, links: Links
) -> Notifier:
    """Raises ConfigurationError; every message names the notifier. What it tells is redacted, whatever its kind."""
    owner = f"notifier {spec.name}"
    scripts = scripts_of(spec.settings) if spec.kind == "command" else ()
    expanded = expand(owner, spec.settings, environment, scripts=scripts)
    around = Surroundings(environment, folder, clock, expanded.used, links)
    if spec.kind in _NOTIFIERS:
        module, name = _NOTIFIERS[spec.kind]
        settings = _checked(spec.kind, expanded.settings, owner)
        made: Notifier = getattr(importlib.import_module(module), name)(settings, spec.timeout, around)
    else:
        factory = plugged(NOTIFIER_GROUP, spec.kind, owner, _NOTIFIERS)
        made = factory(replace(spec, settings=expanded.settings), around)
    return _Redacting(made, around.redactor())


# Private


class _Redacting:
    """Nothing secret goes out, and nothing secret stands in what went wrong."""

    def __init__(self, inner: Notifier, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    def tell(self, fact: Fact) -> None:
        try:
            self._inner.tell(self._clean(fact))
        except Exception as error:
            said = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            raise HookUnavailableError(" ".join(self._redactor.text(str(said)).split())[:300]) from None

    def _clean(self, fact: Fact) -> Fact:
        text = self._redactor.text
        data = {name: self._value(value) for name, value in fact.data.items()}
        return replace(fact, message=text(fact.message), release=text(fact.release), data=data)

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self._redactor.text(value)
        if isinstance(value, Mapping):
            return {str(key): self._value(below) for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(below) for below in value]
        return value


def _checked(kind: str, settings: dict[str, object], owner: str) -> Any:
    """Never with the value that was found: it may come from a ``${VAR}``."""
    from pydantic import ValidationError

    from bluegreen.notify.settings import notifier_model

    try:
        return notifier_model(kind).model_validate(settings)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    problems = tuple(f"{owner}: {'.'.join(map(str, (kind, *one['loc'])))}: {_said(one['msg'])}" for one in found)
    raise ConfigurationError("; ".join(problems), problems=problems)


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")
