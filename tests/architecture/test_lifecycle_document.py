"""docs/lifecycle.md is drawn from the table."""

from __future__ import annotations

from pathlib import Path

from bluegreen.domain.deployment import Phase
from bluegreen.lifecycle.diagram import lifecycle_page
from bluegreen.lifecycle.table import MOVES, ONWARD

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_lifecycle_document_is_drawn_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == lifecycle_page(), "next: scripts/docs"


def test_every_phase_but_the_two_ends_goes_on_and_every_phase_before_the_end_can_turn_back() -> None:
    assert set(ONWARD) == {phase for phase in Phase if not phase.final}
    turning = {move.source for move in MOVES if move.dest is Phase.ROLLBACK}
    assert turning == set(Phase) - {Phase.ROLLBACK, Phase.SUCCEEDED, Phase.ROLLED_BACK}
