"""``${VAR}`` in the settings of a hook or gate, taken from the environment at the moment it is built.

The record keeps them unexpanded, so that nothing secret is stored. In the text of a shell they stay as they stand, and
the shell takes them from its environment: a value that is pasted into a script would be run as a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from bluegreen.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
_SCRIPT_FOLLOWS = re.compile(r"-[A-Za-z]*c[A-Za-z]*")


@dataclass(frozen=True, slots=True)
class Expanded:
    """``used`` holds the variables that went in, with their values: what a redactor must know of."""

    settings: dict[str, object]
    used: dict[str, str] = field(default_factory=dict)


def expand(
    owner: str,
    settings: Mapping[str, object],
    environment: Mapping[str, str],
    facts: Mapping[str, str] | None = None,
    later: Collection[str] = (),
    scripts: Collection[str] = (),
) -> Expanded:
    """``$${`` stands for a literal ``${``. ``owner`` names the hook in the message.

    ``facts`` go before variables of the same name; they are no secrets. What is named in ``later`` stays as it stands.
    ``scripts``: the places whose variables a shell takes from its environment (``scripts_of``).
    Raises ConfigurationError with one problem for each variable that is missing.
    """
    expansion = _Expansion(environment, facts or {}, later, scripts, _names(settings.get("env")))
    expanded = {key: expansion.value(value, key) for key, value in settings.items()}
    if expansion.problems:
        problems = tuple(f"{owner}: {problem}" for problem in dict.fromkeys(expansion.problems))
        raise ConfigurationError(
            "; ".join(problems), problems=problems, hint="set it in the environment; $${ stands for a literal ${"
        )
    return Expanded(expanded, expansion.used)


def scripts_of(settings: Mapping[str, object]) -> frozenset[str]:
    """Where the settings of a command hold text for a shell: ``run`` as one string, or what follows ``sh -c``."""
    run = settings.get("run")
    if isinstance(run, str):
        return frozenset({"run"})
    if not isinstance(run, list | tuple) or not run or PurePath(str(run[0])).name not in _SHELLS:
        return frozenset()
    options = (index for index, each in enumerate(run) if index and _SCRIPT_FOLLOWS.fullmatch(str(each)))
    return frozenset(f"run[{index + 1}]" for index in options)


# Private


def _names(env: object) -> Collection[str]:
    return tuple(map(str, env)) if isinstance(env, Mapping) else ()


class _Expansion:
    def __init__(
        self,
        environment: Mapping[str, str],
        facts: Mapping[str, str],
        later: Collection[str],
        scripts: Collection[str],
        own: Collection[str],
    ) -> None:
        self._environment = environment
        self._facts = facts
        self._later = later
        self._scripts = scripts
        self._own = own
        self.used: dict[str, str] = {}
        self.problems: list[str] = []

    def value(self, value: object, path: str) -> object:
        if isinstance(value, str):
            return _REFERENCE.sub(lambda matched: self._replacement(matched, path), value)
        if isinstance(value, Mapping):
            return {str(key): self.value(below, f"{path}.{key}") for key, below in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(below, f"{path}[{index}]") for index, below in enumerate(value)]
        return value

    def _replacement(self, matched: re.Match[str], path: str) -> str:
        name = matched[1]
        if name is None:
            return "${"
        if not _NAME.fullmatch(name):
            self.problems.append(f"{path}: ${{{name}}} is no variable's name")
            return ""
        if name in self._later or (path in self._scripts and name in self._own):
            return matched[0]
        if name in self._facts:
            return self._facts[name]
        if name not in self._environment:
            self.problems.append(f"{path}: the environment has no variable {name}")
            return ""
        self.used[name] = self._environment[name]
        return matched[0] if path in self._scripts else self.used[name]
