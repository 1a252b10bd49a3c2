"""The one screen of a deployment: what the on-call reads first, and types next.

Pure: a frame and a size go in, lines come out. What does not fit goes in this order: the latest events, hooks that
passed, the gates' numbers, the bars, phases that ended. The traffic, the current wait and the commands always stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bluegreen.domain.deployment import Deployment, HoldKind, HookStatus, Phase
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.spec import Consequence
from bluegreen.report.gates import gate_lines
from bluegreen.report.phases import phase_lines
from bluegreen.report.places import live_traffic, route_lines, slot_lines
from bluegreen.report.text import UNICODE, Glyphs, Line, Span, Style, clip, line, wrapped
from bluegreen.report.times import countdown, duration, moment, time_of_day


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown. ``recent``: the latest events, oldest first."""

    deployment: Deployment
    observation: Observation = field(default_factory=Observation)
    now: float = 0.0
    recent: tuple[Event, ...] = ()
    glyphs: Glyphs = UNICODE


@dataclass(frozen=True, slots=True)
class Detail:
    recent: int = 3
    hooks: str = "all"
    bars: bool = True
    ended: bool = True
    numbers: bool = True
    gaps: bool = True


LEVELS = (
    Detail(),
    Detail(recent=1),
    Detail(recent=0, hooks="open"),
    Detail(recent=0, hooks="open", gaps=False),
    Detail(recent=0, hooks="open", gaps=False, numbers=False),
    Detail(recent=0, hooks="open", gaps=False, numbers=False, bars=False),
    Detail(recent=0, hooks="none", gaps=False, numbers=False, bars=False, ended=False),
)


def view(frame: Frame, width: int, height: int | None = None) -> list[Line]:
    """No line is wider than ``width``, and no more than ``height`` of them (columns, rows of the terminal)."""
    lines: list[Line] = []
    for detail in LEVELS:
        lines = _compose(frame, width, detail)
        if height is None or len(lines) <= height:
            return [clip(styled, width, frame.glyphs) for styled in lines]
    assert height is not None
    foot = footer_lines(frame.deployment)[:height]
    kept = [*lines[: height - len(foot)], *foot]
    return [clip(styled, width, frame.glyphs) for styled in kept]


def header_lines(d: Deployment, now: float) -> list[Line]:
    release = d.release.label if d.release else "release not registered yet"
    ran = duration((d.ended_at or now) - d.started_at)
    by = f"by {d.started_by}"
    lines = [line(Span(d.service, Style.BOLD), f"  {release}  ", Span(_state(d), _state_style(d)), f"  {ran}")]
    reason = f": {d.request.reason}" if d.request.reason else ""
    return [*lines, line(Span(f"{d.id} {by}{reason}", Style.DIM))]


def wait_lines(d: Deployment, seen: Observation, now: float, width: int) -> list[Line]:
    """What keeps it from going on: a hold, a pause, or a wait with its countdown."""
    if d.hold and not d.ended:
        return _hold_lines(d, seen, now, width)
    if d.paused and not d.ended:
        said = f"as asked; it stops at its next step. Traffic: {live_traffic(d, seen)}"
        return wrapped(line(Span("  pausing  ", Style.WARN)), said, width)
    if d.waiting is None or d.ended:
        return []
    left = "" if d.waiting.until is None else f"; {countdown(d.waiting.until - now)} left"
    until = "" if d.waiting.until is None else f" (until {time_of_day(d.waiting.until)})"
    return wrapped(line(Span("  waiting  ", Style.BOLD)), f"{d.waiting.reason}{left}{until}", width)


def way_lines(way_out: str, width: int) -> list[Line]:
    """Each command of a way out on a line of its own, so that it can be copied."""
    text = way_out
    for joint in ("; or ", ", or ", "; ", ", "):
        text = text.replace(f"{joint}bluegreen ", "\nbluegreen ")
    lines: list[Line] = []
    for number, way in enumerate(text.split("\n")):
        lines += wrapped(line(Span("           " if number else "  way out  ", Style.DIM)), way, width, Style.BOLD)
    return lines


def safe_lines(d: Deployment, width: int) -> list[Line]:
    """Of a rollback: is the traffic back, and after how long."""
    facts = d.rollback
    where = f"blue ({d.blue.name}, {d.previous.id})"
    if facts is None or facts.blue_at is None:
        return wrapped(line(Span("NOT SAFE YET: ", Style.BAD)), f"traffic is not yet back on {where}", width)
    if facts.safe_at is None:
        said = f"{d.users()}, but a late write of the other driver is still possible"
        return wrapped(line(Span("NOT SAFE YET: ", Style.WARN)), said, width)
    after = facts.safe_at - facts.requested_at
    return wrapped(line(Span("SAFE: ", Style.GOOD)), d.users(f" after {after:.2f} s"), width)


def footer_lines(d: Deployment) -> list[Line]:
    """What the on-call would type."""
    return [line(Span(f"  {label:<11}", Style.DIM), Span(typed, Style.BOLD)) for label, typed in commands(d)]


def commands(d: Deployment) -> list[tuple[str, str]]:
    service = d.service
    if d.phase is Phase.ROLLED_BACK:
        return [("why", f"bluegreen history {service}")]
    if d.phase is Phase.ROLLBACK:
        return [("follow", f"bluegreen status {service} --watch")]
    back = ("roll back", f"bluegreen rollback {service}")
    if d.phase is Phase.SUCCEEDED:
        return [back, ("status", f"bluegreen status {service}")]
    if d.hold and d.hold.way_out:
        return [back]
    onward = "resume" if d.hold or d.paused else "pause"
    asked = any(run.asks and run.status is HookStatus.RUNNING for run in d.hooks)
    answers = [("yes", f"bluegreen approve {service}"), ("no", f"bluegreen reject {service}")] if asked else []
    return [*answers, back, (onward, f"bluegreen {onward} {service}")]


# Private


def _compose(frame: Frame, width: int, detail: Detail) -> list[Line]:
    d, seen, now = frame.deployment, frame.observation, frame.now
    blocks = [
        header_lines(d, now),
        [] if d.rollback is None else safe_lines(d, width),
        phase_lines(d, now, frame.glyphs, hooks=detail.hooks, ended=detail.ended),
        route_lines(d, seen, width, frame.glyphs, compact=not detail.bars),
        [*slot_lines(d, seen), *gate_lines(d, seen, width, numbers=detail.numbers)],
        _recent_lines(frame, detail.recent),
        wait_lines(d, seen, now, width),
        footer_lines(d),
    ]
    return _join([block for block in blocks if block], detail.gaps)


def _join(blocks: list[list[Line]], gaps: bool) -> list[Line]:
    joined: list[Line] = []
    for block in blocks:
        joined += ([()] if gaps and joined else []) + block
    return joined


def _recent_lines(frame: Frame, count: int) -> list[Line]:
    events = frame.recent[-count:] if count else ()
    return [_event_line(event, _style(event)) for event in events]


def _style(event: Event) -> Style:
    if event.kind is Kind.GATE:
        return Style.BAD if event.data.get("state") == "firing" else Style.DIM
    return Style.WARN if event.kind in (Kind.WARNING, Kind.HOLD) else Style.DIM


def _event_line(event: Event, style: Style) -> Line:
    at = time_of_day(event.at).removesuffix(" UTC")
    return line("  ", Span(at, Style.DIM), "  ", Span(event.message, style))


def _hold_lines(d: Deployment, seen: Observation, now: float, width: int) -> list[Line]:
    assert d.hold is not None
    kind = "" if d.hold.kind is HoldKind.PAUSE else f" ({d.hold.kind})"
    said = f"for {duration(now - d.hold.since)}{kind}: {d.hold.reason}"
    lines = wrapped(line(Span("  HELD     ", Style.WARN)), said, width)
    lines += wrapped(line(Span("  traffic  ", Style.DIM)), f"stays as it is: {live_traffic(d, seen)}", width)
    if d.hold.way_out:
        lines += way_lines(d.hold.way_out, width)
    return [*lines, *_hold_end(d, width)]


def _hold_end(d: Deployment, width: int) -> list[Line]:
    limit = d.spec.deadlines.hold
    turns_back = d.spec.deadlines.on_hold is Consequence.ROLL_BACK and d.phase not in (Phase.ROLLBACK, Phase.TEARDOWN)
    if limit is None or d.hold is None or not turns_back:
        return []
    said = f"undecided by {moment(d.hold.since + limit)}, it is rolled back"
    return wrapped(line(Span("  else     ", Style.DIM)), said, width, Style.DIM)


def _state(d: Deployment) -> str:
    if d.ended:
        return "succeeded" if d.phase is Phase.SUCCEEDED else "rolled back"
    if d.hold:
        return f"{'paused' if d.hold.kind is HoldKind.PAUSE else 'HELD'} in {d.phase}"
    return f"pausing in {d.phase}" if d.paused else str(d.phase)


def _state_style(d: Deployment) -> Style:
    if d.phase is Phase.SUCCEEDED:
        return Style.GOOD
    if d.phase in (Phase.ROLLBACK, Phase.ROLLED_BACK):
        return Style.BAD
    return Style.WARN if d.hold or d.paused else Style.BOLD
