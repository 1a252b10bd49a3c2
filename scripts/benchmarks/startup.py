"""What it costs to ask for help."""

from __future__ import annotations

import sys

from scripts.benchmarks.figures import Result, Table, in_turn, milliseconds, ratio, run
from scripts.benchmarks.place import BIN, an_environment

ROUNDS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "bluegreen --help": [str(BIN / "bluegreen"), "--help"],
    "bluegreen --version": [str(BIN / "bluegreen"), "--version"],
    "aws --version": [str(BIN / "aws"), "--version"],
}


def measure(rounds: int = ROUNDS) -> Result:
    with an_environment() as (environment, folder):
        asked = {name: (lambda words=words: run(words, environment, folder)) for name, words in COMMANDS.items()}
        return {"results": in_turn(rounds, asked)}


def tables(result: Result) -> list[Table]:
    results = result["results"]
    rows = [
        (name, milliseconds(each["wall"]["median"]), milliseconds(each["wall"]["min"]),
         milliseconds(each["wall"]["max"]), milliseconds(each["cpu"]["median"]), ratio(results, name, "aws --version"))
        for name, each in results.items()
    ]  # fmt: skip
    return [
        Table(
            "Start",
            ("command", "median", "least", "most", "CPU (median)", "of aws --version"),
            rows,
            f"In turn, {results['bluegreen --help']['wall']['n']} times each.",
        )
    ]
