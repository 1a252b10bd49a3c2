"""docs/sandbox.md promises nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "sandbox.md"


def _tests() -> set[str]:
    files = (_ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)}


def test_every_test_that_the_sandbox_s_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", _PAGE.read_text()))
    assert len(named) > 40
    assert named - _tests() == set()


def test_every_imitated_behaviour_names_a_test() -> None:
    rows = [
        line.split(" | ") for line in _PAGE.read_text().splitlines() if line.startswith("| ") and "shown by" not in line
    ]
    behaviours = [row for row in rows if len(row) == 3]
    unshown = [row[0] for row in behaviours if not row[1].startswith("no") and "`test_" not in row[2]]
    assert len(behaviours) > 40
    assert unshown == []
