"""Tables: the history of a service, the problems of a preflight."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.report.shapes import Problem
from bluegreen.report.times import duration, moment

SEVERITIES = {"refuse": "refused", "force": "needs --force", "warn": "warning"}


def history_table(deployments: Sequence[Deployment], now: float, width: int) -> str:
    """Newest first; why one was rolled back, or holds, stands below its line, wrapped to ``width``."""
    headers = ("deployment", "release", "started", "took", "result", "by")
    table = tabulate([_history_row(d, now) for d in deployments], headers, tablefmt="simple", disable_numparse=True)
    head, rule, *rows = table.splitlines()
    lines = [head, rule]
    for d, row in zip(deployments, rows, strict=True):
        lines += [row, *textwrap.wrap(_why(d), width, initial_indent="    ", subsequent_indent="    ")]
    return "\n".join(lines)


def problem_table(problems: Sequence[Problem], width: int) -> str:
    rows = [(SEVERITIES[p.severity], p.where, p.message, p.fix) for p in problems]
    return _table(rows, ("", "where", "what", "way out"), width, stretch=(2, 3))


# Private


def _history_row(d: Deployment, now: float) -> tuple[str, ...]:
    release = d.release.label if d.release else "(not registered)"
    took = duration((d.ended_at or now) - d.started_at)
    return d.id, release, moment(d.started_at).removesuffix(" UTC"), took, _result(d), d.started_by.split(" (")[0]


def _result(d: Deployment) -> str:
    if d.phase is Phase.SUCCEEDED:
        return "Succeeded"
    if d.phase is Phase.ROLLED_BACK:
        return f"Rolled back (from {d.rollback.from_phase})" if d.rollback else "Rolled back"
    return f"Held ({d.phase})" if d.hold else f"Active ({d.phase})"


def _why(d: Deployment) -> str:
    if d.phase is Phase.ROLLED_BACK:
        return d.rollback.reason if d.rollback else ""
    return d.hold.reason if d.hold and not d.ended else ""


def _table(rows: Sequence[tuple[str, ...]], headers: tuple[str, ...], width: int, stretch: tuple[int, ...]) -> str:
    widest = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    taken = sum(w for index, w in enumerate(widest) if index not in stretch) + 2 * (len(headers) - 1)
    room = max(24, (width - taken) // len(stretch))
    limits = [room if index in stretch else None for index in range(len(headers))]
    return tabulate(rows, headers, tablefmt="simple", maxcolwidths=limits, disable_numparse=True)
