"""The record is lost, or in another store than the one that is asked: traffic can be put back all the same."""

from __future__ import annotations

from pathlib import Path

from tests.stage import Stage
from tests.unit.cli_kit import Desk


def stranded(folder: Path) -> Desk:
    """A deployment sent half of the traffic to green; nothing is known of it here."""
    stage = Stage()
    stage.compute.set(stage.two, count=2)
    stage.compute.health(stage.two)
    production = next(iter(stage.router.routes))
    stage.router.set_weights(production, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})
    return Desk(folder, stage)


def test_rollback_in_an_empty_store_names_the_other_store_and_the_way_without_a_record(tmp_path: Path) -> None:
    desk = stranded(tmp_path)
    result = desk.type("rollback", "orders", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "BLUEGREEN_STORE" in result.stderr
    assert "bluegreen rollback orders --to SLOT" in result.stderr
    assert desk.stage.weights() == {"orders-1": 50, "orders-2": 50}


def test_rollback_to_a_slot_puts_all_traffic_there_without_a_record(tmp_path: Path) -> None:
    desk = stranded(tmp_path)
    shown = desk.type("rollback", "orders", "--to", "orders-1", "--dry-run", "-c", str(desk.config))
    assert (shown.exit_code, desk.stage.weights()) == (0, {"orders-1": 50, "orders-2": 50}), shown.stderr
    result = desk.type("rollback", "orders", "--to", "orders-1", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    assert "has no deployment in" in result.stderr
    assert desk.stage.weights() == {"orders-1": 100}


def test_rollback_to_what_is_no_slot_is_refused_without_a_record(tmp_path: Path) -> None:
    desk = stranded(tmp_path)
    result = desk.type("rollback", "orders", "--to", "orders:7", "-c", str(desk.config))
    assert result.exit_code == 6
    assert "orders-1 or orders-2" in result.stderr
    assert desk.stage.weights() == {"orders-1": 50, "orders-2": 50}
