"""The bench's arithmetic and pages. What it measures is never tested by time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.benchmarks import figures
from scripts.benchmarks.document import page
from scripts.benchmarks.figures import Ended
from scripts.benchmarks.ledger import OWN, Ledger


def ended(wall: float, code: int = 0) -> Ended:
    return Ended(code, wall, wall / 2, 0.0, 0.0, "", "it failed")


def test_samples_are_taken_in_turn_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []

    def measured(name: str, walls: list[float]) -> Ended:
        order.append(name)
        return ended(walls.pop(0))

    one, other = [9.0, 1.0, 2.0, 3.0], [9.0, 4.0, 4.0, 4.0]
    results = figures.in_turn(3, {"one": lambda: measured("one", one), "other": lambda: measured("other", other)})
    assert order == ["one", "other"] * 4
    assert results["one"]["wall"]["values"] == [1.0, 2.0, 3.0]
    assert figures.ratio(results, "one", "other") == 0.5
    assert figures.ratio(results, "one", "other", "cpu") == 0.5


def test_process_that_fails_ends_the_measuring_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match=r"thing ended with 3\n\nit failed"):
        figures.in_turn(2, {"thing": lambda: ended(1.0, code=3)})


def test_measured_process_keeps_its_compiled_modules_as_after_an_installation(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
    found = figures.run(asked, {"PYTHONDONTWRITEBYTECODE": "1"}, tmp_path)
    assert (found.code, found.out.strip()) == (0, "False")
    assert found.cpu > 0
    assert found.wall > 0


def test_ledger_counts_each_moment_once() -> None:
    ledger = Ledger()
    inner = ledger.counted(lambda: "inner", lambda: 7)
    outer = ledger.counted(lambda: "outer", lambda: inner() + 1)
    assert outer() == 8
    assert set(ledger.spent) == {OWN, "outer", "inner"}
    assert ledger.now == OWN


def test_page_says_what_was_never_measured() -> None:
    text = page({})
    assert "Not measured yet: `scripts/bench rollback`." in text
    assert "Where it falls short" in text


def test_page_tells_a_missed_target_as_missed() -> None:
    parts = {part: figures.spread([2.0, 2.0]) for part in _parts()}
    text = page({"overhead": {"machine": figures.machine(), "parts": parts}})
    assert "it is 2.00 s: **missed**" in text


# Private


def _parts() -> tuple[str, ...]:
    from scripts.benchmarks.overhead import BEYOND, PARTS

    return (*PARTS, *BEYOND)
