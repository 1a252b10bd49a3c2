"""Tables: the history of a service, the problems of a preflight."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.report.shapes import Problem
from bluegreen.report.times import duration, moment

SEVERITIES = {"refuse": "refused", "force": "needs --force", "warn": "warning"}


def history_table(deployments: Sequence[Deployment], now: float, width: int) -> str:
    """Newest first. The result's column takes what the others leave of ``width``, at least 24 columns."""
    rows = [_history_row(d, now) for d in deployments]
    headers = ("deployment", "release", "started", "took", "result", "by")
    return _table(rows, headers, width, stretch=(4,))


def problem_table(problems: Sequence[Problem], width: int) -> str:
    rows = [(SEVERITIES[p.severity], p.where, p.message, p.fix) for p in problems]
    return _table(rows, ("", "where", "what", "way out"), width, stretch=(2, 3))


def result(d: Deployment) -> str:
    if d.phase is Phase.SUCCEEDED:
        return "Succeeded"
    if d.phase is Phase.ROLLED_BACK:
        facts = d.rollback
        return f"Rolled back (from {facts.from_phase}: {facts.reason})" if facts else "Rolled back"
    return f"Held ({d.phase}: {d.hold.reason})" if d.hold else f"Active ({d.phase})"


# Private


def _history_row(d: Deployment, now: float) -> tuple[str, ...]:
    release = d.release.label if d.release else "(not registered)"
    took = duration((d.ended_at or now) - d.started_at)
    return d.id, release, moment(d.started_at).removesuffix(" UTC"), took, result(d), d.started_by.split(" (")[0]


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...], width: int, stretch: tuple[int, ...]) -> str:
    widest = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    taken = sum(w for index, w in enumerate(widest) if index not in stretch) + 2 * (len(headers) - 1)
    room = max(24, (width - taken) // len(stretch))
    limits = [room if index in stretch else None for index in range(len(headers))]
    return tabulate(rows, headers, tablefmt="simple", maxcolwidths=limits, disable_numparse=True)
