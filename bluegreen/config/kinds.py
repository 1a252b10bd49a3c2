"""Hooks and gates: which key is the kind, and whether its settings are right. The kinds themselves are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ValidationError

from bluegreen.config.entries import GateEntry, HookEntry, NotifyEntry
from bluegreen.config.explain import explain, key_place
from bluegreen.config.problems import Path, Problem, nearest
from bluegreen.config.source import Items, Node, find
from bluegreen.domain.spec import HookPoint

TOGETHER = "parallel"
"""The key of a list of hooks that run at the same time."""

LongForm = Callable[[str, object], Mapping[str, object]]
"""(kind, what stands behind it) → its settings; raises TypeError where that is neither a mapping nor a short form."""


def only_mappings(kind: str, written: object) -> Mapping[str, object]:
    if not isinstance(written, Mapping):
        raise TypeError(f"{kind} takes its settings as keys and values")
    return written


class Models(Mapping[str, type[BaseModel] | None]):
    """The models by kind, each made when it is asked for: a configuration pays for the kinds that it names.

    ``plugged`` names the kinds that are installed beside the built-in ones, of whose settings nothing is known. It is
    asked when a kind is not built in, or when all are listed: finding entry points reads every installed package.
    """

    def __init__(
        self,
        built_in: Iterable[str] = (),
        model: Callable[[str], type[BaseModel] | None] = lambda kind: None,
        plugged: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._built_in = tuple(built_in)
        self._model = model
        self._plugged = plugged

    def __getitem__(self, kind: str) -> type[BaseModel] | None:
        if kind in self._built_in:
            return self._model(kind)
        if kind in self._plugged():
            return None
        raise KeyError(kind)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._plugged(), *self._built_in)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Kinds:
    """What kinds there are, each with the model of its settings, None where nothing is known of them."""

    hooks: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    gates: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    long_form: LongForm = only_mappings
    notifiers: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    notifier_form: LongForm = only_mappings


@dataclass(frozen=True, slots=True)
class Entries:
    """One list of hooks or gates: where it stands, the kinds it may have and the keys beside the kind."""

    path: Path
    word: str
    models: Mapping[str, type[BaseModel] | None]
    common: frozenset[str]
    long_form: LongForm


def entry_lists(kinds: Kinds) -> tuple[Entries, ...]:
    hook_keys, gate_keys = frozenset(HookEntry.model_fields), frozenset(GateEntry.model_fields)
    form = kinds.long_form
    hooks = tuple(Entries(("hooks", point.value), "hook", kinds.hooks, hook_keys, form) for point in HookPoint)
    return (*hooks, Entries(("gates",), "gate", kinds.gates, gate_keys, form), notify_list(kinds))


def notify_list(kinds: Kinds) -> Entries:
    keys = frozenset(NotifyEntry.model_fields)
    return Entries(("notify",), "notifier", kinds.notifiers, keys, kinds.notifier_form)


def kind_of(entry: Mapping[str, object], entries: Entries) -> str:
    """The kind of an entry that was checked."""
    return next(key for key in entry if key not in entries.common)


def check_entries(entries: Entries, root: Node, data: object, kinds: Kinds) -> Iterator[Problem]:
    """Problems of every entry of one list; ``data`` is the file's content with its variables filled in."""
    node, reached = find(root, entries.path)
    if reached != entries.path or not isinstance(node, Items):
        return
    for index, item in enumerate(at(data, entries.path)):
        path = (*entries.path, index)
        if isinstance(item, dict):
            yield from _check_entry(entries, root, path, item, kinds)
    yield from _repeated_names(entries, root, at(data, entries.path))


def flattened(items: list[object]) -> Iterator[tuple[Path, object]]:
    """Each entry with its place, those of a parallel list in their order."""
    for index, item in enumerate(items):
        inner = item.get(TOGETHER) if isinstance(item, dict) else None
        if isinstance(inner, list):
            yield from (((index, TOGETHER, number), one) for number, one in enumerate(inner))
        else:
            yield (index,), item


def at(data: object, path: Path) -> list[object]:
    """The list that stands there, empty where none does."""
    for part in path:
        data = data.get(str(part)) if isinstance(data, dict) else None
    return data if isinstance(data, list) else []


# Private


def _check_entry(
    entries: Entries, root: Node, path: Path, item: Mapping[str, object], kinds: Kinds
) -> Iterator[Problem]:
    if entries.word == "hook" and item.get(TOGETHER) is not None:
        yield from _check_together(entries, root, path, item, kinds)
        return
    if entries.path[-1] == HookPoint.ON_ROLLBACK.value and "on" in item:
        text = "says when a hook of another point runs; here it runs on a rollback and never else: remove it"
        yield Problem((*path, "on"), text, key_place(root, (*path, "on")))
    others = [key for key in item if key not in entries.common]
    known = [key for key in others if key in entries.models]
    place = find(root, path)[0].place
    if not others:
        yield Problem(path, f"names no kind of {entries.word}; one key must be {_any_of(entries.models)}", place)
    elif len(known) > 1:
        yield Problem(path, f"has two kinds, {' and '.join(known)}; make it two {entries.word}s", place)
    for key in others:
        if key not in known:
            names = entries.common if known else {*entries.common, *entries.models}
            text = f"is no kind or key of a {entries.word}; {nearest(key, names)}"
            yield Problem((*path, key), text, key_place(root, (*path, key)), certain=True)
    for key in known:
        yield from _check_settings(entries, root, (*path, key), key, item[key], kinds)


def _check_together(
    entries: Entries, root: Node, path: Path, item: Mapping[str, object], kinds: Kinds
) -> Iterator[Problem]:
    for key in item:
        if key != TOGETHER:
            text = f"stands beside {TOGETHER}, which stands alone; give it to the hooks in the list"
            yield Problem((*path, key), text, key_place(root, (*path, key)))
    below = (*path, TOGETHER)
    inner = item[TOGETHER]
    if not isinstance(inner, list):
        return
    if len(inner) < 2:
        yield Problem(below, "needs at least two hooks; one alone needs no list", find(root, below)[0].place)
    for index, one in enumerate(inner):
        if isinstance(one, dict) and TOGETHER in one:
            text = "stands in a list of its own kind; put these hooks into the outer one"
            yield Problem((*below, index, TOGETHER), text, key_place(root, (*below, index, TOGETHER)))
        elif isinstance(one, dict):
            yield from _check_entry(entries, root, (*below, index), one, kinds)


def _check_settings(
    entries: Entries, root: Node, path: Path, kind: str, value: object, kinds: Kinds
) -> Iterator[Problem]:
    model = entries.models[kind]
    try:
        settings = entries.long_form(kind, value)
    except TypeError as error:
        yield Problem(path, str(error), find(root, path)[0].place, certain=True)
        return
    if model is None:
        return
    try:
        model.model_validate(settings)
    except ValidationError as error:
        yield from explain(error, model, root, path)


def _repeated_names(entries: Entries, root: Node, items: list[object]) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, item in flattened(items):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str) and name in seen:
            path = (*entries.path, *place, "name")
            yield Problem(
                path, f"is the name of another {entries.word} here; give it its own", find(root, path)[0].place
            )
        elif isinstance(name, str):
            seen.add(name)


def _any_of(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "a kind"
