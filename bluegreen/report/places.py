"""Where the traffic is: a bar for each route, the health of both slots, the gates."""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, Phase, Route
from bluegreen.domain.health import Observation, SlotHealth
from bluegreen.domain.split import Split
from bluegreen.report.text import Glyphs, Line, Span, Style, line


def route_lines(d: Deployment, seen: Observation, width: int, glyphs: Glyphs, *, compact: bool = False) -> list[Line]:
    """Two lines for a route (name; bar, set and read-back weight), one when ``compact``."""
    side = live_slot(d) if d.ended else "green"
    lines: list[Line] = []
    for route in d.routes:
        name, shares = (
            _name(route),
            _shares(route, seen.live.get(route.name), side, of_blue=d.phase is Phase.ROLLED_BACK),
        )
        if compact:
            lines.append(line("  ", *shares, "  ", *name))
            continue
        room = max(10, min(40, width - 6 - sum(len(span.text) for span in shares)))
        lines.append(line("  ", *name))
        lines.append(line("    ", *bar(seen.live.get(route.name) or _set(route), room, glyphs), "  ", *shares))
    return lines


def bar(split: Split | None, cells: int, glyphs: Glyphs) -> Line:
    """A side with any weight at all has at least one cell."""
    if split is None or not split.blue + split.green:
        return (Span(glyphs.later * cells, Style.DIM),)
    green = round(cells * split.green_percent / 100)
    if split.green and split.blue:
        green = min(max(1, green), cells - 1)
    return (Span(glyphs.blue_cell * (cells - green), Style.BLUE), Span(glyphs.green_cell * green, Style.GREEN))


def slot_lines(d: Deployment, seen: Observation) -> list[Line]:
    blue, green = roles(d)
    width = max(len(d.blue.name), len(d.green.name))
    return [
        line("  ", Span(f"{role:<5} ", style), f"{slot.name:<{width}}  ", *slot_health(seen.slots.get(slot.name)))
        for role, slot, style in ((blue, d.blue, Style.BLUE), (green, d.green, Style.GREEN))
    ]


def slot_health(health: SlotHealth | None) -> Line:
    if health is None:
        return (Span("not looked at yet", Style.DIM),)
    if not health.desired and not health.registered:
        return (Span("scaled in, no tasks", Style.DIM),)
    style = Style.GOOD if health.healthy >= health.desired > 0 else Style.WARN if health.healthy else Style.BAD
    others = "".join(f", {n} {state}" for state, n in sorted(health.states.items()) if n and state != "healthy")
    tasks = "" if health.running == health.desired else f"; {health.running} of {health.desired} tasks running"
    if not health.desired:
        return (Span(f"scaling in{others or f', {health.registered} targets'}{tasks}", Style.DIM),)
    return (Span(f"{health.healthy} of {health.desired} targets healthy", style), Span(others + tasks))


def live_slot(d: Deployment) -> str:
    """Of a deployment that has ended."""
    return d.green.name if d.phase is Phase.SUCCEEDED else d.blue.name


def roles(d: Deployment) -> tuple[str, str]:
    """What to call the two slots: after its end nothing is blue or green any more."""
    if d.phase is Phase.SUCCEEDED:
        return "idle", "live"
    return ("live", "idle") if d.phase is Phase.ROLLED_BACK else ("blue", "green")


def live_traffic(d: Deployment, seen: Observation) -> str:
    """One phrase: where users' requests go, as read back, or as written where nothing was read."""
    said = []
    for route in d.routes:
        split = seen.live.get(route.name) or _set(route)
        said.append(f"{route.name}: {split if split else 'not known'}")
    return "; ".join(said)


# Private


def _name(route: Route) -> Line:
    where = f"  {route.url}" if route.url else ""
    return (Span(route.name, Style.BOLD), Span(where, Style.DIM))


def _set(route: Route) -> Split | None:
    return route.written.split if route.written else route.original


def _shares(route: Route, live: Split | None, side: str, *, of_blue: bool) -> Line:
    wrote = _set(route)
    said_set = "not set" if wrote is None else _percent(wrote, of_blue)
    said_live = "not read" if live is None else _percent(live, of_blue)
    agree = wrote is not None and live is not None and wrote.same_share(live)
    style = Style.PLAIN if agree or live is None else Style.WARN
    return (Span(f"{side}: set "), Span(said_set), Span(", live "), Span(said_live, style))


def _percent(split: Split, of_blue: bool) -> str:
    share = 100 - split.green_percent if of_blue else split.green_percent
    return f"{share:g}%"
