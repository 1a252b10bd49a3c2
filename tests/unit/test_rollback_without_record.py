"""Which slot a rollback without the record takes for blue: the one that is told for certain, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.compute.fake import simple_definition
from bluegreen.domain.deployment import Phase
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import ServiceState
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.errors import StoreUnavailableError
from bluegreen.store.memory import MemoryStore
from tests.stage import SPEC, Crash, Recorder, Stage
from tests.unit.cli_kit import CONFIGURATION, Desk

AGAIN = ReleaseRequest(task_definition="orders:1")
CANARY = {"orders-1": 95, "orders-2": 5}
BAKING = {"orders-2": 100}


class Unreachable(MemoryStore):
    def service(self, name: str) -> ServiceState:
        raise StoreUnavailableError("the state store gives no answer", hint="check the network")


def dies_at(desk: Desk, weights: Mapping[str, int], *arguments: str) -> None:
    """A deploy that is killed when the weights are these; then the store is lost."""
    stage = desk.stage
    stage.clock.sleep(60)

    def interrupt(when: str, name: str) -> None:
        if stage.weights() == weights and stage.phase() not in (None, Phase.SUCCEEDED):
            stage.on_call = lambda when, name: None
            raise KeyboardInterrupt

    stage.on_call = interrupt
    assert desk.deploy(*arguments).exit_code == 130
    assert stage.weights() == weights
    stage.clock.sleep(60)
    stage.faulty_store = Unreachable()


def without_test_route(folder: Path) -> Desk:
    desk = Desk(folder, Stage(replace(SPEC, test=None)))
    desk.config.write_text("\n".join(row for row in CONFIGURATION.splitlines() if not row.startswith("test:")))
    return desk


def set_up_again_by_someone(desk: Desk) -> None:
    """``aws ecs update-service --force-new-deployment`` on blue: the same release in new tasks."""
    stage = desk.stage
    release = stage.compute.services["orders-1"].release
    stage.compute.launch(release, stage.one, 2, lambda: None, anew=True)
    stage.compute.health(stage.one)


def test_a_deployment_that_goes_back_to_an_old_release_is_rolled_back_to_the_one_that_was_live(tmp_path: Path) -> None:
    """The idle slot still has the revision that is deployed: ECS would change its count alone."""
    desk = Desk(tmp_path)
    assert desk.deploy().exit_code == 0
    dies_at(desk, {"orders-2": 95, "orders-1": 5}, "--task-definition", "orders:1")
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    assert desk.stage.weights() == {"orders-2": 100}
    assert "the test route prod:8080 leads to orders-1" in result.stdout


def test_without_a_test_route_a_later_revision_must_bear_the_dates_out(tmp_path: Path) -> None:
    desk = without_test_route(tmp_path)
    assert desk.deploy().exit_code == 0
    dies_at(desk, {"orders-2": 95, "orders-1": 5}, "--task-definition", "orders:1")
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "it has orders:1 where the other has orders:2" in result.stderr
    assert "--to orders-1 or --to orders-2" in result.stderr
    assert desk.stage.weights() == {"orders-2": 95, "orders-1": 5}


@pytest.mark.parametrize("weights", [CANARY, BAKING])
def test_without_a_test_route_a_new_release_is_rolled_back(tmp_path: Path, weights: Mapping[str, int]) -> None:
    desk = without_test_route(tmp_path)
    dies_at(desk, weights)
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    assert "it has orders:2 where the other has orders:1" in result.stdout
    assert desk.stage.weights() == {"orders-1": 100}


@pytest.mark.parametrize("make", [Desk, without_test_route])
def test_blue_that_someone_set_up_again_during_the_canary_is_not_taken_for_green(tmp_path: Path, make: type) -> None:
    desk = make(tmp_path)
    dies_at(desk, CANARY)
    set_up_again_by_someone(desk)
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "which slot is blue cannot be told, and nothing was written" in result.stderr
    assert desk.stage.weights() == CANARY
    named = desk.type("rollback", "-c", str(desk.config), "--to", "orders-1")
    assert (named.exit_code, desk.stage.weights()) == (0, {"orders-1": 100})


def test_where_nothing_is_to_be_written_it_says_so_and_names_the_other_slot(tmp_path: Path) -> None:
    """Blue was set up again while green baked: green looks like a blue that has all traffic."""
    desk = Desk(tmp_path)
    dies_at(desk, BAKING)
    set_up_again_by_someone(desk)
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 0
    assert "all traffic of prod:443 is on orders-2 already; nothing was written" in result.stdout
    assert "bluegreen rollback orders --to orders-1" in result.stdout
    assert "BLUE" not in result.stdout


def test_releases_of_two_families_are_told_by_the_dates_alone(tmp_path: Path) -> None:
    desk = without_test_route(tmp_path)
    desk.stage.compute.register(simple_definition("checkout", "registry.example/orders:2"))
    dies_at(desk, CANARY, "--task-definition", "checkout:1")
    assert desk.type("rollback", "-c", str(desk.config)).exit_code == 0
    assert desk.stage.weights() == {"orders-1": 100}


def test_a_blue_that_is_being_scaled_in_is_no_warm_blue(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    dies_at(desk, BAKING)
    service = desk.stage.compute.services["orders-1"]
    service.desired = 0
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "only orders-2 has tasks that stay healthy" in result.stderr
    assert desk.stage.weights() == BAKING


def test_green_is_set_up_anew_by_the_driver_that_follows_one_that_died_before_the_launch() -> None:
    stage = Stage()
    stage.clock.sleep(60)

    def die(when: str, name: str) -> None:
        if (when, name) == ("before", "compute.launch"):
            stage.on_call = lambda when, name: None
            raise Crash

    stage.on_call = die
    began = stage.clock.now()
    with pytest.raises(Crash):
        deploy(stage.session(), stage.spec, AGAIN, Recorder())
    stage.clock.sleep(60)
    resume(stage.session("resume"), "orders", Recorder(), until=lambda d: d.phase is Phase.TEST)
    assert stage.compute.services["orders-2"].changed_at > began
    assert stage.compute.services["orders-1"].changed_at < began


def test_an_idle_slot_that_runs_the_release_already_is_set_up_anew_too() -> None:
    stage = Stage()
    stage.compute.set(stage.two, count=2)
    stage.clock.sleep(60)
    began = stage.clock.now()
    d = deploy(stage.session(), stage.spec, AGAIN, Recorder())
    assert d.phase is Phase.SUCCEEDED
    assert stage.compute.services["orders-2"].changed_at >= began
