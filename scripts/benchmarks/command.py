"""The command line of scripts/bench: what to measure, where the figures go."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from scripts.benchmarks import calls, overhead, rollback, sandbox, startup, wire
from scripts.benchmarks.document import page
from scripts.benchmarks.figures import Result, Table, machine

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".bluegreen" / "bench.json"
DOCUMENT = ROOT / "docs" / "performance.md"

BENCHMARKS = {
    "rollback": rollback,
    "wire": wire,
    "overhead": overhead,
    "calls": calls,
    "startup": startup,
    "sandbox": sandbox,
}


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…", type=click.Choice(list(BENCHMARKS)))
@click.option("--rounds", type=click.IntRange(2), help="How often each thing is measured. [default: each one's own]")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.option("--document", is_flag=True, help="Write docs/performance.md from the figures kept; measure nothing.")
def main(names: tuple[str, ...], rounds: int | None, target: Path | None, document: bool) -> None:
    """Measure NAME… (default: all) and print tables; figures are kept in .bluegreen/bench.json."""
    kept: dict[str, Result] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    if document:
        DOCUMENT.write_text(page(kept), encoding="utf-8")
        return click.echo(f"{DOCUMENT.relative_to(ROOT)} written", err=True)
    for name in names or BENCHMARKS:
        click.echo(f"measuring {name} …", err=True)
        benchmark = BENCHMARKS[name]
        before = machine()
        result = benchmark.measure(rounds) if rounds else benchmark.measure()
        kept[name] = {"machine": before, **result}
        _keep(kept, KEPT)
        for table in benchmark.tables(result):
            _show(table)
    if target:
        _keep(kept, target)
    return None


# Private


def _keep(kept: dict[str, Result], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _show(table: Table) -> None:
    click.echo(f"\n{table.title}\n\n{table.text()}\n")
    if table.note:
        click.echo(f"{table.note}\n")
    sys.stdout.flush()
