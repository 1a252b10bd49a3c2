"""docs/reliability.md, from the rows that the campaigns answered; docs/reliability.json keeps the rows themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tabulate import tabulate

from scripts.campaigns.frame import Campaign, Row

PAGE = Path("docs/reliability.md")
ROWS = Path("docs/reliability.json")
HEADERS = ("what was tried", "points", "converged", "lost", "seconds", "figures")

INTRODUCTION = """\
# Reliability: what was tried, and what was lost

<!-- Written by scripts/faults --document from docs/reliability.json. -->

Every way in which a deployment can break is tried in turn. A point has *converged* when the deployment ended
`succeeded` or `rolled_back` (with another driver's help where the first one died), the world agrees with the record,
no safety rule of the design was broken at any instant on the way, and no request of a user failed. Anything else is
*lost*. `scripts/faults` repeats it all; `scripts/faults NAME --share 0.1` a tenth of one campaign. A representative
part runs in the tests.
"""


def table(rows: list[Row], form: str = "pipe") -> str:
    lines = [(r.what, r.tried, r.converged, r.lost, f"{r.seconds:.1f}", r.note) for r in rows]
    return tabulate(lines, headers=HEADERS, tablefmt=form, disable_numparse=True, colalign=_ALIGN)


def remember(root: Path, results: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Put new rows over the old ones of the same campaign; answers all that are known."""
    path = root / ROWS
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {name: [asdict(row) for row in rows] for name, rows in results.items()}
    path.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return {name: [_row(each) for each in rows] for name, rows in known.items()}


def write(root: Path, campaigns: Mapping[str, Campaign], known: Mapping[str, list[Row]]) -> None:
    chapters = [_chapter(campaigns[name], rows) for name, rows in sorted(known.items()) if name in campaigns]
    (root / PAGE).write_text("\n".join([INTRODUCTION, *chapters]))


# Private

_ALIGN = ("left", "right", "right", "right", "right", "left")


def _chapter(campaign: Campaign, rows: list[Row]) -> str:
    title = campaign.name.replace("_", " ").capitalize()
    return f"## {title}\n\n{campaign.about.strip()}\n\n{table(rows)}\n"


def _row(fields: dict[str, object]) -> Row:
    made = Row(**fields)  # type: ignore[arg-type]  # written by asdict above
    return Row(made.what, made.tried, made.lost, made.seconds, made.note, tuple(made.losses))
