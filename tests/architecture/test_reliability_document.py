"""docs/reliability.md says what the campaigns found: all of them, whole, and nothing that was not recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.campaigns import bad_input, kills, races, soak, throttles
from scripts.campaigns.frame import campaigns
from scripts.campaigns.page import ELSEWHERE, PAGE, page, recorded

ROOT = Path(__file__).parents[2]
CAMPAIGNS = campaigns()
RECORDED = recorded(ROOT)


def test_page_is_what_the_recorded_rows_say() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(CAMPAIGNS, RECORDED), "scripts/faults --rewrite"


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_campaign_was_run_and_lost_nothing(name: str) -> None:
    assert name in RECORDED, f"scripts/faults {name} --document"
    for row in RECORDED[name].rows:
        assert row.tried > 0, row
        assert (row.lost, row.losses) == (0, ()), row
        assert row.note, f"{row.what}: no figures"


def test_campaigns_were_as_large_as_the_page_claims() -> None:
    assert tried("bad_input") >= 10_000 <= bad_input.WHOLE
    assert tried("kills") >= 100 <= kills.KILLS
    assert tried("soak") >= 50 <= soak.DEPLOYMENTS
    assert tried("races", "races of real processes") >= 200 <= races.RACES
    assert tried("throttles", f"{throttles.SERVICES} deployments at once") == 20
    assert [name for name, result in RECORDED.items() if result.share < 1 and name != "bad_days"] == []


def test_page_shows_no_place_that_is_not_there() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert [place for place in ELSEWHERE.values() if not (ROOT / place).exists()] == []
    titles = {name.replace("_", " ") for name in CAMPAIGNS}
    assert set(re.findall(r" \*([a-z ]+)\*\.", text)) <= titles | {"lost", "converged"}


def tried(name: str, what: str = "") -> int:
    return sum(row.tried for row in RECORDED[name].rows if what in ("", row.what, row.what.split(", over ")[0]))
