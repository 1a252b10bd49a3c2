"""A deployment whose record may or may not have arrived in the store: what is said, and what stands."""

from __future__ import annotations

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.errors import StoreUnavailableError
from tests.stage import NEW, SPEC, Recorder, Stage


@pytest.mark.parametrize("moment", ["before", "after"])
def test_begin_without_an_answer_changes_nothing_and_says_how_to_find_out(moment: str) -> None:
    stage = Stage()

    def lose(when: str, name: str) -> None:
        if (when, name) == (moment, "store.begin"):
            raise StoreUnavailableError("the state store gives no answer")

    stage.on_call = lose
    with pytest.raises(StoreUnavailableError) as raised:
        deploy(stage.session(), SPEC, NEW, Recorder())
    stage.on_call = lambda when, name: None
    assert "traffic is where it was" in raised.value.message
    assert "bluegreen status orders" in str(raised.value.hint)
    assert stage.compute.changes == []
    assert stage.router.writes == []
    arrived = stage.memory.service("orders").active is not None
    assert arrived == (moment == "after")
    act = (
        resume(stage.session("resume"), "orders", Recorder())
        if arrived
        else deploy(stage.session(), SPEC, NEW, Recorder())
    )
    assert act.phase is Phase.SUCCEEDED
