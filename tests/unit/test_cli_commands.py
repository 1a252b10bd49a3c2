"""The commands, typed by a person against a world in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from bluegreen.domain.deployment import Phase
from bluegreen.domain.health import Failure
from bluegreen.domain.service import Owner, ServiceState
from bluegreen.errors import StoreUnavailableError
from bluegreen.store.memory import MemoryStore
from tests.unit.cli_kit import Desk, json_lines

FACT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def started(desk: Desk) -> Desk:
    assert desk.deploy("--detach").exit_code == 0
    return desk


def fail_green(desk: Desk) -> None:
    reason = "orders-2: container app exited with code 1 three times"
    desk.stage.compute.bad_images["registry.example/orders:2"] = Failure(reason, fatal=True)


def test_deploy_without_a_terminal_tells_facts_on_stderr_and_the_summary_on_stdout(desk: Desk) -> None:
    result = desk.deploy()
    assert result.exit_code == 0
    assert all(FACT.match(row) for row in result.stderr.splitlines())
    assert "\x1b" not in result.output
    summary = result.stdout.splitlines()
    assert summary[1].startswith("LIVE: orders:2 (orders:2) is live in orders-2")
    assert desk.stage.weights() == {"orders-2": 100}


def test_deploy_gives_a_sign_of_life_while_it_waits(desk: Desk) -> None:
    rows = desk.deploy().stderr.splitlines()
    signs = [row for row in rows if "still in bake after" in row]
    assert 10 <= len(signs) <= 20
    assert "traffic: prod:443: blue 0% / green 100%" in signs[0]


def test_deploy_in_json_tells_one_object_a_line_and_ends_with_the_summary(desk: Desk) -> None:
    result = desk.deploy("-o", "json", "--reason", "faster basket")
    lines = json_lines(result.stdout)
    assert result.stderr == ""
    assert lines[0]["kind"] == "started"
    assert {"phase", "split", "succeeded"} <= {line["kind"] for line in lines}
    last = lines[-1]
    assert (last["kind"], last["exit_code"], last["deployment"]["result"]) == ("summary", 0, "succeeded")
    assert last["deployment"]["reason"] == "faster basket"


def test_deploy_that_is_rolled_back_ends_with_3_and_says_where_the_traffic_is(desk: Desk) -> None:
    fail_green(desk)
    result = desk.deploy()
    assert result.exit_code == 3
    assert "ROLLED BACK: orders:1" in result.stdout
    assert "All traffic is on orders-1 (orders:1)" in result.stderr
    assert desk.stage.weights() == {"orders-1": 100}


def test_deploy_that_is_rolled_back_says_so_in_json_too(desk: Desk) -> None:
    fail_green(desk)
    result = desk.deploy("-o", "json")
    last = json_lines(result.stdout)[-1]
    assert (last["exit_code"], last["deployment"]["result"]) == (3, "rolled_back")
    assert json.loads(result.stderr)["error"]["type"] == "RolledBackError"


def test_quarantined_release_is_refused_with_6_and_no_summary(desk: Desk) -> None:
    fail_green(desk)
    desk.deploy()
    result = desk.deploy()
    assert result.exit_code == 6
    assert result.stdout == ""
    assert "refused, nothing was changed" in result.stderr


def test_deploy_that_holds_ends_with_4_and_says_that_traffic_stays(desk: Desk) -> None:
    def interfere(when: str, name: str) -> None:
        stage = desk.stage
        if name == "router.modify" and when == "after" and stage.weights().get("orders-2") == 5:
            stage.on_call = lambda when, name: None
            production = next(iter(stage.router.routes))
            stage.router.set_weights(production, {stage.one.target_group_arn: 50, stage.two.target_group_arn: 50})

    desk.stage.on_call = interfere
    result = desk.deploy()
    assert result.exit_code == 4
    assert "someone else changed the weights of prod:443" in result.stderr
    assert "Traffic stays as it is: prod:443: blue 50% / green 50%" in result.stderr
    assert "bluegreen resume orders --accept-live" in result.stderr


def test_ctrl_c_detaches_with_130_and_prints_the_way_on_and_the_way_back(desk: Desk) -> None:
    def interrupt(when: str, name: str) -> None:
        if name == "store.service" and desk.stage.phase() is Phase.SHIFT:
            desk.stage.on_call = lambda when, name: None
            raise KeyboardInterrupt

    desk.stage.on_call = interrupt
    result = desk.deploy()
    assert result.exit_code == 130
    assert "bluegreen resume orders to go on, bluegreen rollback orders to go back" in result.stderr
    assert desk.type("resume", "orders").exit_code == 0
    assert desk.stage.weights() == {"orders-2": 100}


def test_dry_run_of_a_deploy_changes_nothing(desk: Desk) -> None:
    result = desk.deploy("--dry-run")
    assert result.exit_code == 0
    assert "orders: a deploy would run the live task definition with app=registry.example/orders:2" in result.stdout
    assert "shift     green gets 5% for 1m, then 100%" in result.stdout
    assert desk.stage.phase() is None


def test_dry_run_of_a_deploy_that_would_be_refused_ends_with_6(desk: Desk) -> None:
    started(desk)
    result = desk.deploy("--dry-run", "-o", "json")
    assert result.exit_code == 6
    problems = json.loads(result.stdout)["problems"]
    assert problems[0]["where"] == "service orders"


def test_verify_says_that_nothing_stands_in_the_way(desk: Desk) -> None:
    result = desk.type("verify", "-c", str(desk.config))
    assert (result.exit_code, result.stdout) == (0, "nothing stands in the way of a deploy of orders\n")


def test_verify_shows_every_problem_with_its_way_out_and_ends_with_6(desk: Desk) -> None:
    result = desk.type("verify", "-c", str(started(desk).config))
    assert result.exit_code == 6
    assert "refused  service orders" in result.stdout
    assert "a deploy would be refused: one problem stands in its way. Nothing was changed" in result.stderr


def test_rollback_of_an_unfinished_deployment_is_safe_and_says_so(desk: Desk) -> None:
    result = started(desk).type("rollback", "orders", "--wait", "--reason", "basket is empty")
    assert result.exit_code == 0
    assert "SAFE: all traffic is on blue (orders-1, orders:1) after 0.00 s" in result.stdout
    assert "in phase pending: basket is empty" in " ".join(result.stdout.split())
    assert desk.stage.weights() == {"orders-1": 100}


def test_rollback_after_the_end_is_a_redeployment(desk: Desk) -> None:
    desk.deploy()
    plan = desk.type("rollback", "orders", "--dry-run", "-o", "json")
    assert json.loads(plan.stdout)["class"] == "redeployment"
    strange = desk.type("rollback", "orders", "--dry-run", "--to", "orders:99").stdout
    assert "redeployment of orders:99, which no record here knows: the deployment has ended" in strange
    assert strange.rstrip().endswith("bluegreen rollback orders --to orders:99")
    result = desk.type("rollback", "orders")
    assert result.exit_code == 0
    assert "LIVE: orders:1 (orders:1) is live in orders-1" in result.stdout
    assert desk.stage.weights() == {"orders-1": 100}


def test_rollback_dry_run_tells_the_class_and_writes_nothing(desk: Desk) -> None:
    started(desk)
    before = list(desk.stage.calls)
    result = desk.type("rollback", "orders", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("orders: flip: blue orders-1 (orders:1 (orders:1)) has all traffic already")
    assert not {"router.modify", "compute.launch", "compute.scale"} & set(desk.stage.calls[len(before) :])


def test_rollback_with_nothing_to_go_back_to_is_refused(desk: Desk) -> None:
    result = desk.type("rollback", "orders")
    assert result.exit_code == 6
    assert "there is nothing to roll back" in result.stderr


def test_rollback_without_the_store_uses_the_configuration_and_says_so(desk: Desk) -> None:
    half_way(desk)
    cut_store(desk)
    result = desk.type("rollback", "-c", str(desk.config))
    assert result.exit_code == 0, result.stderr
    assert "rolling back without the record" in result.stderr
    assert "BLUE: all traffic of prod:443 is on orders-1" in result.stdout
    assert "SAFE" not in result.stdout, "nobody was pre-empted: a driver that lives may write again"
    assert desk.stage.weights() == {"orders-1": 100}


def test_rollback_without_the_store_needs_no_variable_of_a_hook_or_a_notifier(desk: Desk) -> None:
    half_way(desk)
    cut_store(desk)
    hooks = {"test": [{"http": {"url": "${SMOKE_URL}/x"}}]}
    document = yaml.safe_load(desk.config.read_text()) | {"hooks": hooks, "notify": [{"webhook": "${CHAT_URL}"}]}
    desk.config.write_text(yaml.safe_dump(document))
    assert desk.type("rollback", "-c", str(desk.config)).exit_code == 0
    assert desk.stage.weights() == {"orders-1": 100}


def test_rollback_without_store_and_configuration_says_what_it_needs(desk: Desk) -> None:
    cut_store(desk)
    result = desk.type("rollback", "orders", "-c", str(desk.folder / "none.yaml"))
    assert result.exit_code == 2
    assert "without the state store a rollback needs the configuration" in result.stderr


def test_second_rollback_in_a_row_does_not_go_back_to_what_the_first_one_left(desk: Desk) -> None:
    desk.deploy()
    first = desk.type("rollback", "orders")
    assert first.exit_code == 0
    assert "would not go to orders:2, which is in quarantine: --to orders:2 does" in " ".join(first.stdout.split())
    again = desk.type("rollback", "orders")
    assert again.exit_code == 6
    assert "is not live and was not rolled back" in again.stderr
    assert desk.stage.weights() == {"orders-1": 100}


def test_abort_rolls_back_and_never_redeploys(desk: Desk) -> None:
    assert desk.type("abort", "orders").exit_code == 6
    result = started(desk).type("abort", "orders", "--wait", "--reason", "wrong branch")
    assert result.exit_code == 0
    assert "aborted: wrong branch" in result.stdout
    again = desk.type("abort", "orders")
    assert again.exit_code == 6
    assert "no unfinished deployment" in again.stderr


def test_wish_without_a_driver_says_how_to_get_one(desk: Desk) -> None:
    result = started(desk).type("pause", "orders")
    assert result.exit_code == 0
    assert "as soon as it is driven; no process drives it now\nnext: bluegreen resume orders" in result.stdout


@pytest.mark.parametrize("command", ["pause", "promote", "resume"])
def test_wish_that_the_driver_takes_says_that_it_was_heard(desk: Desk, command: str) -> None:
    store = started(desk).stage.memory
    lease = store.acquire("orders", Owner("ci", "build-7", 12, "deploy"), now=desk.stage.clock.now())

    def take_the_wish(when: str, name: str) -> None:
        if when == "after" and name == "store.request":
            store.clear_request(lease)

    desk.stage.on_call = take_the_wish
    result = desk.type(command, "orders")
    assert result.exit_code == 0
    assert "ci@build-7 (pid 12, deploy) heard it: deployment orders-" in result.stdout


def test_a_driver_that_paused_and_ended_is_not_called_missing(desk: Desk) -> None:
    store = started(desk).stage.memory
    lease = store.acquire("orders", Owner("ci", "build-7", 12, "deploy"), now=desk.stage.clock.now())

    def pause_and_end(when: str, name: str) -> None:
        if (when, name) == ("after", "store.service") and store.service("orders").control is not None:
            store.clear_request(lease)
            store.release(lease)

    desk.stage.on_call = pause_and_end
    result = desk.type("pause", "orders")
    assert "holds where it stands" in result.stdout
    assert result.stdout.splitlines()[-1] == "next: bluegreen resume orders"
    assert "no process drives it now" not in result.stdout


def test_resume_waits_for_a_silent_drivers_lock_to_end_and_drives_on_then(desk: Desk) -> None:
    store = started(desk).stage.memory
    store.acquire("orders", Owner("ci", "build-7", 12, "deploy"), now=desk.stage.clock.now())
    result = desk.type("resume", "orders")
    assert result.exit_code == 0
    assert "does not answer; its lock ends by itself in" in result.stderr
    assert desk.stage.weights() == {"orders-2": 100}


@pytest.mark.parametrize("command", ["pause", "promote"])
def test_wish_that_nobody_has_taken_yet_names_the_driver(desk: Desk, command: str) -> None:
    store = started(desk).stage.memory
    store.acquire("orders", Owner("ci", "build-7", 12, "deploy"), now=desk.stage.clock.now())
    result = desk.type(command, "orders")
    assert result.exit_code == 0
    assert "left for ci@build-7 (pid 12, deploy), which has not answered yet" in result.stdout
    state = store.service("orders")
    assert state.control is not None
    assert state.control.control == command


@pytest.mark.parametrize("command", ["pause", "promote", "resume"])
def test_wish_without_a_deployment_is_refused(desk: Desk, command: str) -> None:
    assert desk.type(command, "orders").exit_code == 6


def test_paused_deployment_holds_and_resume_brings_it_to_its_end(desk: Desk) -> None:
    started(desk).type("pause", "orders")
    assert desk.type("resume", "orders").exit_code == 0
    assert desk.stage.weights() == {"orders-2": 100}


def test_resume_takes_one_way_out_of_drift_only(desk: Desk) -> None:
    result = started(desk).type("resume", "orders", "--accept-live", "--reassert")
    assert result.exit_code == 2


def test_status_needs_no_lock_and_shows_the_deployment(desk: Desk) -> None:
    store = started(desk).stage.memory
    store.acquire("orders", Owner("ci", "build-7", 12, "deploy"), now=desk.stage.clock.now())
    result = desk.type("status", "orders")
    assert result.exit_code == 0
    assert "pending" in result.stdout
    assert "driver      ci@build-7 (pid 12, deploy)" in result.stdout
    assert "\x1b" not in result.stdout


def test_status_in_json_has_live_and_set_weights(desk: Desk) -> None:
    desk.deploy()
    told = json.loads(desk.type("status", "orders", "-o", "json").stdout)
    assert told["deployment"]["result"] == "succeeded"
    assert told["live"]["prod:443"]["green_percent"] == 100.0
    assert told["deployment"]["routes"][0]["set"]["green_percent"] == 100.0


def test_watch_ends_when_the_deployment_ended(desk: Desk) -> None:
    desk.deploy()
    result = desk.type("status", "orders", "--watch")
    assert result.exit_code == 0
    assert "succeeded; traffic: prod:443: blue 0% / green 100%" in result.stdout


def test_watch_tells_only_changes(desk: Desk) -> None:
    started(desk)
    looks = 0

    def finish(when: str, name: str) -> None:
        nonlocal looks
        looks += when == "before" and name == "store.service"
        if looks == 4:
            desk.stage.on_call = lambda when, name: None
            desk.type("abort", "orders", "--wait")

    desk.stage.on_call = finish
    rows = desk.type("status", "orders", "--watch").stdout.splitlines()
    assert len(rows) == 2
    assert "pending" in rows[0]
    assert "rolled back" in rows[1]


def test_history_lists_what_happened(desk: Desk) -> None:
    desk.deploy()
    assert "Succeeded" in desk.type("history", "orders").stdout
    told = json.loads(desk.type("history", "orders", "-o", "json").stdout)
    assert [one["result"] for one in told] == ["succeeded"]


def test_history_of_an_unknown_service_names_the_store(desk: Desk) -> None:
    result = desk.type("history", "payments")
    assert result.exit_code == 0
    assert result.stdout.startswith("no deployment of payments is on record in sqlite:///")


def test_service_comes_from_the_configuration(desk: Desk) -> None:
    desk.deploy()
    assert "Succeeded" in desk.type("history", "-c", str(desk.config)).stdout
    assert desk.commands == ["deploy", "history"]


def half_way(desk: Desk) -> None:
    """Green launched and healthy with all traffic, blue warm."""

    def interrupt(when: str, name: str) -> None:
        if desk.stage.weights() == {"orders-2": 100}:
            desk.stage.on_call = lambda when, name: None
            raise KeyboardInterrupt

    desk.stage.clock.sleep(60)
    desk.stage.on_call = interrupt
    assert desk.deploy().exit_code == 130
    assert desk.stage.weights() == {"orders-2": 100}


def cut_store(desk: Desk) -> None:
    class Unreachable(MemoryStore):
        def service(self, name: str) -> ServiceState:
            raise StoreUnavailableError("the state store gives no answer", hint="check the network")

    desk.stage.faulty_store = Unreachable()
