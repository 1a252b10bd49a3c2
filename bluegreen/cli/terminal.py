"""Lines of styled text to a stream: coloured on a terminal, plain in a file or a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

import click

from bluegreen.cli.app import App
from bluegreen.report.text import ASCII, UNICODE, Glyphs, Line, Style, plain

PIPE_WIDTH = 100
"""Columns where there is no terminal."""

_COLOURS: dict[Style, dict[str, object]] = {
    Style.DIM: {"dim": True},
    Style.BOLD: {"bold": True},
    Style.GOOD: {"fg": "green"},
    Style.BAD: {"fg": "red", "bold": True},
    Style.WARN: {"fg": "yellow"},
    Style.BLUE: {"fg": "blue"},
    Style.GREEN: {"fg": "green"},
}


def show(app: App, lines: Iterable[Line], *, err: bool = False) -> None:
    """Print a result (stdout) or progress (``err``: stderr)."""
    colours = has_colours(app, sys.stderr if err else sys.stdout)
    for styled in lines:
        click.echo(_ansi(styled) if colours else plain(styled), err=err, color=colours)


def show_json(value: object, *, line: bool = False) -> None:
    """One JSON document on stdout; with ``line`` on one line, for streams of them."""
    import json

    click.echo(json.dumps(value, indent=None if line else 2, default=str))


def is_terminal(app: App, stream: TextIO) -> bool:
    return stream.isatty() and app.environment.get("TERM") != "dumb"


def has_colours(app: App, stream: TextIO) -> bool:
    return is_terminal(app, stream) and not app.environment.get("NO_COLOR")


def width(stream: TextIO) -> int:
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns if stream.isatty() else PIPE_WIDTH


def glyphs(stream: TextIO) -> Glyphs:
    """ASCII where the stream's encoding cannot carry the others."""
    try:
        "".join((UNICODE.done, UNICODE.now, UNICODE.blue_cell, UNICODE.cut)).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


# Private


def _ansi(styled: Line) -> str:
    return "".join(
        span.text if span.style is Style.PLAIN else click.style(span.text, **_COLOURS[span.style])  # type: ignore[arg-type]
        for span in styled
    )
