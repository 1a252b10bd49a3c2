"""Two and three real processes at one service, over DynamoDB Local: killed, stopped, continued, answered late.

A representative part; ``scripts/faults races`` runs more than two hundred.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Slot
from bluegreen.errors import CredentialsError
from bluegreen.store.dynamodb_table import create_table
from bluegreen.traffic.fake import forward_to
from tests.contract.store_support import WITHOUT, a_client, dynamodb_local
from tests.faults.race_driver import TABLE
from tests.faults.race_world import SIGNATURE_SECONDS, RaceWorld, ask
from tests.faults.races import CLOCK, run_races

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("races")]

RUNS = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """DynamoDB Local; where there is no java, a SQLite file."""
    if os.environ.get(WITHOUT) == "1":
        yield str(tmp_path / "store.db")
        return
    with dynamodb_local(tmp_path) as server:
        create_table(a_client(server.url), TABLE)
        yield server.url


@pytest.fixture
def world() -> Iterator[RaceWorld]:
    world = RaceWorld("orders", seed=1, late=0.0)
    yield world
    world.close()


def test_races_of_real_processes_converge_and_break_no_safety_rule(tmp_path: Path, store: str) -> None:
    races = run_races(range(1, RUNS + 1), store, tmp_path, at_once=6)
    lost = [race.told() for race in races if race.lost]
    assert not lost, "\n\n".join(lost)
    assert sum(race.kills + race.stops for race in races) >= RUNS / 2, "hardly anything was disturbed"
    assert {race.phase for race in races} >= {"rolled_back"}
    assert sum(race.late_writes for race in races) > 0


def test_the_world_notices_a_write_to_green_after_safe(world: RaceWorld) -> None:
    route, slots = _resolved(world)
    ask(world.address, "deploy", "event", "started", "d-1", "it began")
    ask(world.address, "rollback", "event", "safe", "d-1", "SAFE")
    assert world.broken == []
    ask(world.address, "deploy", "replace", route, [_split(slots, 95, 5)], CLOCK.now())
    assert any("after SAFE" in rule for rule in world.broken)
    assert any("rule 1" in rule for rule in world.broken), "green has no healthy target either"


def test_the_world_refuses_what_was_signed_too_long_ago(world: RaceWorld) -> None:
    route, slots = _resolved(world)
    with pytest.raises(CredentialsError, match="expired"):
        ask(world.address, "deploy", "replace", route, [_split(slots, 0, 100)], CLOCK.now() - SIGNATURE_SECONDS - 1)
    assert world.stage.weights() == {"orders-1": 100}


# -- private


def _resolved(world: RaceWorld) -> tuple[object, tuple[Slot, Slot]]:
    slots = (world.stage.one, world.stage.two)
    return ask(world.address, "test", "resolve", world.stage.spec.production[0], slots), slots


def _split(slots: tuple[Slot, Slot], blue: int, green: int) -> object:
    return forward_to({slots[0].target_group_arn: blue, slots[1].target_group_arn: green})
