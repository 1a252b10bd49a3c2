"""Samples in turn, their summaries, and tables of them."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

Result = dict[str, Any]
"""JSON-ready."""


UNUSUAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
"""What test machines set and an on-call's shell does not."""


@dataclass(frozen=True, slots=True)
class Table:
    """``note`` says how the figures were made and what they do not show."""

    title: str
    headers: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def text(self, form: str = "simple") -> str:
        return tabulate([[_cell(cell) for cell in row] for row in self.rows], self.headers, form, disable_numparse=True)


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended. ``wall`` is from before it was started until it was gone; ``cpu`` is user + system.

    ``began`` is in seconds of the monotonic clock, which all processes of a Linux machine share; ``ended_at`` is in
    epoch seconds.
    """

    code: int
    wall: float
    cpu: float
    began: float
    ended_at: float
    out: str
    err: str


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
    """Its output goes to files: a pipe's reader would share the time that is measured.

    Compiled modules are kept, as after any installation: without them bluegreen alone would be compiled each time.
    """
    kept = {name: value for name, value in environment.items() if name not in UNUSUAL}
    out, err = folder / "bench.out", folder / "bench.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        began = time.monotonic()
        process = subprocess.Popen(command, env=kept, cwd=folder, stdout=stdout, stderr=stderr)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        process.returncode, wall, used.ru_utime + used.ru_stime, began, time.time(), _text(out), _text(err)
    )  # fmt: skip


def in_turn(rounds: int, measured: Mapping[str, Callable[[], Ended]]) -> dict[str, Result]:
    """A B C A B C …, after a round that is not counted: what loads the machine loads all of them."""
    samples: dict[str, list[Ended]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, measure in measured.items():
            ended = measure()
            if ended.code != 0:
                raise RuntimeError(f"{name} ended with {ended.code}\n{ended.out}\n{ended.err}")
            if number:
                samples[name].append(ended)
    return {name: summary(found) for name, found in samples.items()}


def summary(samples: Sequence[Ended]) -> Result:
    return {"wall": spread([each.wall for each in samples]), "cpu": spread([each.cpu for each in samples])}


def spread(values: Sequence[float]) -> Result:
    """Seconds, or whatever ``values`` are in."""
    rounded = [round(value, 5) for value in values]
    return {
        "n": len(rounded),
        "median": statistics.median(rounded),
        "min": min(rounded),
        "max": max(rounded),
        "values": rounded,
    }


def ratio(results: Mapping[str, Result], one: str, other: str, of: str = "wall") -> float:
    """Of the medians; 0.5 when ``one`` takes half of the time of ``other``."""
    return float(results[one][of]["median"] / results[other][of]["median"])


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def machine() -> Result:
    load = os.getloadavg()
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(load[0], 1),
    }


# Private


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _cell(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
