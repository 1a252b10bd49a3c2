"""Deployments back to back leave nothing behind; scripts/faults makes fifty of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.campaigns import soak
from scripts.campaigns.frame import Budget

pytestmark = [pytest.mark.sandbox, pytest.mark.faults, pytest.mark.xdist_group("soak")]


def test_three_deployments_leave_no_process_file_rule_or_target(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (row,) = soak.run(Budget(tmp_path, share=3 / soak.DEPLOYMENTS))
    record_property("soak", row.note)
    assert row.tried == 3
    assert row.losses == ()


def test_what_is_left_behind_is_named() -> None:
    before = soak.Count({"processes": 4, "rules": 2}, {"daemon": 100, "envoy": 50}, definitions=1, record=1000)
    after = soak.Count(
        {"processes": 5, "rules": 2}, {"daemon": 900_000_000, "envoy": 50}, definitions=9, record=9_000_000
    )
    assert before.left_behind(after, 3) == [
        "processes: 4 before, 5 after",
        "8 task definitions for 3 deployments",
        "the record grew by 8999000 bytes",
        "daemon grew by 900 MB",
    ]
