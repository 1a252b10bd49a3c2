"""``scripts/faults``: run the campaigns, show the table, and write it down."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bluegreen.clock import SystemClock
from scripts.campaigns.frame import Budget, Campaign, campaigns
from scripts.campaigns.page import Result, recorded, remember, table, write

ROOT = Path(__file__).parents[2]


@click.command(help="Run the fault campaigns NAMES, or all of them. Exits 1 when anything was lost.")
@click.argument("names", nargs=-1)
@click.option("--share", default=1.0, show_default=True, help="Part of each campaign to run, above 0, at most 1.")
@click.option("--seed", default=1, show_default=True, help="Makes the campaigns that draw lots repeat themselves.")
@click.option("--document", is_flag=True, help="Write the results to docs/reliability.md, over those of the same name.")
@click.option(
    "--rewrite", is_flag=True, help="Run nothing: write docs/reliability.md again from docs/reliability.json."
)
@click.option("--list", "only_list", is_flag=True, help="Name the campaigns.")
def main(names: tuple[str, ...], share: float, seed: int, document: bool, rewrite: bool, only_list: bool) -> None:
    known = campaigns()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"no campaign {', '.join(unknown)}; there are {', '.join(known)}")
    if only_list:
        click.echo("\n".join(f"{each.name}: {each.about.splitlines()[0]}" for each in known.values()))
        return
    if rewrite:
        write(ROOT, known, recorded(ROOT))
        return
    results = {}
    for name in names or known:
        results[name] = _run(known[name], share, seed)
        if document:
            write(ROOT, known, remember(ROOT, {name: results[name]}))
    sys.exit(1 if any(row.lost for result in results.values() for row in result.rows) else 0)


def _run(campaign: Campaign, share: float, seed: int) -> Result:
    click.echo(f"{campaign.name} …", err=True)
    commit = _commit()
    with tempfile.TemporaryDirectory(prefix="bluegreen-faults-") as folder:
        rows = tuple(
            campaign.run(Budget(Path(folder), share, seed, tell=lambda text: click.echo(f"  {text}", err=True)))
        )
    click.echo(f"\n{campaign.name}\n{table(rows, 'simple')}\n")
    for row in rows:
        for loss in row.losses:
            click.echo(f"  lost: {row.what}: {loss}", err=True)
    at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(SystemClock().now()))
    return Result(rows, share, at, commit)


def _commit() -> str:
    """Asked before a campaign begins: what is committed while it runs was not tried."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "bluegreen", "tests", "scripts")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


if __name__ == "__main__":
    main()
