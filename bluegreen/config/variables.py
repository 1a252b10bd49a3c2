"""``${VAR}`` from the environment, once, when the file is read. Imports no pydantic (see source.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from bluegreen.config.problems import Path, Problem
from bluegreen.config.source import Items, Node, Scalar
from bluegreen.domain.facts import COMPARISON, FACTS, SIDE_FACTS

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Expanded(str):
    """Text that a variable went into. ``written`` is what the file says, and all that a message may show."""

    written: str

    def __new__(cls, value: str, written: str) -> Expanded:
        made = super().__new__(cls, value)
        made.written = written
        return made


Visit = Callable[[str, Path, Node], object]


def plain(node: Node, visit: Visit, path: Path = ()) -> object:
    """Dicts, lists and values; ``visit`` answers what to put for a text."""
    if isinstance(node, Scalar):
        return visit(node.value, path, node) if isinstance(node.value, str) else node.value
    if isinstance(node, Items):
        return [plain(item, visit, (*path, index)) for index, item in enumerate(node.items)]
    return {key: plain(value, visit, (*path, key)) for key, value in node.pairs.items()}


def as_written(text: str, path: Path, node: Node) -> object:
    return text


class Expander:
    """A ``Visit`` that fills variables in; ``missing`` collects the problems of those that are not there.

    What a gate is told of the deployment stays as it stands until the gate is built. In the sections ``optional`` a
    variable need not be set: ``unset`` has what would be said of it.
    """

    def __init__(self, environment: Mapping[str, str], optional: Collection[str] = ()) -> None:
        self._environment = environment
        self._optional = optional
        self.missing: list[Problem] = []
        self.unset: list[Problem] = []

    def __call__(self, text: str, path: Path, node: Node) -> object:
        if "${" not in text:
            return text
        return Expanded(_REFERENCE.sub(lambda found: self._filled(found, path, node), text), text)

    def _filled(self, found: re.Match[str], path: Path, node: Node) -> str:
        if found[0] == "$${":
            return "${"
        name = found[1]
        if name in _told_later(path):
            return found[0]
        problem = _problem_of(found[0], name, self._environment)
        if problem is None:
            return self._environment[name]
        if path[:1] == ("gates",):
            problem += f"; or one of what a gate is told: {', '.join(FACTS)}"
        optional = _NAME.fullmatch(name) and path and path[0] in self._optional
        (self.unset if optional else self.missing).append(Problem(path, problem, node.place))
        return ""


# Private


def _told_later(path: Path) -> tuple[str, ...]:
    if path[:1] != ("gates",):
        return ()
    return (*FACTS, *SIDE_FACTS) if path[2:3] == (COMPARISON,) else FACTS


def _problem_of(written: str, name: str, environment: Mapping[str, str]) -> str | None:
    if not written.endswith("}"):
        return "has a ${ without its }; for a literal ${ write $${"
    if not _NAME.fullmatch(name):
        return f"{written[:60]!r} is no variable: a name has letters, digits and _; for a literal ${{ write $${{"
    if name not in environment:
        return f"needs the environment variable {name}, which is not set; export {name}=..."
    return None
