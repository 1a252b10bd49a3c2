"""Calls of a real deployment fail at the sandbox's API, once, three times, and while their driver is killed.

A representative part; ``scripts/faults bad_days`` tries every call in every way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.campaigns.bad_days import DEATHS, KINDS, Day, Kind, Point
from scripts.campaigns.frame import Budget
from scripts.campaigns.places import CloudTeam, team_in

pytestmark = [pytest.mark.sandbox, pytest.mark.faults, pytest.mark.xdist_group("bad-days")]

KIND = {kind.name: kind for kind in (*KINDS, *DEATHS)}
TO_GREEN = Point("deploy", "elbv2:ModifyListener", 4, reads=False)
A_SAVE = Point("deploy", "dynamodb:TransactWriteItems", 2, reads=False)
HEALTH = Point("deploy", "elbv2:DescribeTargetHealth", 5, reads=True)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder: Path = tmp_path_factory.mktemp("bad-days")
    with team_in(folder / "team", CloudTeam) as team:
        yield Day(team, Budget(folder))


@pytest.mark.parametrize(
    ("kind", "times", "point"),
    [
        (KIND["500, having taken effect"], 3, TO_GREEN),
        (KIND["refused"], 1, TO_GREEN),
        (KIND["throttled"], 3, HEALTH),
        (KIND["its driver killed, taking effect later"], 1, A_SAVE),
    ],
    ids=lambda value: value.name.replace(" ", "-") if isinstance(value, Kind) else "",
)
def test_deployment_whose_call_fails_ends_well_and_loses_no_request(
    day: Day, kind: Kind, times: int, point: Point
) -> None:
    row = day.row(kind, times, [point])
    assert row.losses == ()
    assert day.requests > 0
