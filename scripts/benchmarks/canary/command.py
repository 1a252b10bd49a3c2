"""scripts/bench canary: the verdict beside other rules, in one simulation."""

from __future__ import annotations

import json
from pathlib import Path

import click

from scripts.benchmarks.canary import page, plot, study

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / ".bluegreen" / "canary.json"
DOCUMENT = ROOT / "docs" / "canary-verdicts.md"


@click.command("canary")
@click.option("--full", is_flag=True, help="Four times the runs.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes to share the work.")
@click.option("--document", is_flag=True, help="Write docs/canary-verdicts.md from the figures kept; simulate nothing.")
def main(full: bool, workers: int, document: bool) -> None:
    """Simulate canaries, judge them by every rule and print tables; figures are kept in .bluegreen/canary.json."""
    if document:
        found = json.loads(KEPT.read_text(encoding="utf-8"))
        DOCUMENT.write_text(page.page(found), encoding="utf-8")
        plot.draw(found, DOCUMENT.with_suffix(".svg"))
        return click.echo(f"{DOCUMENT.relative_to(ROOT)} and its plot written", err=True)
    found = study.run(study.Size(4_000, 2_000) if full else study.Size(1_000, 500), workers)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    for table in page.tables(found):
        click.echo(f"\n{table.title}\n\n{table.text()}\n" + (f"\n{table.note}\n" if table.note else ""))
    for line in page.behind(found, study.OURS):
        click.echo(f"behind: {line}")
    return None
