"""What the rollback command ends with when it joins a rollback that bluegreen had begun by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Phase, RollbackFacts
from bluegreen.drivers.foreground import deploy
from tests.stage import NEW, Stage
from tests.unit.cli_kit import Desk


class Died(BaseException):
    """The driver's process."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Green died in the shift, and its driver right before the write that puts blue back."""
    desk = Desk(tmp_path)
    stage = desk.stage

    def on_call(moment: str, name: str) -> None:
        if stage.phase() is Phase.SHIFT and "orders-2" in stage.weights():
            stage.compute.mark(stage.two, "unhealthy")
        if (moment, name, stage.phase()) == ("before", "router.modify", Phase.ROLLBACK):
            raise Died

    stage.on_call = on_call
    with pytest.raises(Died):
        deploy(stage.session(), stage.spec, NEW, stage.recorder)
    stage.on_call = lambda moment, name: None
    return desk


def facts_of(stage: Stage) -> RollbackFacts:
    facts = stage.latest().rollback
    assert facts is not None
    assert facts.by == "bluegreen"
    return facts


@pytest.mark.parametrize("option", ["--wait", "--no-wait"])
def test_a_rollback_that_is_safe_ends_with_0_whoever_began_it(desk: Desk, option: str) -> None:
    result = desk.type("rollback", "orders", option)
    assert "SAFE: all traffic is on blue" in result.stdout
    assert result.exit_code == 0


def test_a_rollback_that_is_not_safe_yet_never_ends_with_0_whoever_began_it(desk: Desk) -> None:
    stage = desk.stage
    lease = stage.memory.service("orders").lease
    assert lease is not None
    late = replace(facts_of(stage), late_until=stage.clock.now() + 500, in_flight=True)
    stage.memory.save(replace(stage.latest(), rollback=late), lease, ())
    result = desk.type("rollback", "orders")
    assert "a late write of it is still possible" in " ".join(result.stderr.split())
    assert result.exit_code == 7
