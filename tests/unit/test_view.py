"""The on-call's screen, compared with text that was read as a stranger would read it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bluegreen.domain.deployment import Deployment, GateRecord, Hold, HoldKind, HookRun, HookStatus, Phase, Waiting
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.health import Observation
from bluegreen.domain.spec import HookPoint, HookSpec, ShiftStep
from bluegreen.domain.split import ALL_BLUE, Split
from bluegreen.report.places import bar
from bluegreen.report.text import ASCII, UNICODE, Line, plain, plain_text
from bluegreen.report.view import Frame, view
from tests.unit import report_samples as samples
from tests.unit.report_samples import T0

CANARY = """\
orders  orders:42 (orders:v2)  shift  1m 40s
orders-20251121-092343-a1b2 by ci@build-7 (pid 12, deploy): faster basket

  ✔ launch         32s  orders:42 in orders-2
  ✔ test          8.5s  2 of 2 tests passed through prod:8080
      ✔ test http /health  1.2s  200 in 31 ms
      ✔ test smoke  6.8s  12 passed
  ▸ shift          59s  step 1 of 2: 5% (5% for 5m, then 100%)
  · bake                for 30m; orders-1 stays warm
  · teardown            scale in orders-1

  prod:443 /api/orders/*  https://prod/api/orders/
    ██████████████████████████████████████▒▒  green: set 5%, live 5%

  blue  orders-1  4 of 4 targets healthy
  green orders-2  4 of 4 targets healthy
  gates  orders-5xx ok

  09:24:25  traffic: blue 95% / green 5% on prod:443 /api/orders/*

  waiting  canary at 5% under watch; 4m 02s left (until 09:29:25 UTC)

  roll back  bluegreen rollback orders
  pause      bluegreen pause orders"""

HELD_NARROW = """\
orders  orders:42 (orders:v2)  HELD in shift  2m 40s
orders-20251121-092343-a1b2 by ci@build-7 (pid 12, deploy):…
  ‖ shift       1m 59s  step 1 of 2: 5% (5% for 5m, then 10…
  · bake                for 30m; orders-1 stays warm
  · teardown            scale in orders-1
  green: set 5%, live 50%  prod:443 /api/orders/*  https://…
  blue  orders-1  4 of 4 targets healthy
  green orders-2  4 of 4 targets healthy
  gates  orders-5xx ok
  HELD     for 1m (drift): someone else changed the weights
           of prod:443 /api/orders/*: live is blue 50% /
           green 50%, this deployment wrote blue 95% / green
           5%
  traffic  stays as it is: prod:443 /api/orders/*: blue 50%
           / green 50%
  way out  bluegreen resume orders --accept-live (go on from
           the live weights)
           bluegreen resume orders --reassert (write ours
           again)
           bluegreen rollback orders
  else     undecided by 2025-11-22 09:25:23 UTC, it is
           rolled back
  roll back  bluegreen rollback orders"""

ROLLBACK = """\
orders  orders:42 (orders:v2)  rollback  1m 43s
orders-20251121-092343-a1b2 by ci@build-7 (pid 12, deploy): faster basket

SAFE: all traffic is on blue (orders-1, orders:41) after 0.42 s

  ✔ launch         32s  orders:42 in orders-2
  ✔ test          8.5s  2 of 2 tests passed through prod:8080
      ✔ test http /health  1.2s  200 in 31 ms
      ✔ test smoke  6.8s  12 passed
  ✘ shift          59s  5% for 5m, then 100%
  ▸ rollback      3.0s  gate orders-5xx fired: 12 errors in 60 s (limit 5)

  prod:443 /api/orders/*  https://prod/api/orders/
    ████████████████████████████████████████  green: set 0%, live 0%

  blue  orders-1  4 of 4 targets healthy
  green orders-2  4 of 4 targets healthy
  gates  orders-5xx ok

  waiting  the split settles before green is touched; 7s left (until 09:25:33
           UTC)

  follow     bluegreen status orders --watch"""


def shifted() -> Event:
    message = "traffic: blue 95% / green 5% on prod:443 /api/orders/*"
    return Event(T0 + 42, "d", "orders", Phase.SHIFT, Kind.SPLIT, message)


def drawn(d: Deployment, seen: Observation, now: float, width: int = 100, height: int | None = None) -> list[str]:
    return [plain(styled) for styled in view(Frame(d, seen, now), width, height)]


def test_canary_shows_phases_split_health_wait_and_what_to_type() -> None:
    frame = Frame(samples.canary(), samples.seen(), T0 + 100, (shifted(),))
    assert plain_text(view(frame, 100)) == CANARY


def test_drift_on_a_narrow_short_terminal_keeps_the_reason_the_traffic_and_every_way_out() -> None:
    assert "\n".join(drawn(samples.held(), samples.seen(Split(50, 50)), T0 + 160, 60, 24)) == HELD_NARROW


def test_rollback_says_safe_first_and_marks_the_phase_that_failed() -> None:
    assert "\n".join(drawn(samples.rolling_back(), samples.seen(ALL_BLUE), T0 + 103, 80)) == ROLLBACK


def every_sample() -> list[tuple[Deployment, Observation]]:
    whole = [samples.deployment(), samples.canary(), samples.held(), samples.succeeded(), samples.rolled_back()]
    turning = [samples.rolling_back(), samples.rolling_back(safe=False)]
    return [(d, seen) for d in whole + turning for seen in (samples.seen(), Observation())]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [4, 10, 14, 24, 50])
def test_no_size_of_terminal_is_overrun_and_the_commands_stay(width: int, height: int) -> None:
    for d, seen in every_sample():
        lines = drawn(d, seen, T0 + 3000, width, height)
        assert len(lines) <= height
        assert max(len(text) for text in lines) <= width
        if width >= 60:
            assert any(text.lstrip().startswith(("roll back ", "follow ", "why ")) for text in lines)


def test_the_current_wait_and_traffic_stay_when_rows_are_few() -> None:
    lines = "\n".join(drawn(samples.canary(), samples.seen(), T0 + 100, 80, 12))
    assert "green: set 5%, live 5%" in lines
    assert "4m 02s left" in lines
    assert "✔ launch" not in lines


def test_live_weight_that_differs_from_the_set_one_is_marked() -> None:
    routes = view(Frame(samples.canary(), samples.seen(Split(80, 20)), T0 + 100), 100)
    assert [span.style for styled in routes for span in styled if span.text == "20%"] == ["warn"]


def test_route_that_was_not_read_back_says_so() -> None:
    assert "green: set 5%, live not read" in "\n".join(drawn(samples.canary(), Observation(), T0 + 100))


@pytest.mark.parametrize(
    ("split", "shown"),
    [
        (Split(1000, 0), "██████████"),
        (Split(999, 1), "█████████▒"),
        (Split(1, 999), "█▒▒▒▒▒▒▒▒▒"),
        (Split(50, 50), "█████▒▒▒▒▒"),
        (Split(0, 1), "▒▒▒▒▒▒▒▒▒▒"),
        (Split(0, 0), "··········"),
        (None, "··········"),
    ],
)
def test_a_side_with_any_weight_has_a_cell_and_one_without_has_none(split: Split | None, shown: str) -> None:
    assert plain(bar(split, 10, UNICODE)) == shown


def test_failed_and_unavailable_hooks_show_their_reason() -> None:
    runs = (
        HookRun(
            HookPoint.TEST, 0, "smoke", "pytest", HookStatus.FAILED, T0, T0 + 3, attempts=2, detail="1 of 12 failed"
        ),
        HookRun(HookPoint.AFTER_STEP, 1, "chat", "http", HookStatus.UNAVAILABLE, T0, T0 + 1, detail="no answer"),
    )
    text = "\n".join(drawn(replace(samples.canary(), hooks=runs), samples.seen(), T0 + 100))
    assert "✘ test smoke (attempt 2)  3.0s  1 of 12 failed" in text
    assert "✘ after_step 2 chat  1.0s  could not be asked: no answer" in text


def test_numbers_links_and_dry_runs_of_hooks_are_shown() -> None:
    run = HookRun(HookPoint.TEST, 0, "load", "load", HookStatus.FAILED, T0, T0 + 3, detail="p99 is 1.9 s", dry_run=True)
    run = replace(run, numbers={"p99_ms": 1900.4, "seconds": 3.0}, links={"report": "https://reports/7"})
    lines = drawn(replace(samples.canary(), hooks=(run,)), samples.seen(), T0 + 100)
    at = lines.index("      ✘ test load (dry run: decides nothing)  3.0s  p99 is 1.9 s (p99_ms 1900)")
    assert lines[at + 1] == "        report: https://reports/7"


def test_a_hook_that_was_cancelled_is_no_failed_one() -> None:
    run = HookRun(HookPoint.TEST, 0, "slow", "http", HookStatus.CANCELLED, T0, T0 + 3, detail="cancelled: bad decided")
    text = "\n".join(drawn(replace(samples.canary(), hooks=(run,)), samples.seen(), T0 + 100))
    assert "· test slow  3.0s  cancelled: bad decided" in text


def test_a_question_to_a_person_comes_with_the_two_answers() -> None:
    run = HookRun(HookPoint.BEFORE_SHIFT, 0, "notes", "approval", HookStatus.RUNNING, T0 + 90, asks=True)
    lines = drawn(replace(samples.canary(), hooks=(run,)), samples.seen(), T0 + 100)
    assert "  yes        bluegreen approve orders" in lines
    assert "  no         bluegreen reject orders" in lines


def test_a_question_to_a_person_is_shown_to_those_who_look_from_elsewhere() -> None:
    spec = HookSpec(HookPoint.BEFORE_SHIFT, "notes", "approval", {"message": "Support told?"})
    run = HookRun(HookPoint.BEFORE_SHIFT, 0, "notes", "approval", HookStatus.RUNNING, T0 + 90, asks=True)
    d = samples.canary()
    asked = replace(d, hooks=(run,), spec=replace(d.spec, hooks=(*d.spec.hooks, spec)))
    assert any(row.endswith("before_shift notes  10s  Support told?") for row in drawn(asked, samples.seen(), T0 + 100))


def test_pause_is_called_a_pause_and_names_resume() -> None:
    hold = Hold(HoldKind.PAUSE, "paused", T0 + 90, "bluegreen resume orders, or bluegreen rollback orders")
    lines = drawn(replace(samples.canary(), paused=True, hold=hold, waiting=None), samples.seen(), T0 + 100)
    assert lines[0] == "orders  orders:42 (orders:v2)  paused in shift  1m 40s"
    assert "  HELD     for 10s: paused" in lines
    assert "  way out  bluegreen resume orders" in lines


def test_requested_pause_is_told_before_it_takes_effect() -> None:
    text = "\n".join(drawn(replace(samples.canary(), paused=True), samples.seen(), T0 + 100))
    assert "pausing  as asked; it stops at its next step. Traffic: prod:443 /api/orders/*: blue 95% / green 5%" in text


def test_bake_counts_down() -> None:
    spans = samples.spans(Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE)
    d = replace(samples.canary(), phase=Phase.BAKE, spans=spans, bake_until=T0 + 900, waiting=None)
    assert "  ▸ bake        2m 37s  ends in 6m 40s; orders-1 stays warm" in drawn(d, samples.seen(), T0 + 500)


def test_ascii_glyphs_need_no_unicode() -> None:
    lines: list[Line] = view(Frame(samples.canary(), samples.seen(), T0 + 100, glyphs=ASCII), 60, 24)
    plain_text(lines).encode("ascii")


def test_wait_without_an_end_shows_no_countdown() -> None:
    d = samples.deployment(waiting=Waiting("green orders-2 has 1 of 4 required healthy targets"))
    assert "  waiting  green orders-2 has 1 of 4 required healthy targets" in drawn(d, samples.seen(), T0 + 20)


WORSE = GateRecord(
    "versus",
    "not_yet",
    "errors: green 1.2%, blue 1%: neither is shown yet; not yet: needs about 1,200 more requests on green, about 3 min",
    numbers={"intervals": 4.0},
)


def test_gates_show_their_word_and_those_that_are_not_quiet_their_numbers() -> None:
    quiet = GateRecord("orders-5xx", "ok", "is OK")
    loud = GateRecord("rate", "inconclusive", "is 3, neither good nor bad")
    d = replace(samples.canary(), gates=(quiet, replace(loud, accepted=True), WORSE))
    text = "\n".join(drawn(d, replace(samples.seen(), gates={"versus": "not_yet"}), T0 + 100))
    assert "gates  orders-5xx ok rate inconclusive versus not yet" in text
    assert "is OK" not in text
    assert "rate  is 3, neither good nor bad; accepted by a person" in text
    assert "needs about 1,200 more requests on green" in " ".join(text.split())


def test_what_a_driver_noted_of_its_gates_is_shown_where_nobody_looks_at_them() -> None:
    d = replace(samples.canary(), gates=(WORSE,))
    assert any("gates  versus not yet" in row for row in drawn(d, Observation(), T0 + 100))


def test_a_canary_until_its_verdict_says_so() -> None:
    spec = replace(samples.SPEC, shift=(ShiftStep(5, 60, at_most=1800), ShiftStep(100, 0)))
    text = "\n".join(drawn(replace(samples.canary(), spec=spec), samples.seen(), T0 + 100))
    assert "5% until the verdict (1m to 30m), then 100%" in text
