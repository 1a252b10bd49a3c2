"""docs/canary-verdicts.svg: how long each rule needs. matplotlib is imported here alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.benchmarks.canary.study import ALPHA, BAD, names

NEVER = 7200


def draw(found: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "bluegreen", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    cells = [cell for cell in found["errors"] if cell["rps"] in (100, 1000)]
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), sharey=True, layout="constrained")
    for axis, cell in zip(axes.flat, cells, strict=True):
        _panel(axis, cell)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(f"Median time until a bad 5% canary is caught; every rule set to {ALPHA:.0%} false aborts an hour")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


# Private


def _panel(axis: Any, cell: dict[str, Any]) -> None:
    for number, name in enumerate(names()):
        seconds = [cell["bad"][bad][name]["equal"]["seconds"] or NEVER for bad in BAD]
        places = [at + 0.1 * (number - 2.5) for at in range(len(BAD))]
        axis.scatter(places, seconds, s=60 if number == 0 else 32, marker="Ddo^sv"[number], label=name, zorder=3)
    axis.set_yscale("log")
    axis.set_yticks(
        [5, 15, 60, 300, 900, 3600, NEVER], ["5 s", "15 s", "1 min", "5 min", "15 min", "1 h", "not in 1 h"]
    )
    axis.set_yticks([], minor=True)
    axis.set_ylim(4, 10000)
    axis.set_xticks(range(len(BAD)), BAD)
    axis.grid(axis="y", alpha=0.3)
    axis.set_title(f"{cell['rps']:g} requests a second, {100 * cell['base']:g}% errors")
