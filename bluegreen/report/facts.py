"""One line for a fact: what a pipeline's log shows, where nothing can be drawn over."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.report.phases import spent
from bluegreen.report.places import live_traffic, slot_health
from bluegreen.report.shapes import Status
from bluegreen.report.text import Line, Span, Style, line, plain
from bluegreen.report.times import countdown, duration, iso

_STYLES = {
    Kind.WARNING: Style.WARN,
    Kind.HOLD: Style.WARN,
    Kind.TAKEOVER: Style.WARN,
    Kind.GATE: Style.BAD,
    Kind.ROLLBACK: Style.BAD,
    Kind.ROLLED_BACK: Style.BAD,
    Kind.SAFE: Style.GOOD,
    Kind.SUCCEEDED: Style.GOOD,
    Kind.PHASE: Style.BOLD,
}
_LEAD = {Kind.WARNING: "warning: ", Kind.PHASE: "phase "}


def event_line(event: Event) -> Line:
    message = " / ".join(event.message.splitlines())
    way_out = event.data.get("way_out")
    out = f"; way out: {way_out}" if event.kind is Kind.HOLD and way_out else ""
    words = Span(f"{_LEAD.get(event.kind, '')}{message}{out}", _STYLES.get(event.kind, Style.PLAIN))
    return line(Span(_stamp(event.at), Style.DIM), " ", words)


def heartbeat_line(d: Deployment, seen: Observation, now: float) -> Line:
    """While nothing happens: what it waits for and how long already, and where the traffic is."""
    said = f"still in {d.phase.value} after {duration(spent(d, d.phase, now) or 0)}"
    if d.waiting:
        left = "" if d.waiting.until is None else f", {countdown(d.waiting.until - now)} left"
        said += f": {d.waiting.reason}{left}"
    health = plain(slot_health(seen.slots.get(d.green.name))) if d.green.name in seen.slots else ""
    green = f"; green: {health}" if health else ""
    return line(Span(_stamp(now), Style.DIM), f" {said}; traffic: {live_traffic(d, seen)}{green}")


def status_line(service: str, status: Status, now: float) -> Line:
    """``status`` on one line; all but its first span is the same while nothing changes."""
    d = status.deployment
    if d is None:
        return line(Span(_stamp(now), Style.DIM), f" {service}: no deployment is on record")
    doing = f": {d.hold.reason}" if d.hold else f": {d.waiting.reason}" if d.waiting and not d.ended else ""
    held = "held in " if d.hold else ""
    state = d.phase.value.replace("_", " ")
    return line(
        Span(_stamp(now), Style.DIM),
        f" {service}: {d.id} {held}{state}{doing}; traffic: {live_traffic(d, status.observation)}",
    )


def _stamp(at: float) -> str:
    """To the second: a log has enough columns of digits."""
    return iso(at)[:19] + "Z"
