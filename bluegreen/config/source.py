"""A YAML file as a tree that knows where every value stands. Strict: one document, no key twice, no odd tags,
no input that grows without bounds. Imports no pydantic, because the rollback reads its configuration here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import yaml

from bluegreen.config.problems import Path, Place, Problem, refuse
from bluegreen.errors import ConfigurationError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_VALUES = 20_000

Value = str | int | float | bool | None


@dataclass(slots=True, eq=False)
class Scalar:
    place: Place
    value: Value
    size: int = 1


@dataclass(slots=True, eq=False)
class Items:
    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1


@dataclass(slots=True, eq=False)
class Pairs:
    """``keys`` has the place of each key. Keys are always text, whatever YAML would make of them."""

    place: Place
    pairs: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1


Node = Scalar | Items | Pairs


@dataclass(frozen=True, slots=True)
class Source:
    """``problems`` are those that do not keep the rest from being read: a key twice, an odd tag."""

    file: str
    root: Pairs
    problems: tuple[Problem, ...] = ()


def read_source(path: File) -> Source:
    """Raises ConfigurationError when the file cannot be read or is not one YAML mapping."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise ConfigurationError(
            f"{path} cannot be read: {reason}",
            problems=(f"{path}: cannot be read: {reason}",),
            hint="name the file with -c FILE, or write one with: bluegreen init",
        ) from None
    return parse(data, str(path))


def parse(data: bytes, file: str) -> Source:
    """Raises ConfigurationError with line and column for what is not one YAML mapping of a sane size."""
    if len(data) > MAX_BYTES:
        raise refuse(file, [Problem((), f"is larger than {MAX_BYTES // 1024} KiB; no configuration needs that")])
    builder = _Builder(file)
    try:
        builder.build(_decoded(data, file))
    except yaml.YAMLError as error:
        raise refuse(file, [_syntax_problem(error, data)]) from None
    if not isinstance(builder.root, Pairs):
        text = "is empty" if builder.root is None else "must hold keys and values at its top, as in service: orders"
        raise refuse(file, [*builder.problems, Problem((), text, builder.root.place if builder.root else None)])
    return Source(file, builder.root, tuple(builder.problems))


def find(root: Node, path: Path) -> tuple[Node, Path]:
    """The deepest value that ``path`` reaches and the path to it; parts that lead nowhere are left out."""
    node, reached = root, ()  # type: tuple[Node, Path]
    for part in path:
        below = _child(node, part)
        if below is not None:
            node, reached = below, (*reached, part)
    return node, reached


# Private


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node, Pairs) and isinstance(part, str):
        return node.pairs.get(part)
    if isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
        return node.items[part]
    return None


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(file, [Problem((), "is not UTF-8 text", Place(line, 1))]) from None


def _syntax_problem(error: yaml.YAMLError, data: bytes) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = getattr(error, "problem", None) or "holds a character that YAML does not allow"
    if mark is None:
        return Problem((), f"is not YAML: {words}")
    lines = data.split(b"\n")
    line = lines[mark.line] if mark.line < len(lines) else b""
    return Problem((), f"is not YAML: {words}{_syntax_hint(line, words)}", Place(mark.line + 1, mark.column + 1))


def _syntax_hint(line: bytes, words: str) -> str:
    if b"\t" in line:
        return "; indent with spaces, YAML allows no tabs"
    if b"${" in line:
        return '; inside { } and [ ] a variable needs quotes: "${NAME}"'
    if "undefined alias" in words or "mapping values" in words:
        return "; a value with : or * in it needs quotes"
    return ""


_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_STR = "tag:yaml.org,2002:str"
_MERGE = "<<"


@dataclass(slots=True)
class _Open:
    """A collection that has not ended; ``key`` is what the next value of a mapping belongs to."""

    node: Items | Pairs
    anchor: str | None
    key: str | None = None
    key_place: Place | None = None
    merges: list[Node] = field(default_factory=list)
    is_merge: bool = False
    repeated: bool = False


class _Builder:
    """Follows libyaml's events with a stack of its own, so that depth and size are bounded before they cost."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._resolver: Any = yaml.resolver.Resolver()
        self._constructor: Any = yaml.constructor.SafeConstructor()

    def build(self, text: str) -> None:
        for event in _events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                self._document(event)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                self._start(event)
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                self._end()

    def _document(self, event: yaml.Event) -> None:
        if self.root is not None:
            raise refuse(self._file, [Problem((), "holds more than one document; keep one a file", _place(event))])

    def _scalar(self, event: Any) -> None:
        place = _place(event)
        if self._wants_key():
            self._key(event.value, place, plain=event.implicit[0])
            return
        node = Scalar(place, self._resolved(event, place))
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node)

    def _alias(self, event: Any) -> None:
        place = _place(event)
        if event.anchor not in self._anchors:
            self._fatal(f"refers to the anchor {event.anchor}, which is not defined above", place)
        node = self._anchors[event.anchor]
        if node is None:
            self._fatal(f"the anchor {event.anchor} contains itself", place)
        elif not self._wants_key():
            self._add(node)
        elif isinstance(node, Scalar):
            self._key(str(node.value), place, plain=False)
        else:
            self._fatal("a key must be text", place)

    def _start(self, event: Any) -> None:
        place = _place(event)
        if self._wants_key():
            self._fatal('a key must be text; a variable inside { } needs quotes: "${NAME}"', place)
        if len(self._stack) >= MAX_DEPTH:
            self._fatal(f"is nested more than {MAX_DEPTH} deep", place)
        if event.tag and event.tag not in _TAGS and event.tag != "!":
            self._odd_tag(event.tag, place)
        if event.anchor:
            self._anchors[event.anchor] = None
        node: Items | Pairs = Items(place) if isinstance(event, yaml.SequenceStartEvent) else Pairs(place)
        self._stack.append(_Open(node, event.anchor))

    def _end(self) -> None:
        ended = self._stack.pop()
        if isinstance(ended.node, Pairs):
            self._merge(ended.node, ended.merges)
        if ended.anchor:
            self._anchors[ended.anchor] = ended.node
        self._add(ended.node)

    def _merge(self, into: Pairs, sources: list[Node]) -> None:
        for source in sources:
            for one in source.items if isinstance(source, Items) else [source]:
                if not isinstance(one, Pairs):
                    self._problem("<< takes a mapping or a list of mappings", one.place)
                    continue
                for key, value in one.pairs.items():
                    if key not in into.pairs:
                        into.pairs[key], into.keys[key] = value, one.keys[key]

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, Pairs) and self._stack[-1].key is None

    def _key(self, text: str, place: Place, *, plain: bool) -> None:
        top = self._stack[-1]
        assert isinstance(top.node, Pairs)
        top.key, top.key_place = text, place
        top.is_merge = plain and text == _MERGE
        top.repeated = text in top.node.pairs
        if top.repeated:
            first = top.node.keys[text]
            self._problem(f"stands twice; the first is in line {first.line}, remove one", place)

    def _add(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        top.node.size += node.size
        if top.node.size > MAX_VALUES:
            self._fatal(f"grows to more than {MAX_VALUES} values; no configuration needs that", node.place)
        if isinstance(top.node, Items):
            top.node.items.append(node)
            return
        assert top.key is not None
        assert top.key_place is not None
        if top.is_merge:
            top.merges.append(node)
        elif not top.repeated:
            top.node.pairs[top.key], top.node.keys[top.key] = node, top.key_place
        top.key = None

    def _resolved(self, event: Any, place: Place) -> Value:
        tag = event.tag
        if tag and tag != "!" and tag not in _TAGS:
            self._odd_tag(tag, place)
        if not tag:
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit) if event.implicit[0] else _STR
        if tag not in _TAGS or tag == _STR:
            return str(event.value)
        try:
            value = self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, OverflowError, yaml.YAMLError):
            self._problem("is not the number or word that it looks like; put text in quotes", place)
            return str(event.value)
        return value if isinstance(value, str | int | float | bool) else None

    def _odd_tag(self, tag: str, place: Place) -> None:
        self._problem(f"has the tag {tag[:40]}, which means nothing here; remove it", place)

    def _path(self) -> Path:
        parts: list[str | int] = []
        for open_ in self._stack:
            parts.append(len(open_.node.items) if isinstance(open_.node, Items) else open_.key or "?")
        return tuple(parts)

    def _problem(self, text: str, place: Place) -> None:
        self.problems.append(Problem(self._path(), text, place))

    def _fatal(self, text: str, place: Place) -> None:
        raise refuse(self._file, [*self.problems, Problem(self._path(), text, place)])


def _events(text: str) -> Iterator[yaml.Event]:
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
