"""The live view of a terminal: lines from ``report``, redrawn four times a second by rich, on stderr."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bluegreen.cli.app import App
from bluegreen.cli.progress import Remembering, quietly
from bluegreen.cli.terminal import glyphs, has_colours
from bluegreen.domain.events import Event, Kind
from bluegreen.report.text import Line, Style
from bluegreen.report.view import Frame, view

RECENT = 3
_STYLES = {
    Style.PLAIN: "",
    Style.DIM: "dim",
    Style.BOLD: "bold",
    Style.GOOD: "green",
    Style.BAD: "bold red",
    Style.WARN: "yellow",
    Style.BLUE: "blue",
    Style.GREEN: "green",
}
_log = logging.getLogger("bluegreen.live")


class Canvas:
    """Redraws ``render(width, height)`` until it is closed; the last drawing stays when ``keep`` says so."""

    def __init__(self, app: App, stream: TextIO, render: Callable[[int, int], list[Line]]) -> None:
        self._render = render
        self._console = Console(
            file=cast(IO[str], Steady(stream)), no_color=not has_colours(app, stream), highlight=False
        )
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=4, auto_refresh=True)

    def open(self) -> None:
        self._live.start(refresh=True)

    def refresh(self) -> None:
        self._live.refresh()

    def close(self, *, keep: bool) -> None:
        self._live.transient = not keep
        self._live.stop()

    def _draw(self) -> Text:
        """A fault in the drawing is logged, and shown as one line: the deployment must go on."""
        try:
            lines = self._render(self._console.width, max(4, self._console.height - 1))
        except Exception:
            _log.exception("the view could not be drawn")
            return Text("the view could not be drawn; the deployment goes on (bluegreen status shows it)")
        drawn = Text(no_wrap=True, overflow="crop")
        for number, styled in enumerate(lines):
            drawn.append("\n" if number else "")
            for span in styled:
                drawn.append(span.text, _STYLES[span.style])
        return drawn


class Steady:
    """A stream whose reader may go away: rich would end the process, and with it the driver."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        quietly(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        quietly(self._stream.flush)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class LiveView(Remembering):
    """Before the first observation it shows the events alone."""

    def __init__(self, app: App, stream: TextIO | None = None) -> None:
        super().__init__()
        self._app = app
        self._stream = stream or sys.stderr
        self._recent: deque[Event] = deque(maxlen=RECENT)
        self._canvas = Canvas(app, self._stream, self._lines)

    def __enter__(self) -> Self:
        self._canvas.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._canvas.close(keep=self.deployment is not None and not self.deployment.ended)

    def event(self, event: Event) -> None:
        if event.kind is not Kind.PHASE:
            self._recent.append(event)

    def _lines(self, width: int, height: int) -> list[Line]:
        now, marks, recent = self._app.clock.now(), glyphs(self._stream), tuple(self._recent)
        if self.deployment is None:
            from bluegreen.report.facts import event_line

            return [event_line(event) for event in recent]
        return view(Frame(self.deployment, self.observation, now, recent, marks), width, height)
