"""Real drivers are killed at random instants under load; scripts/faults kills a hundred more of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.campaigns import kills
from scripts.campaigns.frame import Budget

pytestmark = [pytest.mark.sandbox, pytest.mark.faults, pytest.mark.xdist_group("kills")]


def test_killed_drivers_lose_no_request_and_no_deployment(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (row,) = kills.run(Budget(tmp_path, share=5 / kills.KILLS, seed=2))
    record_property("kills", row.note)
    assert row.tried >= 1
    assert row.losses == ()
