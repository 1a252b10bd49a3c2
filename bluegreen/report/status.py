"""``status``: the deployment under way, or the release that is live, and what the service remembers."""

from __future__ import annotations

import textwrap

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.health import Observation
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import Lease, ServiceState
from bluegreen.report.gates import verdict_lines
from bluegreen.report.places import route_lines, slot_lines
from bluegreen.report.shapes import Status
from bluegreen.report.text import UNICODE, Glyphs, Line, Span, Style, clip, line, wrapped
from bluegreen.report.times import duration, moment
from bluegreen.report.view import Frame, footer_lines, view

SHOWN = 3
"""Entries of each ledger; ``-o json`` has all."""

REASON = 120
"""Characters of why a release is in quarantine."""


def status_lines(
    service: str, status: Status, now: float, width: int, height: int | None = None, glyphs: Glyphs = UNICODE
) -> list[Line]:
    below = [*_problems(status.problems, width), *_ledger(status.state, now, width, gone=status.gone)]
    d = status.deployment
    if d is None:
        above = _never_deployed(service)
    elif d.ended:
        above = _at_rest(d, status, now, width, glyphs)
    else:
        room = None if height is None else max(12, height - len(below) - 1)
        above = view(Frame(d, status.observation, now, glyphs=glyphs), width, room)
    shown = [clip(styled, width, glyphs) for styled in [*above, (), *below]]
    return shown if height is None else shown[:height]


def lease_line(lease: Lease | None, now: float, *, active: bool, gone: bool = False) -> Line:
    """``gone``: its process is known not to exist, although its lease has not ended."""
    if lease is not None and gone:
        return line("  driver      ", Span(f"none: {lease.owner} is gone", Style.WARN))
    if lease is not None and lease.expires_at > now:
        held = duration(now - lease.acquired_at)
        return line("  driver      ", f"{lease.owner}, for {held}")
    if not active:
        return line("  driver      ", Span("none; the service is free", Style.DIM))
    since = "" if lease is None else f" since {duration(now - lease.expires_at)}: {lease.owner} stopped"
    return line("  driver      ", Span(f"none{since}", Style.WARN))


# Private


def _at_rest(d: Deployment, status: Status, now: float, width: int, glyphs: Glyphs) -> list[Line]:
    succeeded = d.phase is Phase.SUCCEEDED
    live = (d.release or d.previous) if succeeded else d.previous
    slot = d.green if succeeded else d.blue
    since = moment(d.ended_at) if d.ended_at else "an unknown time"
    head = line(Span(d.service, Style.BOLD), f"  {live.label} is live in {slot.name}")
    result = "succeeded" if succeeded else "was rolled back"
    why = f": {d.rollback.reason}" if d.rollback else ""
    lines = [head, *wrapped(line(f"  {d.id} "), f"{result} at {since}{why}", width, Style.DIM), ()]
    lines += _warn_about(status.observation, d, width) + _not_reverted(d, width)
    lines += [*route_lines(d, status.observation, width, glyphs), ()]
    lines += slot_lines(d, status.observation) + verdict_lines(d, width)
    return [*lines, (), *footer_lines(d)[:1]]


def _warn_about(seen: Observation, d: Deployment, width: int) -> list[Line]:
    """After its end, the live weights should still be what the deployment left."""
    lines: list[Line] = []
    for route in d.routes:
        split = seen.live.get(route.name)
        if split is None or route.written is None or split.same_share(route.written.split):
            continue
        said = f"someone changed {route.name} since: live is {split}, {d.id} left {route.written.split}"
        lines += wrapped(line(Span("  warning  ", Style.WARN)), said, width)
    return lines


def _not_reverted(d: Deployment, width: int) -> list[Line]:
    lines: list[Line] = []
    for left in d.not_reverted:
        lines += wrapped(line(Span("  not reverted  ", Style.WARN)), left, width)
    return lines


def _never_deployed(service: str) -> list[Line]:
    return [
        line(Span(service, Style.BOLD), "  no deployment is on record in this store"),
        line(Span("  is it the right store? ", Style.DIM), "--store URL or BLUEGREEN_STORE names another"),
        (),
        line(Span("  check      ", Style.DIM), Span("bluegreen verify", Style.BOLD)),
        line(Span("  deploy     ", Style.DIM), Span("bluegreen deploy --image IMAGE", Style.BOLD)),
    ]


def _ledger(state: ServiceState, now: float, width: int, *, gone: bool) -> list[Line]:
    lines = [lease_line(state.lease, now, active=state.active is not None, gone=gone)]
    if state.active and (gone or not (state.lease and state.lease.expires_at > now)):
        lines += wrapped(line("              "), f"take it over: bluegreen resume {state.service}", width, Style.BOLD)
    if state.control:
        wish = state.control
        said = f"{wish.control.replace('_', ' ')}, by {wish.by} {duration(now - wish.at)} ago; not yet obeyed"
        lines += wrapped(line("  asked       "), said, width, Style.WARN)
    lines += _entries("known-good", [_good(entry, state.quarantine) for entry in state.known_good], width)
    return lines + _entries("quarantine", [_bad(entry) for entry in state.quarantine], width)


def _entries(name: str, entries: list[str], width: int) -> list[Line]:
    if not entries:
        return [line(f"  {name:<12}", Span("none", Style.DIM))]
    more = [f"and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    lines: list[Line] = []
    for index, said in enumerate([*entries[:SHOWN], *more]):
        lines += wrapped(line(f"  {name if not index else '':<12}"), said, width)
    return lines


def _good(entry: KnownGood, quarantine: tuple[Quarantined, ...]) -> str:
    bad = any(each.release.task_definition == entry.release.task_definition for each in quarantine)
    return f"{entry.release.label}, baked {moment(entry.at)}{', now in quarantine' if bad else ''}"


def _bad(entry: Quarantined) -> str:
    """A reason may be a page long: bluegreen history has all of it."""
    reason = textwrap.shorten(entry.reason, REASON, placeholder=" …")
    return f"{entry.release.label}, rolled back {moment(entry.at)}: {reason}"


def _problems(problems: tuple[str, ...], width: int) -> list[Line]:
    lines: list[Line] = []
    for problem in problems:
        lines += wrapped(line(Span("  not read    ", Style.WARN)), problem, width)
    return lines
