"""docs/reliability.md, from the rows that the campaigns answered; docs/reliability.json keeps the rows themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
part runs in the tests. Seconds are of one machine with two cores, shared with other work.
"""

ELSEWHERE = {
    "A process stopped (SIGSTOP) for longer than its lease and then continued moves no traffic": (
        "tests/faults/test_races_stopped.py"
    ),
    "With a rule of the protocol taken away, the exploration finds what the rule is for": (
        "tests/faults/test_protocol_model.py"
    ),
    "A step that breaks a safety rule on purpose is seen at that instant": "tests/faults/test_watchman.py",
    "Planted secrets appear in no log, event, record, report or `--debug` output": "tests/unit/test_secrets.py",
    "Every call is allowed by `iam-policy`'s output, enforced; every action in it is used": (
        "tests/sandbox/test_least_privilege.py"
    ),
    "A permission missing at each call is named; nothing is half-done": "tests/faults/test_least_privilege_denied.py",
    "Many processes at one store lose no save; a killed one leaves a whole file": "tests/faults/test_store_races.py",
}
"""What the tests prove in full, so that no campaign has to."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a campaign answered. ``share`` is the part of it that was run, at most 1; ``at`` the UTC minute it ended.

    ``commit``: of the code that was tried, abbreviated, with a ``+`` where the folder held changes besides.
    """

    rows: tuple[Row, ...]
    share: float = 1.0
    at: str = ""
    commit: str = ""


def table(rows: tuple[Row, ...], form: str = "pipe") -> str:
    lines = [(r.what, f"{r.tried:,}", f"{r.converged:,}", r.lost, f"{r.seconds:.1f}", r.note) for r in rows]
    return tabulate(lines, headers=HEADERS, tablefmt=form, disable_numparse=True, colalign=_ALIGN)


def recorded(root: Path) -> dict[str, Result]:
    path = root / ROWS
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: _result(each) for name, each in known.items()}


def remember(root: Path, results: Mapping[str, Result]) -> dict[str, Result]:
    """Put new results over the old ones of the same campaign; answers all that are known."""
    known = recorded(root) | dict(results)
    text = json.dumps(
        {name: asdict(each) for name, each in known.items()}, indent=1, sort_keys=True, ensure_ascii=False
    )
    (root / ROWS).write_text(text + "\n", encoding="utf-8")
    return known


def page(campaigns: Mapping[str, Campaign], known: Mapping[str, Result]) -> str:
    chapters = [_chapter(campaigns[name], each) for name, each in sorted(known.items()) if name in campaigns]
    return "\n".join([INTRODUCTION, _summary(campaigns, known), *chapters, _elsewhere()])


def write(root: Path, campaigns: Mapping[str, Campaign], known: Mapping[str, Result]) -> None:
    (root / PAGE).write_text(page(campaigns, known), encoding="utf-8")


# Private

_ALIGN = ("left", "right", "right", "right", "right", "left")


def _summary(campaigns: Mapping[str, Campaign], known: Mapping[str, Result]) -> str:
    lines = []
    for name, each in sorted(known.items()):
        if name in campaigns:
            tried, lost = sum(row.tried for row in each.rows), sum(row.lost for row in each.rows)
            about = " ".join(campaigns[name].about.split("\n\n")[0].split())
            lines.append((f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})", about, f"{tried:,}", lost))
    shown = tabulate(lines, headers=("campaign", "", "points", "lost"), tablefmt="pipe", disable_numparse=True)
    return f"{shown}\n"


def _chapter(campaign: Campaign, result: Result) -> str:
    part = "the whole of it" if result.share >= 1 else f"a share of {result.share:g} of its points, evenly spread"
    code = f" The code was {result.commit}." if result.commit else ""
    ran = f"Run: {part}; ended {result.at} UTC.{code}"
    return f"## {_title(campaign.name)}\n\n{campaign.about.strip()}\n\n{ran}\n\n{table(result.rows)}\n"


def _elsewhere() -> str:
    lines = [f"* {claim}: [{Path(place).name}](../{place})." for claim, place in ELSEWHERE.items()]
    return "\n".join(["## Proved by the tests alone", "", *lines, ""])


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _result(fields: dict[str, object]) -> Result:
    rows: list[dict[str, object]] = fields["rows"]  # type: ignore[assignment]  # written by asdict above
    made = tuple(_row(each) for each in rows)
    return Result(made, float(str(fields["share"])), str(fields["at"]), str(fields.get("commit", "")))


def _row(fields: dict[str, object]) -> Row:
    made = Row(**fields)  # type: ignore[arg-type]  # written by asdict above
    return Row(made.what, made.tried, made.lost, made.seconds, made.note, tuple(made.losses))
