"""A configuration file → Spec and ReleaseRequest: strict, without the network, and every problem at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File

from pydantic import ValidationError

from bluegreen.config.convert import route_problems, to_spec
from bluegreen.config.explain import explain, is_tainted
from bluegreen.config.hooks import hook_problems
from bluegreen.config.kinds import Kinds, check_entries, entry_lists
from bluegreen.config.literals import literal_secrets
from bluegreen.config.model import Configuration, ReleaseSection
from bluegreen.config.problems import Path, Problem, refuse
from bluegreen.config.release import task_definition_request
from bluegreen.config.source import Node, Source, find, read_source
from bluegreen.config.variables import Expander, as_written, plain
from bluegreen.config.verdicts import verdict_problems
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import Spec
from bluegreen.errors import ConfigurationError
from bluegreen.redact import Redactor

ONLY_CONTAINER = ""
"""The container's name in a ReleaseRequest that means the only essential one (see compute.task_definition)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """``request`` is the file's release section, None where it has none. ``folder`` is what hooks' and task
    definitions' paths are relative to."""

    spec: Spec
    request: ReleaseRequest | None
    folder: File
    store: str | None
    path: File


def load(
    path: File,
    environment: Mapping[str, str],
    kinds: Kinds,
    *,
    with_release: bool = True,
    hook_variables: bool = True,
) -> Loaded:
    """Raises ConfigurationError whose ``problems`` are one line each: file:line:column, key, what, and the fix.

    ``with_release=False`` for commands that deploy nothing or were told on the command line what to deploy: the
    release section is then not read, its variables need not be set, and ``request`` is None.
    ``hook_variables=False`` for commands that need not every hook, gate and notifier: what only their settings name
    need not be set, for whoever builds one of them asks for it again. Secrets that stand there as they are, which the
    record would keep, are then let pass: no record begins.
    """
    source = read_source(path)
    if not with_release:
        source.root.pairs.pop(_RELEASE, None)
    reading = _Reading(source, environment, kinds, () if hook_variables else _BUILT_LATER)
    model = reading.checked()
    request = reading.request(model, path.parent)
    if reading.problems or model is None:
        raise refuse(str(path), reading.problems)
    return Loaded(to_spec(model, reading.written, kinds), request, path.parent, model.store, path)


# Private

_RELEASE = "release"
_BUILT_LATER = ("hooks", "gates", "notify")


class _Reading:
    """One file on its way, gathering problems."""

    def __init__(self, source: Source, environment: Mapping[str, str], kinds: Kinds, optional: Collection[str]) -> None:
        expander = Expander(environment, optional)
        self._root = source.root
        self._kinds = kinds
        self._data = plain(source.root, expander)
        self.written = plain(source.root, as_written)
        self._unset = expander.unset
        self._refuses_literals = not optional
        self._unknown = frozenset(problem.path for problem in (*expander.missing, *expander.unset))
        self.problems = [*source.problems, *expander.missing]

    def checked(self) -> Configuration | None:
        model = self._validated()
        for entries in entry_lists(self._kinds):
            self._add(check_entries(entries, self._root, self._data, self._kinds))
        self._add(hook_problems(self._root, self._data))
        if self._refuses_literals:
            self.problems += literal_secrets(self._root)
        if model is not None:
            self._add(route_problems(model, self._root))
            self._add(verdict_problems(model, self._root))
        else:  # a key beside the settings may be what needs them
            self.problems += self._unset
        return model

    def request(self, model: Configuration | None, folder: File) -> ReleaseRequest | None:
        if model is None or model.release is None:
            return None
        try:
            return _request(model.release, folder)
        except ConfigurationError as error:
            self._add([_definition_problem(error, self._root)])
        return None

    def _validated(self) -> Configuration | None:
        try:
            return Configuration.model_validate(self._data)
        except ValidationError as error:
            self._add(explain(error, Configuration, self._root))
        return None

    def _add(self, found: Iterable[Problem]) -> None:
        """What is said of a value whose variable is missing says nothing: the variable is the problem."""
        self.problems += [one for one in found if one.certain or not self._hangs_on_variables(one.path)]

    def _hangs_on_variables(self, path: Path) -> bool:
        return any(_starts(path, unknown) for unknown in self._unknown)


def _starts(path: Path, with_path: Path) -> bool:
    return path[: len(with_path)] == with_path


def _request(section: ReleaseSection, folder: File) -> ReleaseRequest:
    images = {ONLY_CONTAINER: section.image} if section.image else dict(section.images or {})
    base = task_definition_request(section.task_definition, folder) if section.task_definition else ReleaseRequest()
    if images and base.task_definition is not None:
        raise ConfigurationError(
            "is a revision that exists, so its images are settled; remove image and images, or give a file"
        )
    reason = None if section.reason is None else Redactor().text(section.reason)
    return replace(base, images=images, commit=section.commit, reason=reason)


def _definition_problem(error: ConfigurationError, root: Node) -> Problem:
    node, path = find(root, (_RELEASE, "task_definition"))
    text = "is not accepted once its variables are filled in" if is_tainted(node) else error.message
    return Problem(path, text, node.place)
