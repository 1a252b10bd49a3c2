"""Bad input: mutated configurations and command lines, at least 10,000 of them, and damaged records.

Each is typed into the real command line over a world in memory in which nothing may be changed. *Lost* is what ended
otherwise than with exit code 2 or 6 and a message that names the key, the option or the file, and the fix: a
traceback, another exit code, a secret shown, a changed world. Input that is good in spite of its mutation is stopped
at the first call that would change something. Records of a deployment are cut off, overwritten, edited by hand, or made
by a newer version: whatever is typed then, nothing is overwritten. ``BLUEGREEN_FUZZ`` sets the number of a whole run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from scripts.campaigns.frame import Budget, Row
from tests.faults.bad_input import CONFIGURATIONS, Desk, Tally, try_command_lines, try_configurations
from tests.faults.bad_records import try_records

WHOLE = 12_000


def run(budget: Budget) -> list[Row]:
    number = budget.of(int(os.environ.get("BLUEGREEN_FUZZ", WHOLE)), least=40)
    part = max(10, number // (len(CONFIGURATIONS) + 1))
    with contextlib.chdir(budget.folder):
        desk = Desk(budget.folder)
        rows = [
            _row(budget, f"configurations: {family}", lambda f=family: try_configurations(desk, f, part, budget.seed))  # type: ignore[misc]
            for family in CONFIGURATIONS
        ]
        rows += [_row(budget, "command lines", lambda: try_command_lines(desk, part, budget.seed))]
        return [
            *rows,
            _row(budget, "a deployment's record", lambda: try_records(budget.folder, "record", part // 2, budget.seed)),
            _row(budget, "a service's item", lambda: try_records(budget.folder, "item", part // 2, budget.seed)),
        ]


# Private


def _row(budget: Budget, what: str, attempt: Callable[[], Tally]) -> Row:
    budget.tell(what)
    began = budget.clock.monotonic()
    try:
        tally = attempt()
    except AssertionError as error:
        return Row(what, 1, 1, budget.clock.monotonic() - began, losses=(str(error)[:600],))
    return Row(what, tally.tried, 0, budget.clock.monotonic() - began, str(tally))
