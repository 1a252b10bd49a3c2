"""What is drawn on a terminal, and what a closed or odd terminal cannot do to a deployment."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from bluegreen.cli.app import App
from bluegreen.cli.live import LiveView
from bluegreen.cli.progress import JsonLines, Lines, choose, quietly
from bluegreen.cli.terminal import glyphs, has_colours, is_terminal
from bluegreen.clock import FakeClock
from bluegreen.domain.deployment import Phase
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.split import ALL_GREEN
from bluegreen.report.text import ASCII, UNICODE, Line
from tests.unit import report_samples as samples
from tests.unit.cli_kit import Desk
from tests.unit.report_samples import T0

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Closed(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def app(**environment: str) -> App:
    return App(clock=FakeClock(T0 + 100), environment={"TERM": "xterm-256color", **environment})


def started() -> Event:
    return Event(T0, "d", "orders", Phase.PENDING, Kind.STARTED, "deployment d of orders started")


def watched(terminal: Terminal, **environment: str) -> str:
    with LiveView(app(**environment), terminal) as view:
        view.event(started())
        view.observed(samples.canary(), samples.seen())
    return terminal.getvalue()


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_live_view_shows_the_deployment_in_colours() -> None:
    text = watched(Terminal())
    assert COLOUR.search(text)
    assert "green: set 5%, live 5%" in COLOUR.sub("", text)
    assert "bluegreen rollback orders" in COLOUR.sub("", text)


def test_no_color_is_obeyed() -> None:
    text = watched(Terminal(), NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
    assert "green: set 5%, live 5%" in COLOUR.sub("", text)


def test_last_view_of_an_unfinished_deployment_stays_on_the_screen() -> None:
    terminal = Terminal()
    text = COLOUR.sub("", watched(terminal))
    assert text.rstrip().endswith(("bluegreen pause orders", "\x1b[?25h"))


def test_live_view_shows_events_before_the_first_observation() -> None:
    terminal = Terminal()
    with LiveView(app(), terminal) as view:
        view.event(started())
    assert "deployment d of orders started" in COLOUR.sub("", terminal.getvalue())


def test_fault_in_the_drawing_does_not_stop_the_deployment() -> None:
    class Faulty(LiveView):
        def _lines(self, width: int, height: int) -> list[Line]:
            raise ZeroDivisionError

    terminal = Terminal()
    with Faulty(app(), terminal) as view:
        view.observed(samples.canary(), samples.seen())
    assert "the view could not be drawn; the deployment goes on" in terminal.getvalue()


def test_terminal_that_closes_does_not_stop_the_deployment() -> None:
    with LiveView(app(), Closed()) as view:
        view.event(started())
        view.observed(samples.canary(), samples.seen())
    assert view.deployment == samples.canary()


def test_writer_without_reader_is_ignored() -> None:
    def write() -> None:
        raise BrokenPipeError

    quietly(write)


def test_progress_fits_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    json_app = app()
    json_app.output = "json"
    assert isinstance(choose(json_app), JsonLines)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(choose(app()), Lines)
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(choose(app()), LiveView)
    assert isinstance(choose(app(), live=False), Lines)
    assert isinstance(choose(app(TERM="dumb")), Lines)


def test_stream_without_unicode_gets_ascii() -> None:
    assert glyphs(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) is ASCII
    assert glyphs(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) is UNICODE


def test_colours_need_a_terminal_that_is_not_dumb() -> None:
    assert has_colours(app(), Terminal())
    assert not has_colours(app(NO_COLOR="1"), Terminal())
    assert not has_colours(app(), io.StringIO())
    assert not is_terminal(app(TERM="dumb"), Terminal())


def test_heartbeat_comes_only_after_half_a_minute_of_silence(capsys: pytest.CaptureFixture[str]) -> None:
    watching = app()
    lines = Lines(watching)
    lines.observed(samples.canary(), samples.seen())
    watching.clock.sleep(29)
    lines.observed(samples.canary(), samples.seen())
    assert capsys.readouterr().err == ""
    watching.clock.sleep(1)
    lines.observed(samples.canary(), samples.seen())
    lines.observed(samples.canary(), samples.seen())
    assert capsys.readouterr().err.count("still in shift") == 1


def test_what_a_tick_did_not_look_at_is_shown_as_last_seen() -> None:
    lines = Lines(app())
    lines.observed(samples.canary(), samples.seen())
    lines.observed(samples.canary(), Observation(live={samples.ROUTE.name: ALL_GREEN}))
    assert lines.observation.slots == samples.seen().slots
    assert lines.observation.live == {samples.ROUTE.name: ALL_GREEN}


def test_closed_stderr_does_not_change_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)

    def broken(*arguments: object, **options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("bluegreen.cli.progress.show", broken)
    monkeypatch.setattr("bluegreen.cli.driving.show", broken)
    assert desk.deploy().exit_code == 0
    assert desk.stage.weights() == {"orders-2": 100}
