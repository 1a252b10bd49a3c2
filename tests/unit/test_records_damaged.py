"""Records that were cut off, edited by hand, or written by a newer version: refused by name, and left as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.domain.deployment import Phase
from bluegreen.drivers.foreground import deploy
from bluegreen.errors import RecordError
from bluegreen.store.base import Damaged
from bluegreen.store.sqlite import SqliteStore
from bluegreen.store.transactional import Row
from tests.stage import NEW, SPEC, Crash, Recorder, Stage
from tests.unit.cli_kit import Desk

Harm = Callable[[bytes], bytes]


def changed(raw: bytes, **keys: object) -> bytes:
    return json.dumps({**json.loads(raw), **keys}).encode()


HARMS: dict[str, Harm] = {
    "empty": lambda raw: b"",
    "cut off": lambda raw: raw[: len(raw) // 2],
    "no JSON": lambda raw: b"\x00\xff" + raw,
    "a list": lambda raw: b"[" + raw + b"]",
    "newer": lambda raw: changed(raw, schema=99),
    "unknown key": lambda raw: changed(raw, traffic="all to me"),
    "unknown phase": lambda raw: changed(raw, phase="shft"),
    "text for a number": lambda raw: changed(raw, started_at="yesterday"),
    "another deployment's": lambda raw: changed(raw, id="orders-20200101-000000-0000"),
    "no routes": lambda raw: changed(raw, routes=None),
}

COMMANDS = {
    "deploy": (),
    "resume": ("orders",),
    "pause": ("orders",),
    "promote": ("orders",),
    "abort": ("orders",),
    "status": ("orders",),
}


def interrupted(folder: Path, phase: Phase = Phase.BAKE) -> Desk:
    """A deployment whose driver died, and someone at the desk."""
    desk = Desk(folder)
    stage = desk.stage

    def on_call(moment: str, name: str) -> None:
        if moment == "before" and name == "store.load" and stage.phase() is phase:
            raise Crash

    stage.on_call = on_call
    with pytest.raises(Crash):
        deploy(stage.session(host="elsewhere"), SPEC, NEW, Recorder())
    stage.on_call = lambda moment, name: None
    stage.clock.sleep(31)
    return desk


def harm(stage: Stage, index: int, how: Harm) -> bytes:
    """Damage the record at this place of the history, newest first; answers what stands there then."""
    rows = stage.memory.rows
    deployment_id, body = rows.newest("orders", index + 1)[index]
    row = rows.record(deployment_id)
    assert row is not None
    damaged = how(body)
    rows.put_record(deployment_id, "orders", Row(row.version, row.write, damaged))
    return damaged


def everything(stage: Stage) -> tuple[object, ...]:
    """All that a refused command must leave as it is."""
    rows = stage.memory.rows
    weights = [stage.weights(index) for index in range(len(stage.router.routes))]
    counts = {name: service.desired for name, service in stage.compute.services.items()}
    return tuple(rows.newest("orders", 10)), weights, counts, len(stage.router.writes)


@pytest.mark.parametrize("how", HARMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_damaged_record_of_the_running_deployment_is_refused_and_left_as_it_is(
    tmp_path: Path, command: str, how: str
) -> None:
    desk = interrupted(tmp_path)
    harm(desk.stage, 0, HARMS[how])
    before = everything(desk.stage)
    result = desk.type(command, *COMMANDS[command], "-c", str(desk.config))
    assert result.exit_code == 6, (result.exit_code, result.output, result.stderr)
    assert "Traceback" not in result.stderr
    assert desk.stage.memory.rows.newest("orders", 1)[0][0] in result.stderr
    assert everything(desk.stage) == before


@pytest.mark.parametrize("how", HARMS)
def test_rollback_with_a_damaged_record_puts_blue_back_without_it_and_does_not_touch_it(
    tmp_path: Path, how: str
) -> None:
    desk = interrupted(tmp_path)
    damaged = harm(desk.stage, 0, HARMS[how])
    assert desk.stage.weights() == {"orders-2": 100}
    result = desk.type("rollback", "orders", "-c", str(desk.config), "--to", "orders-1")
    assert result.exit_code == 0, (result.output, result.stderr)
    assert "without the record" in result.stdout
    assert desk.stage.weights() == {"orders-1": 100}
    assert desk.stage.memory.rows.newest("orders", 1)[0][1] == damaged


def test_rollback_with_a_damaged_record_and_without_a_configuration_is_refused(tmp_path: Path) -> None:
    desk = interrupted(tmp_path)
    harm(desk.stage, 0, HARMS["cut off"])
    before = everything(desk.stage)
    result = desk.type("rollback", "orders", "-c", str(tmp_path / "none.yaml"))
    assert result.exit_code == 6, result.stderr
    assert "-c FILE" in result.stderr
    assert everything(desk.stage) == before


@pytest.mark.parametrize("how", HARMS)
def test_damaged_old_record_hides_no_other_one(tmp_path: Path, how: str) -> None:
    desk = Desk(tmp_path)
    stage = desk.stage
    for number in range(3):
        request = replace(NEW, images={"app": f"registry.example/orders:{number + 2}"})
        deploy(stage.session(), replace(SPEC, bake=1), request, Recorder())
    damaged = harm(stage, 1, HARMS[how])
    (newest, _), (old, _), (first, _) = stage.memory.rows.newest("orders", 3)
    listed = desk.type("history", "orders")
    assert listed.exit_code == 0, listed.stderr
    assert newest in listed.stdout
    assert first in listed.stdout
    assert f"damaged: {old}" in listed.stderr
    data = json.loads(desk.type("history", "orders", "-o", "json").stdout)
    assert [entry["id"] for entry in data if "damaged" in entry] == [old]
    assert desk.type("status", "orders").exit_code == 0
    assert desk.type("rollback", "orders", "--dry-run").exit_code == 0
    assert desk.type("rollback", "orders", "--wait").exit_code == 0
    assert stage.memory.rows.newest("orders", 4)[2] == (old, damaged)


def test_damaged_newest_ended_record_leaves_status_usable_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for _ in range(2):
        deploy(desk.stage.session(), replace(SPEC, bake=1), NEW, Recorder(), force=True)
    harm(desk.stage, 0, HARMS["cut off"])
    (newest, _), (older, _) = desk.stage.memory.rows.newest("orders", 2)
    result = desk.type("status", "orders")
    assert result.exit_code == 0, result.stderr
    assert newest in result.stdout + result.stderr
    assert older in result.stdout


@pytest.mark.parametrize(
    "how",
    [name for name in HARMS if name not in ("another deployment's", "no routes", "unknown phase", "text for a number")],
)
def test_damaged_item_of_the_service_is_refused_by_every_command(tmp_path: Path, how: str) -> None:
    desk = interrupted(tmp_path)
    rows = desk.stage.memory.rows
    raw = rows.service("orders")
    assert raw is not None
    damaged = HARMS[how](raw)
    rows.put_service("orders", damaged)
    before = everything(desk.stage)
    for command, words in COMMANDS.items():
        result = desk.type(command, *words, "-c", str(desk.config))
        assert result.exit_code == 6, (command, result.stderr)
        assert "orders" in result.stderr
    assert rows.service("orders") == damaged
    assert everything(desk.stage) == before


def test_sqlite_tells_the_damaged_one_in_its_place_and_history_refuses(tmp_path: Path) -> None:
    import sqlite3

    store = SqliteStore(tmp_path / "state.db")
    stage = Stage()
    deploy(stage.session(), replace(SPEC, bake=1), NEW, Recorder())
    done = stage.latest()
    lease = store.acquire("orders", stage.session().owner, now=0.0)
    store.begin(replace(done, version=0), lease)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("UPDATE deployments SET body = substr(body, 1, 100)")
    connection.close()
    (entry,) = store.entries("orders")
    assert isinstance(entry, Damaged)
    assert entry.id == done.id
    with pytest.raises(RecordError, match=done.id):
        store.history("orders")
    store.close()
