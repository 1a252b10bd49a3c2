"""The whole ``bluegreen rollback`` process beside the least that others need for the same write."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from scripts.benchmarks.figures import Ended, Result, Table, in_turn, milliseconds, ratio, run
from scripts.benchmarks.place import BIN, Baking, a_team

TARGET = 0.75
ROUNDS = 15
HERE = Path(__file__).parent

OURS, AWS, FLIP = "bluegreen rollback", "aws elbv2 modify-listener", "boto3 flip"


def measure(rounds: int = ROUNDS) -> Result:
    with a_team() as team:
        baking = Baking(team)
        return {"results": _in_turn(baking, rounds), "spent": _spent(baking, max(3, rounds // 2))}


def tables(result: Result) -> list[Table]:
    results = result["results"]
    rows = [
        (name, milliseconds(each["wall"]["median"]), milliseconds(each["wall"]["min"]),
         milliseconds(each["wall"]["max"]), milliseconds(each["cpu"]["median"]),
         ratio(results, name, AWS), ratio(results, name, AWS, "cpu"))
        for name, each in results.items()
    ]  # fmt: skip
    found = ratio(results, OURS, AWS)
    verdict = f"Target: at most {TARGET} of the aws process's wall time. It is {found:.2f}" + (
        ", so it holds." if found <= TARGET else ": **missed**."
    )
    n = results[OURS]["wall"]["n"]
    compared = Table(
        "A whole rollback, from the start of the process to its end",
        ("process", "median", "least", "most", "CPU (median)", "of aws (wall)", "of aws (CPU)"),
        rows,
        f"{verdict} In turn, {n} times each. The rollback is a real one each time: a deployment in its bake that "
        "nobody drives, its record in SQLite, traffic on green; it ends when it has said SAFE, has put the test route "
        "back if there is one, and has started the process that cleans up.",
    )
    return [compared, _breakdown(result["spent"])]


# Private


def _breakdown(spent: Result) -> Table:
    rows = sorted(spent["median"].items(), key=lambda item: -item[1])
    whole = sum(value for _, value in rows)
    return Table(
        "What a rollback spends its time on",
        ("spent on", "median", "share"),
        [(name, f"{value * 1000:.1f} ms", f"{100 * value / whole:.0f} %") for name, value in rows],
        f"Of {spent['n']} runs with accounts kept in the process, each moment counted once; an API line is all calls "
        f"of that operation. Their sum is {milliseconds(whole)}: the accounts cost time of their own, and these runs "
        "are not in turn with those above, so that only the shares count.",
    )


def _in_turn(baking: Baking, rounds: int) -> dict[str, Result]:
    actions = baking.blue_actions()
    modify = ["--listener-arn", baking.listener, "--default-actions", actions]
    commands = {
        AWS: [str(BIN / "aws"), "elbv2", "modify-listener", *modify],
        FLIP: [sys.executable, str(HERE / "flip.py"), baking.listener, actions],
    }

    def flip(name: str) -> Ended:
        baking.to_green()
        ended = run(commands[name], baking.environment, baking.team.root)
        baking.must_be_blue()
        return ended

    return in_turn(rounds, {OURS: lambda: roll_back(baking), AWS: lambda: flip(AWS), FLIP: lambda: flip(FLIP)})


def roll_back(baking: Baking, command: list[str] | None = None) -> Ended:
    """From a deployment in its bake to SAFE; afterwards the deployment is in its bake again."""
    ended = run(command or [str(BIN / "bluegreen"), "rollback"], baking.environment, baking.team.root)
    baking.must_be_blue()
    if "SAFE" not in ended.out:
        raise RuntimeError(f"the rollback did not say SAFE:\n{ended.out}\n{ended.err}")
    baking.again(ended.out + ended.err)
    return ended


def _spent(baking: Baking, rounds: int) -> Result:
    accounts = [_account(baking) for _ in range(rounds)]
    names = dict.fromkeys(name for account in accounts for name in account)
    medians = {name: statistics.median(account.get(name, 0.0) for account in accounts) for name in names}
    return {"n": rounds, "median": {name: round(value, 5) for name, value in medians.items()}}


def _account(baking: Baking) -> dict[str, float]:
    target = baking.team.root / "ledger.json"
    code = (
        "import os, sys, time; "
        "os.execv(sys.executable, [sys.executable, sys.argv[1], sys.argv[2], str(time.monotonic()), 'rollback'])"
    )
    ended = roll_back(baking, [sys.executable, "-S", "-c", code, str(HERE / "ledger.py"), str(target)])
    found = json.loads(target.read_text(encoding="utf-8"))
    spent: dict[str, float] = {name: value for name, value in found["spent"].items() if name}
    spent["interpreter: end"] = max(0.0, ended.began + ended.wall - found["ended"])
    return spent
