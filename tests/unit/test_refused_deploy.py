"""A deploy that finds an unfinished deployment: it says what stands there, and covers nothing up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.service import ServiceState
from bluegreen.drivers.foreground import deploy
from bluegreen.drivers.holder import give_back_unused, take
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import LockedError, RefusedError
from bluegreen.store.memory import MemoryStore
from tests.stage import NEW, SPEC, Crash, Recorder, Stage


def silent_in(stage: Stage, phase: Phase, call: str) -> None:
    """A driver on another machine falls silent right before its call; its lease ends."""

    def die(when: str, name: str) -> None:
        if (when, name) == ("before", call) and stage.phase() is phase:
            stage.on_call = lambda when, name: None
            raise Crash

    stage.on_call = die
    with pytest.raises(Crash):
        deploy(stage.session(host="ci"), stage.spec, NEW, Recorder())
    lease = stage.memory.service("orders").lease
    assert lease is not None
    stage.clock.sleep(lease.expires_at - stage.clock.now() + 1)


def not_safe_before_its_last_write_is_dead(stage: Stage) -> Deployment:
    d = rollback(stage.session("rollback", host="phone"), "orders", Recorder(), finisher=lambda s, d: "later")
    assert d.rollback is not None
    assert d.rollback.safe_at is None, "the silent driver's last call can still scale blue in"
    assert d.rollback.other_token
    return d


def test_a_refused_deploy_does_not_make_a_silent_driver_look_ended() -> None:
    stage = Stage(replace(SPEC, bake=30))
    silent_in(stage, Phase.TEARDOWN, "compute.scale")
    with pytest.raises(RefusedError):
        deploy(stage.session(host="other"), stage.spec, NEW, Recorder())
    not_safe_before_its_last_write_is_dead(stage)


def test_a_deploy_that_took_the_lease_before_it_was_refused_keeps_it_from_looking_given_back() -> None:
    """The other deployment begins, and its driver falls silent, between this one's look and its taking the lease."""
    stage = Stage(replace(SPEC, bake=30))
    silent_in(stage, Phase.TEARDOWN, "compute.scale")
    session = stage.session(host="other")
    taken = take(session, "orders", replace(stage.memory.service("orders"), active=None))
    give_back_unused(session, taken)
    assert stage.memory.service("orders").lease == taken.lease
    not_safe_before_its_last_write_is_dead(stage)


def test_a_refused_deploy_gives_back_a_lease_that_covers_nothing_up() -> None:
    stage = Stage()
    stage.compute.mark(stage.one, "unhealthy")
    with pytest.raises(RefusedError, match="nothing to roll back to"):
        deploy(stage.session(), stage.spec, NEW, Recorder())
    assert stage.memory.service("orders").lease is None


def test_a_deploy_beside_a_silent_driver_says_phase_traffic_who_drove_and_the_ways_on() -> None:
    stage = Stage()
    silent_in(stage, Phase.BAKE, "store.renew")
    with pytest.raises(RefusedError) as raised:
        deploy(stage.session(host="other"), stage.spec, NEW, Recorder())
    said = str(raised.value)
    assert f"deployment {stage.latest().id} is unfinished in phase bake" in said
    assert "orders-1 0 / orders-2 100" in said
    assert "ada@ci (pid 4711, deploy) fell silent: its lock ended 1 s ago" in said
    assert "ada@other" not in said
    assert "bluegreen resume orders" in said
    assert "bluegreen rollback orders" in said
    assert "cannot be told from the live weights" not in said


def test_a_deploy_beside_a_dead_driver_says_that_it_is_dead() -> None:
    stage = Stage()
    silent_in(stage, Phase.BAKE, "store.renew")
    other = stage.session(host="ci")
    here = stage.memory.service("orders").lease
    assert here is not None
    gone = replace(here.owner, pids="this kernel", pid=2**22 + 1)
    stage.memory.preempt("orders", gone, now=stage.clock.now())
    other.owner = replace(other.owner, pids="this kernel")
    with pytest.raises(RefusedError, match=r"its driver ada@ci \(pid \d+, deploy\) is dead"):
        deploy(other, stage.spec, NEW, Recorder())


def test_a_deploy_beside_one_that_is_driven_meets_its_lock() -> None:
    stage = Stage()
    silent_in(stage, Phase.BAKE, "store.renew")
    stage.memory.preempt("orders", stage.session(host="ci").owner, now=stage.clock.now())
    with pytest.raises(LockedError, match="locked by ada@ci"):
        deploy(stage.session(host="other"), stage.spec, NEW, Recorder())


def test_a_deployment_that_ended_after_the_first_look_keeps_no_deploy_back() -> None:
    class Ending(MemoryStore):
        looks = 0

        def service(self, name: str) -> ServiceState:
            self.looks += 1
            state = super().service(name)
            return replace(state, active="orders-that-has-just-ended") if self.looks == 1 else state

    stage = Stage()
    stage.memory = Ending()
    stage.faulty_store = stage.memory
    assert deploy(stage.session(), stage.spec, NEW, Recorder()).phase is Phase.SUCCEEDED
