"""Records that were cut off, edited by hand, or written by a newer version, met by every command but the rollback.

A deployment stands in its bake and its driver is dead. Its record, or the service's item, is damaged; then somebody
types. What still makes a sound record may be read and driven on: that is stopped at the first change. Nothing else may
get so far, and what was stored stays as it is. (The rollback puts blue back without the record: it has its own tests.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.errors import RefusedError
from bluegreen.store.transactional import Row
from tests.faults.bad_input import CHANGES, STOPPED, Tally, run_examples
from tests.unit.cli_kit import Desk
from tests.unit.test_config_fuzz import VALUES
from tests.unit.test_records_damaged import interrupted

COMMANDS = (
    ("deploy",),
    ("resume", "orders"),
    ("resume", "orders", "--accept-live"),
    ("pause", "orders"),
    ("promote", "orders"),
    ("abort", "orders"),
    ("status", "orders"),
    ("status", "orders", "-o", "json"),
    ("history", "orders"),
    ("rollback", "orders", "--dry-run"),
)
HOWS = ("cut", "junk", "newer", "value", "drop", "rename", "stranger")


@dataclass(frozen=True)
class Damage:
    """``at``, 0 to 1, is the place in the bytes, or among all values of the record."""

    how: str
    at: float
    junk: bytes
    value: Any

    def to(self, raw: bytes) -> bytes:
        place = int(self.at * len(raw))
        match self.how:
            case "cut":
                return raw[:place]
            case "junk":
                return raw[:place] + self.junk + raw[place + len(self.junk) :]
        return json.dumps(self._edited(json.loads(raw))).encode()

    def _edited(self, record: dict[str, Any]) -> dict[str, Any]:
        holders = list(_holders(record))
        holder, key = holders[min(int(self.at * len(holders)), len(holders) - 1)]
        match self.how:
            case "newer":
                record["schema"] += 1
            case "value":
                holder[key] = self.value
            case "drop":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[f"{key}_"] = holder.pop(key)
            case _:
                record["stranger"] = self.value
        return record


DAMAGES = st.builds(Damage, st.sampled_from(HOWS), st.floats(0.0, 1.0), st.binary(min_size=1, max_size=6), VALUES)


class Shelf:
    """What is stored, and a person beside it."""

    def __init__(self, folder: Path) -> None:
        self.desk: Desk = interrupted(folder)
        self.desk.stage.on_call = self._stop
        self.rows = self.desk.stage.memory.rows
        ((self.id, self.record),) = self.rows.newest("orders", 1)
        self.item = self.rows.service("orders") or b""
        self.world = self._world()
        self.reached = False

    def type(self, damage: Damage, which: str, words: tuple[str, ...], tally: Tally) -> None:
        record, item = self.record, self.item
        if which == "record":
            record = damage.to(record)
        else:
            item = damage.to(item)
        self._put(record, item)
        self.reached = False
        result = self.desk.type(*words, "-c", str(self.desk.config))
        tally.tried += 1
        tally.exits[result.exit_code] += 1
        tally.changed += self.reached
        self._judge(result, (words, which, damage, result.exit_code, result.stderr[-1500:]))
        assert self.rows.service("orders") == item
        assert self.rows.newest("orders", 1)[0][1] == record

    def _judge(self, result: Result, shown: object) -> None:
        assert result.exit_code in (0, 4, 5, 6), shown
        assert "Traceback" not in result.stdout + result.stderr, shown
        assert "internal error" not in result.stderr, shown
        assert self._world() == self.world, shown
        if result.exit_code == 6:
            # The damage may have struck the very name.
            named = re.search(r"deployment orders|service orders", result.stderr)
            way_on = "next:" in result.stderr or bool(re.search(r'"hint": "[^"]', result.stderr))
            assert STOPPED in result.stderr or (named and way_on), shown

    def _put(self, record: bytes, item: bytes) -> None:
        row = self.rows.record(self.id)
        assert row is not None
        self.rows.put_record(self.id, "orders", Row(row.version, row.write, record))
        self.rows.put_service("orders", item)

    def _world(self) -> object:
        stage = self.desk.stage
        weights = [stage.weights(index) for index in range(len(stage.router.routes))]
        return weights, {name: service.desired for name, service in stage.compute.services.items()}

    def _stop(self, when: str, name: str) -> None:
        if when == "before" and name.startswith("store.") and name.removeprefix("store.") in CHANGES:
            self.reached = True
            raise RefusedError(STOPPED, hint="it was sound")


def try_records(folder: Path, which: str, number: int, chance: int) -> Tally:
    """``which``: the deployment's ``record``, or the service's ``item``."""
    tally = Tally()
    shelf = Shelf(folder)

    def check(damage: Damage, words: tuple[str, ...]) -> None:
        shelf.type(damage, which, words, tally)

    run_examples(given(DAMAGES, st.sampled_from(COMMANDS))(check), number, chance)
    return tally


# -- private


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value: what holds it, and its key or index there."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _holders(value[key])
