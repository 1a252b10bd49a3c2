"""Lines of styled text, without a terminal: what a renderer answers, and what a test compares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Style(StrEnum):
    PLAIN = "plain"
    DIM = "dim"
    BOLD = "bold"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    BLUE = "blue"
    GREEN = "green"


class Span(NamedTuple):
    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The few characters that are not letters; ``ASCII`` where a stream's encoding has no others."""

    done: str
    failed: str
    now: str
    later: str
    held: str
    blue_cell: str
    green_cell: str
    cut: str


UNICODE = Glyphs("✔", "✘", "▸", "·", "‖", "█", "▒", "…")
ASCII = Glyphs("+", "x", ">", ".", "=", "#", "-", "~")


def line(*parts: str | Span) -> Line:
    return tuple(part if isinstance(part, Span) else Span(part) for part in parts)


def plain(styled: Line) -> str:
    return "".join(span.text for span in styled).rstrip()


def plain_text(lines: Iterable[Line]) -> str:
    return "\n".join(plain(styled) for styled in lines)


def clip(styled: Line, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """No wider than ``width`` columns; what is cut is marked."""
    if sum(len(span.text) for span in styled) <= width:
        return styled
    kept: list[Span] = []
    room = max(0, width - len(glyphs.cut))
    for span in styled:
        kept.append(Span(span.text[:room], span.style))
        room -= len(span.text)
        if room <= 0:
            break
    return (*kept, Span(glyphs.cut, kept[-1].style))


def wrapped(first: Line, words: str, width: int, style: Style = Style.PLAIN) -> list[Line]:
    """``words`` after ``first``, folded to ``width`` columns and indented to where they began."""
    indent = sum(len(span.text) for span in first)
    rows = fold(words, max(20, width - indent))
    lead = [first] + [(Span(" " * indent),)] * (len(rows) - 1)
    return [(*start, Span(row, style)) for start, row in zip(lead, rows, strict=True)]


def fold(words: str, width: int) -> list[str]:
    """At least one row; a word longer than ``width`` is broken."""
    rows = [""]
    for word in words.split():
        while len(word) > width:
            word = _break(rows, word, width)
        if rows[-1] and len(rows[-1]) + 1 + len(word) > width:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}" if rows[-1] else word
    return rows


def _break(rows: list[str], word: str, width: int) -> str:
    if rows[-1]:
        rows.append("")
    rows[-1] = word[:width]
    return word[width:]
