"""From a kind's name to the hook or gate: the built-in ones by a table, others by entry point, by name, when used.

An entry point in ``bluegreen.hooks`` or ``bluegreen.gates`` names a factory:
``(spec, Surroundings) -> Hook`` or ``-> Gate``, with ``spec.settings`` expanded. It checks them itself.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Clock, SystemClock
from bluegreen.domain.facts import COMPARISON, SIDE_FACTS
from bluegreen.domain.spec import GateSpec, HookSpec
from bluegreen.errors import BluegreenError, ConfigurationError
from bluegreen.hooks.base import Gate, Hook
from bluegreen.hooks.expand import expand, scripts_of
from bluegreen.hooks.running import Links, Surroundings

if TYPE_CHECKING:
    from bluegreen.hooks.alarm import AlarmBoard

HOOK_GROUP = "bluegreen.hooks"
GATE_GROUP = "bluegreen.gates"

# Names rather than classes: a deployment imports only the kinds that it uses.
_HOOKS = {
    "command": ("bluegreen.hooks.command", "CommandHook"),
    "http": ("bluegreen.hooks.http", "HttpHook"),
    "pytest": ("bluegreen.hooks.pytest", "PytestHook"),
    "python": ("bluegreen.hooks.python", "PythonHook"),
    "lambda": ("bluegreen.hooks.invoking", "LambdaHook"),
    "wait_for": ("bluegreen.hooks.wait_for", "WaitForHook"),
    "approval": ("bluegreen.hooks.approval", "ApprovalHook"),
    "codebuild": ("bluegreen.hooks.codebuild", "CodeBuildHook"),
    "stepfunctions": ("bluegreen.hooks.stepfunctions", "StepFunctionsHook"),
    "load": ("bluegreen.hooks.load", "LoadHook"),
}
_ALARM = "alarm"
_GATES = {
    _ALARM: ("bluegreen.hooks.alarm", "alarm_gate"),
    "metric": ("bluegreen.hooks.metric", "metric_gate"),
    "prometheus": ("bluegreen.hooks.prometheus", "prometheus_gate"),
    COMPARISON: ("bluegreen.hooks.compare", "compare_gate"),
}


def hook_kinds() -> tuple[str, ...]:
    return tuple(_HOOKS)


def gate_kinds() -> tuple[str, ...]:
    return tuple(_GATES)


def build_hook(
    spec: HookSpec,
    environment: Mapping[str, str],
    folder: Path,
    clock: Clock | None = None,
    links: Links | None = None,
) -> Hook:
    """``folder`` is the configuration's. Raises ConfigurationError; every message names the hook."""
    owner = f"hook {spec.name} ({spec.point})"
    scripts = scripts_of(spec.settings) if spec.kind == "command" else ()
    expanded = expand(owner, spec.settings, environment, scripts=scripts)
    around = Surroundings(environment, folder, clock or SystemClock(), expanded.used, links or Links())
    from bluegreen.hooks.kept import KeptHook

    if spec.kind in _HOOKS:
        hook: Hook = _named(_HOOKS[spec.kind])(_checked(spec.kind, expanded.settings, owner), around)
        return KeptHook(hook, f"{owner}: {spec.kind}", around.redactor())
    foreign: Hook = plugged(HOOK_GROUP, spec.kind, owner, _HOOKS)(replace(spec, settings=expanded.settings), around)
    from bluegreen.hooks.guarded import GuardedHook

    title = f"{owner}: the plug-in {spec.kind}"
    return KeptHook(GuardedHook(foreign, title, around.redactor()), title, around.redactor())


def build_gate(
    spec: GateSpec,
    environment: Mapping[str, str],
    folder: Path,
    alarms: AlarmBoard,
    clock: Clock | None = None,
    links: Links | None = None,
    facts: Mapping[str, str] | None = None,
) -> Gate:
    """``alarms`` is shared by the gates of one deployment, ``facts`` are the deployment's (hooks.base.FACTS).

    Raises ConfigurationError; every message names the gate.
    """
    owner = f"gate {spec.name}"
    expanded = expand(owner, spec.settings, environment, facts, SIDE_FACTS if spec.kind == COMPARISON else ())
    around = Surroundings(environment, folder, clock or SystemClock(), expanded.used, links or Links(), facts or {})
    from bluegreen.hooks.kept import KeptGate

    if spec.kind in _GATES:
        shared = (alarms,) if spec.kind == _ALARM else ()
        gate: Gate = _named(_GATES[spec.kind])(_checked(spec.kind, expanded.settings, owner), around, *shared)
        return KeptGate(gate, f"{owner}: {spec.kind}", around.redactor())
    foreign: Gate = plugged(GATE_GROUP, spec.kind, owner, _GATES)(replace(spec, settings=expanded.settings), around)
    from bluegreen.hooks.guarded_gate import GuardedGate

    title = f"{owner}: the plug-in {spec.kind}"
    return KeptGate(GuardedGate(foreign, title, around.redactor()), title, around.redactor())


def _named(place: tuple[str, str]) -> Any:
    module, name = place
    return getattr(importlib.import_module(module), name)


def _checked(kind: str, settings: dict[str, object], owner: str) -> Any:
    from pydantic import ValidationError

    from bluegreen.hooks.settings import settings_model

    try:
        return settings_model(kind).model_validate(settings)
    except ValidationError as error:
        problems = tuple(f"{owner}: {_problem(kind, dict(found))}" for found in error.errors(include_url=False))
    raise ConfigurationError("; ".join(problems), problems=problems)


def _problem(kind: str, found: dict[str, Any]) -> str:
    """Never with the value that was found: it may come from a ``${VAR}``."""
    from bluegreen.hooks.settings import settings_model

    path = ".".join(map(str, (kind, *found["loc"])))
    if found["type"] == "extra_forbidden":
        fields = settings_model(kind).model_fields
        known = [field.alias or name for name, field in fields.items()]
        return f"{path}: unknown key{nearest(str(found['loc'][-1]), known)}"
    return f"{path}: {found['msg'].removeprefix('Value error, ')}"


def nearest(name: str, known: list[str]) -> str:
    """`` (did you mean X?)`` and the known names."""
    close = difflib.get_close_matches(name, known, 1)
    return f"{f' (did you mean {close[0]}?)' if close else ''}; known are {', '.join(sorted(known))}"


def plugged(group: str, kind: str, owner: str, built_in: Mapping[str, object]) -> Callable[[Any, Surroundings], Any]:
    """What an entry point of ``group`` names, guarded. Raises ConfigurationError when none has the kind's name."""
    found = list(entry_points(group=group, name=kind))
    if not found:
        problem = f"{owner}: unknown kind {kind}{nearest(kind, list(built_in))}"
        raise ConfigurationError(problem, problems=(problem,))
    return _Plugin(found[0].load, f"{owner}: the plug-in {kind} ({found[0].value})")


class _Plugin:
    """Whatever a plug-in raises becomes this one hook's configuration error."""

    def __init__(self, load: Callable[[], Any], title: str) -> None:
        self._load = load
        self._title = title

    def __call__(self, spec: Any, around: Surroundings) -> Any:
        try:
            return self._load()(spec, around)
        except BluegreenError:
            raise
        except (Exception, SystemExit) as error:
            message = f"{self._title} is broken: {type(error).__name__}: {error}"
            raise ConfigurationError(around.redactor().text(message)) from error
