"""Summaries, status, tables, facts and JSON, made from constructed deployments."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import cast

import pytest

from bluegreen.domain.deployment import GateRecord, HookRun, HookStatus, Phase
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation, SlotHealth
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Control, ControlRequest
from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split
from bluegreen.drivers.inquiry import Status
from bluegreen.drivers.rollback import Plan
from bluegreen.lifecycle.preflight import Problem
from bluegreen.report import data, facts, summary, tables
from bluegreen.report.phases import number
from bluegreen.report.places import slot_health
from bluegreen.report.status import status_lines
from bluegreen.report.text import clip, fold, line, plain, plain_text
from bluegreen.report.times import countdown, duration, iso, moment, span
from tests.unit import report_samples as samples
from tests.unit.report_samples import T0

SUCCEEDED = """\
LIVE: orders:42 (orders:v2) is live in orders-2: it has all traffic and passed
      its bake.
  launch         32s
  test          8.5s
  shift       5m 02s
  bake           30m
  teardown       41s
  total      36m 24s
  roll back  bluegreen rollback orders
             would redeploy orders:41: orders-1 is scaled in
  status     bluegreen status orders"""

ROLLED_BACK = """\
ROLLED BACK: orders:41 (orders:v1) is live in orders-1. orders:42 (orders:v2)
             was rolled back from shift: gate orders-5xx fired: 12 errors in 60
             s (limit 5)
  launch         32s
  test          8.5s
  shift          59s
  rollback        1m
  total       2m 40s
  why        bluegreen history orders"""

SAFE = """\
SAFE: all traffic is on blue (orders-1, orders:41) after 0.42 s
  rolled back    orders:42 (orders:v2), in phase shift: gate orders-5xx fired:
                 12 errors in 60 s (limit 5)
  goes on        orders-2 drains and is scaled in (now: the split settles before
                 green is touched)
  not reverted   what the release did outside: database migrations, messages,
                 files; task definition orders:42 stays registered, it runs
                 nowhere
  follow         bluegreen status orders --watch"""

AT_REST = """\
orders  orders:42 (orders:v2) is live in orders-2
  orders-20251121-092343-a1b2 succeeded at 2025-11-21 10:00:07 UTC

  prod:443 /api/orders/*  https://prod/api/orders/
    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒  orders-2: set 100%, live 100%

  idle  orders-1  scaled in, no tasks
  live  orders-2  4 of 4 targets healthy

  roll back  bluegreen rollback orders

  driver      none; the service is free
  known-good  orders:41 (orders:v1), baked 2025-11-20 11:10:23 UTC
  quarantine  orders:40 (orders:v0), rolled back 2025-11-20 08:23:43 UTC: hook
              smoke failed: 2 of 12 tests failed"""

HISTORY = """\
deployment                   release                started              took     result                    by
---------------------------  ---------------------  -------------------  -------  ------------------------  ----------
orders-20251121-092343-a1b2  orders:42 (orders:v2)  2025-11-21 09:23:43  1m 40s   Active (shift)            ci@build-7
orders-20251121-092343-a1b2  orders:42 (orders:v2)  2025-11-21 09:23:43  36m 24s  Succeeded                 ci@build-7
orders-20251121-092343-a1b2  orders:42 (orders:v2)  2025-11-21 09:23:43  2m 40s   Rolled back (from shift)  ci@build-7
    gate orders-5xx fired: 12 errors in 60 s (limit 5)"""

FLIP = """\
orders: flip: blue orders-1 is warm and takes all traffic
  1. prod:443: all traffic to blue orders-1 (orders:41)
  safe after  less than a second
  Dry run: nothing was changed.
  to do it    bluegreen rollback orders"""

DEPLOY_PLAN = """\
orders: a deploy would run the live task definition with app=registry/orders:v2
  launch    in the idle slot, at the live slot's size, without traffic
  test      http /health, smoke
  shift     green gets 5% for 5m, then 100%
  bake      for 30m with the live slot kept warm: until then a rollback is a
            flip
  teardown  the slot that is live now is scaled in
  Dry run: nothing was changed."""


def at_rest() -> Observation:
    slots = {"orders-1": SlotHealth(0, 0), "orders-2": SlotHealth(4, 4, {"healthy": 4})}
    return Observation(slots, {samples.ROUTE.name: ALL_GREEN})


def text_of_status(status: Status, now: float = T0 + 5000) -> str:
    return plain_text(status_lines("orders", status, now, 80))


def test_success_says_what_is_live_how_long_and_what_comes_next() -> None:
    assert plain_text(summary.deploy_summary(samples.succeeded(), T0 + 5000, 80)) == SUCCEEDED


def test_rolled_back_deploy_says_what_is_live_and_why() -> None:
    assert plain_text(summary.deploy_summary(samples.rolled_back(), T0 + 5000, 80)) == ROLLED_BACK


def test_a_dry_run_that_failed_is_told_at_the_end_although_it_decided_nothing() -> None:
    detail = "3 of 9 failed"
    run = HookRun(HookPoint.TEST, 0, "new", "pytest", HookStatus.FAILED, T0, T0 + 1, detail=detail, dry_run=True)
    text = plain_text(summary.deploy_summary(replace(samples.succeeded(), hooks=(run,)), T0 + 5000, 100))
    assert text.startswith("LIVE: ")
    assert "  dry run    new (test) failed, which decided nothing: 3 of 9 failed" in text


def test_unfinished_deploy_is_never_called_live() -> None:
    text = plain_text(summary.deploy_summary(samples.canary(), T0 + 100, 80, samples.seen()))
    assert text.startswith("UNFINISHED: deployment orders-20251121-092343-a1b2 stands in shift.")
    assert "LIVE" not in text
    assert "go on      bluegreen resume orders" in text


def test_rollback_summary_says_safe_what_goes_on_and_what_was_not_reverted() -> None:
    assert plain_text(summary.rollback_summary(samples.rolling_back(), T0 + 103, 80)) == SAFE


def test_rollback_that_is_not_verified_is_not_called_safe() -> None:
    text = plain_text(summary.rollback_summary(samples.rolling_back(safe=False), T0 + 103, 200))
    assert text.startswith("NOT SAFE YET: all traffic is on blue (orders-1, orders:41), but a late write")
    assert "blue is verified until no older write can follow; then orders-2 drains" in text


def test_rollback_before_the_write_says_that_traffic_is_not_back() -> None:
    turned = samples.rolling_back()
    assert turned.rollback is not None
    d = replace(turned, rollback=replace(turned.rollback, blue_at=None, safe_at=None))
    text = plain_text(summary.rollback_summary(d, T0 + 103, 200))
    assert text.startswith("NOT SAFE YET: traffic is not yet back on blue (orders-1, orders:41)")


@pytest.mark.parametrize(("value", "said"), [(15000.0, "15000"), (123.456, "123.5"), (6.17216, "6.172"), (0.0, "0")])
def test_a_number_is_short_and_a_count_is_never_in_powers_of_ten(value: float, said: str) -> None:
    assert number(value) == said


def test_a_time_that_was_set_is_told_as_it_was_written() -> None:
    assert [span(seconds) for seconds in (0.5, 5.0, 7.5, 90.0)] == ["0.50s", "5s", "7.5s", "1m 30s"]


def test_dry_run_of_a_flip_tells_class_writes_and_time() -> None:
    writes = ("prod:443: all traffic to blue orders-1 (orders:41)",)
    plan = Plan("flip", "flip: blue orders-1 is warm and takes all traffic", writes, 1.0)
    assert plain_text(summary.plan_lines("orders", plan, 80)) == FLIP


def test_dry_run_of_a_redeployment_tells_how_long_a_launch_takes() -> None:
    plan = Plan("redeployment", "redeployment of orders:41", ("orders:41 is launched",), 95.0)
    assert "safe after  about 1m 35s, the time the last launch took" in plain_text(summary.plan_lines("o", plan, 80))
    assert plain_text(summary.plan_lines("o", plan, 80, "orders:41")).endswith("bluegreen rollback o --to orders:41")
    unknown = replace(plan, seconds=None)
    assert "safe after  not known: no launch" in plain_text(summary.plan_lines("o", unknown, 80))


def test_dry_run_with_nothing_to_do_offers_no_command() -> None:
    plan = Plan("nothing", "deployment x was rolled back already")
    assert plain_text(summary.plan_lines("orders", plan, 80)) == "orders: deployment x was rolled back already"


def test_dry_run_of_a_deploy_tells_every_phase() -> None:
    what = summary.requested(samples.canary().request)
    assert plain_text(summary.deploy_plan_lines(samples.SPEC, what, 80)) == DEPLOY_PLAN


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ReleaseRequest(images={"": "r/o:2"}), "the live task definition with r/o:2"),
        (ReleaseRequest(task_definition="arn:aws:ecs:x:1:task-definition/orders:9"), "orders:9"),
        (ReleaseRequest(definition={"family": "orders"}), "a new revision of orders"),
        (ReleaseRequest(definition={"family": "o"}, images={"app": "i"}), "a new revision of o with app=i"),
    ],
)
def test_what_is_asked_for_is_one_phrase(request_: ReleaseRequest, said: str) -> None:
    assert summary.requested(request_) == said


def test_status_at_rest_shows_the_live_release_and_the_ledgers() -> None:
    assert text_of_status(Status(samples.state(), samples.succeeded(), at_rest())) == AT_REST


def test_status_after_a_rollback_shows_the_share_of_the_slot_that_is_live() -> None:
    text = text_of_status(Status(samples.state(), samples.rolled_back(), samples.seen(ALL_BLUE)))
    assert "orders-1: set 100%, live 100%" in text
    assert "live  orders-1  4 of 4 targets healthy" in text


def test_status_of_a_deployment_without_driver_says_how_to_take_it_over() -> None:
    state = samples.state(active="x", lease=samples.lease(expires_at=T0 + 50))
    text = text_of_status(Status(state, samples.canary(), samples.seen()), T0 + 100)
    assert "driver      none since 50s: ci@build-7 (pid 12, deploy) stopped" in text
    assert "take it over: bluegreen resume orders" in text


def test_status_names_the_lease_holder() -> None:
    state = samples.state(active="x", lease=samples.lease())
    text = text_of_status(Status(state, samples.canary(), samples.seen()), T0 + 100)
    assert "driver      ci@build-7 (pid 12, deploy), for 1m 40s" in text


def test_status_marks_what_was_good_once_and_cuts_a_reason_that_would_fill_the_screen() -> None:
    state = samples.state()
    (good, *_), (bad, *_) = state.known_good, state.quarantine
    long = replace(bad, release=good.release, reason="hook smoke failed: " + "a traceback, " * 100)
    text = " ".join(text_of_status(Status(replace(state, quarantine=(long,)), None, Observation())).split())
    assert f"{good.release.label}, baked" in text
    assert "now in quarantine" in text
    assert text.count("a traceback") < 12
    assert " …" in text


def test_status_says_that_a_lease_holder_is_gone_before_its_lease_ends() -> None:
    state = samples.state(active="x", lease=samples.lease())
    status = Status(state, samples.canary(), samples.seen(), gone=True)
    text = text_of_status(status, T0 + 100)
    assert "driver      none: ci@build-7 (pid 12, deploy) is gone" in text
    assert "take it over: bluegreen resume orders" in text
    assert json.loads(json.dumps(data.status_data("orders", status, T0 + 100)))["lease"]["alive"] is False


def test_status_warns_when_the_weights_were_changed_after_the_deployment() -> None:
    seen = replace(at_rest(), live={samples.ROUTE.name: Split(50, 50)})
    text = " ".join(text_of_status(Status(samples.state(), samples.succeeded(), seen)).split())
    assert "warning someone changed prod:443 /api/orders/* since: live is blue 50% / green 50%" in text


def test_status_tells_what_could_not_be_read_and_a_wish_not_yet_obeyed() -> None:
    wish = ControlRequest(Control.PAUSE, "ada@laptop", T0 + 90)
    state = samples.state(active="x", lease=samples.lease(), control=wish)
    text = text_of_status(Status(state, samples.canary(), Observation(), ("orders-1: access denied",)), T0 + 100)
    assert "not read    orders-1: access denied" in text
    assert "asked       pause, by ada@laptop 10s ago; not yet obeyed" in text


def test_status_of_an_unknown_service_asks_for_the_store() -> None:
    text = text_of_status(Status(samples.state(known_good=(), quarantine=()), None, Observation()))
    assert text.startswith("orders  no deployment is on record in this store\n  is it the right store? --store URL")


def test_status_fits_the_terminal() -> None:
    for d in (samples.canary(), samples.held(), samples.succeeded(), None):
        lines = status_lines("orders", Status(samples.state(), d, samples.seen()), T0 + 100, 60, 20)
        assert len(lines) <= 20
        assert max(len(plain(styled)) for styled in lines) <= 60


def test_ledger_shows_three_entries_and_counts_the_rest() -> None:
    good = samples.state().known_good * 5
    text = text_of_status(Status(samples.state(known_good=good), samples.succeeded(), at_rest()))
    assert text.count("baked") == 3
    assert "and 2 more" in text


def test_history_is_one_table_with_the_reason_below_each_line_that_needs_one() -> None:
    deployments = [samples.canary(), samples.succeeded(), samples.rolled_back()]
    assert tables.history_table(deployments, T0 + 100, 120) == HISTORY


def test_problems_are_one_table_with_their_ways_out() -> None:
    problems = [Problem("refuse", "prod:443", "no weight at all", "set it"), Problem("warn", "gate g", "fires", "wait")]
    table = tables.problem_table(problems, 100).splitlines()
    assert table[0].split() == ["where", "what", "way", "out"]
    assert table[2].split("  ")[0] == "refused"
    assert table[3].startswith("warning")


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (None, "not looked at yet"),
        (SlotHealth(0, 0), "scaled in, no tasks"),
        (SlotHealth(4, 4, {"healthy": 4}), "4 of 4 targets healthy"),
        (SlotHealth(4, 2, {"healthy": 1, "initial": 1}), "1 of 4 targets healthy, 1 initial; 2 of 4 tasks running"),
        (SlotHealth(0, 2, {"draining": 2}), "scaling in, 2 draining; 2 of 0 tasks running"),
    ],
)
def test_slot_health_in_words(health: SlotHealth | None, said: str) -> None:
    assert plain(slot_health(health)) == said


def test_fact_is_one_line_even_when_its_message_is_not() -> None:
    event = Event(T0, "d", "orders", Phase.TEST, Kind.WARNING, "first\nsecond")
    assert plain(facts.event_line(event)) == "2025-11-21T09:23:43Z warning: first / second"


def test_hold_fact_names_the_way_out() -> None:
    event = Event(T0, "d", "o", Phase.SHIFT, Kind.HOLD, "held: drift", {"way_out": "bluegreen resume o"})
    assert plain(facts.event_line(event)) == "2025-11-21T09:23:43Z held: drift; way out: bluegreen resume o"


def test_heartbeat_says_what_it_waits_for_and_where_the_traffic_is() -> None:
    assert plain(facts.heartbeat_line(samples.canary(), samples.seen(), T0 + 100)) == (
        "2025-11-21T09:25:23Z still in shift after 59s: canary at 5% under watch, 4m 02s left; "
        "traffic: prod:443 /api/orders/*: blue 95% / green 5%; green: 4 of 4 targets healthy"
    )


def test_every_deployment_is_json_with_the_same_keys() -> None:
    made = [samples.deployment(), samples.held(), samples.succeeded(), samples.rolled_back()]
    all_data = [data.deployment_data(d, samples.seen(), now=T0 + 5000) for d in made]
    assert len({tuple(json.loads(json.dumps(one))) for one in all_data}) == 1
    assert [one["result"] for one in all_data] == ["active", "held", "succeeded", "rolled_back"]


def test_status_and_history_are_json() -> None:
    status = Status(samples.state(active="x", lease=samples.lease()), samples.canary(), samples.seen())
    told = json.loads(json.dumps(data.status_data("orders", status, T0 + 100)))
    assert told["lease"]["alive"] is True
    assert told["live"] == {"prod:443 /api/orders/*": {"blue": 95, "green": 5, "green_percent": 5.0}}
    assert told["known_good"][0]["release"]["id"] == "orders:41"
    assert json.loads(json.dumps(data.history_data([samples.succeeded()], T0)))[0]["seconds"] == 2184


@dataclass
class Times:
    seconds: float
    told: str
    counted: str


@pytest.mark.parametrize(
    "case",
    [
        Times(-3, "0s", "0s"),
        Times(0.004, "0.01s", "1s"),
        Times(0.42, "0.42s", "1s"),
        Times(0.999, "1.0s", "1s"),
        Times(3.21, "3.2s", "4s"),
        Times(9.96, "10s", "10s"),
        Times(59.6, "1m", "1m"),
        Times(80, "1m 20s", "1m 20s"),
        Times(3599.7, "1h", "1h"),
        Times(7500, "2h 05m", "2h 05m"),
        Times(90_000, "1d 1h", "1d 1h"),
    ],
)
def test_durations_read_as_people_say_them(case: Times) -> None:
    assert duration(case.seconds) == case.told
    assert countdown(case.seconds) == case.counted


def test_times_are_utc() -> None:
    assert moment(T0) == "2025-11-21 09:23:43 UTC"
    assert iso(T0 + 0.12) == "2025-11-21T09:23:43.120Z"


def test_folding_breaks_words_that_are_wider_than_the_column() -> None:
    assert fold("a verylongword b", 6) == ["a", "verylo", "ngword", "b"]
    assert fold("", 6) == [""]


def test_clipping_marks_the_cut() -> None:
    assert plain(clip(line("prod:443", " ", "rest"), 8)) == "prod:44…"
    assert plain(clip(line("short"), 8)) == "short"


def test_the_verdict_stands_in_the_last_words_and_in_the_json() -> None:
    gate = GateRecord("versus", "ok", "errors: green is not worse", T0 + 90, numbers={"intervals": 9.0})
    d = replace(samples.succeeded(), gates=(gate, GateRecord("alarm", "ok", "is OK")))
    said = plain_text(summary.deploy_summary(d, T0 + 5000, 100))
    assert "  versus     errors: green is not worse" in said
    assert "is OK" not in said
    assert "errors: green is not worse" in text_of_status(Status(samples.state(), d, at_rest()))
    (watched, _) = cast(list[dict[str, object]], data.deployment_data(d, now=T0 + 5000)["watched"])
    assert watched == {
        "name": "versus",
        "state": "ok",
        "detail": "errors: green is not worse",
        "measured_at": iso(T0 + 90),
        "accepted": False,
        "numbers": {"intervals": 9.0},
    }
