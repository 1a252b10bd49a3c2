"""The numbers and links that a hook gives: where each kind takes them from, and that no secret goes with them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bluegreen.hooks.base import Failed, Passed
from bluegreen.hooks.words import findings
from tests.contract.hook_kit import PLANTED, ask, call, hook, passed
from tests.contract.test_hook_remote_kinds import WORLDS, _codebuild, _stepfunctions, pending, told


@pytest.mark.parametrize(
    ("line", "numbers", "links"),
    [
        ("::bluegreen p99_ms=31.5", {"p99_ms": 31.5}, {}),
        ("::bluegreen report = https://reports/1?a=b", {}, {"report": "https://reports/1?a=b"}),
        ("::bluegreen n=nan", {}, {}),
        ("::bluegreen n=", {}, {}),
        ("::bluegreen =1", {}, {}),
        ("::bluegreen script=javascript:alert(1)", {}, {}),
        ("p99_ms=31.5", {}, {}),
    ],
)
def test_a_line_of_output_hands_over_a_number_or_a_url(
    line: str, numbers: dict[str, float], links: dict[str, str]
) -> None:
    found = findings([line])
    assert (found.numbers, found.links) == (numbers, links)


@pytest.mark.parametrize("code", [0, 1])
def test_a_command_gives_numbers_and_links_whether_it_passes_or_fails(tmp_path: Path, code: int) -> None:
    script = f"""
print("42 orders were read")
print("::bluegreen orders=42")
print("::bluegreen report=https://reports.example/1?token={PLANTED}")
raise SystemExit({code})
"""
    verdict = ask(hook("command", {"run": [sys.executable, "-c", script]}, tmp_path), call())
    assert isinstance(verdict, Failed if code else Passed)
    assert verdict.numbers["orders"] == 42.0
    assert verdict.links["report"].startswith("https://reports.example/1?token=")
    assert PLANTED not in repr(verdict)
    said = verdict.reason if isinstance(verdict, Failed) else verdict.detail
    assert "42 orders were read" in said
    assert "::bluegreen" not in said


def test_a_callable_s_urls_are_links(tmp_path: Path) -> None:
    answer = {"detail": "fine", "orders": 7, "dashboard": "https://dashboards/1", "who": "ada"}
    text = f"def check(call):\n    return {answer!r}\n"
    (tmp_path / "checks.py").write_text(text)
    verdict = passed(ask(hook("python", {"call": "checks.py:check"}, tmp_path), call()))
    assert verdict.links == {"dashboard": "https://dashboards/1"}
    assert verdict.numbers["orders"] == 7.0
    assert verdict.detail == "fine, orders=7, who=ada"


def test_a_callable_s_number_that_no_float_can_hold_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def check(call):\n    return {'huge': 10**400, 'orders': 7}\n")
    numbers = passed(ask(hook("python", {"call": "checks.py:check"}, tmp_path), call())).numbers
    assert set(numbers) == {"seconds", "orders"}


def test_the_report_of_pytest_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "test_smoke.py").write_text("def test_it():\n    pass\n")
    verdict = passed(ask(hook("pytest", {"path": "test_smoke.py", "junit": "out/smoke.xml"}, tmp_path), call()))
    assert verdict.links == {"report": (tmp_path / "out" / "smoke.xml").as_uri()}
    assert (tmp_path / "out" / "smoke.xml").exists()


def test_a_builds_log_is_a_link_while_it_runs_and_at_its_end() -> None:
    world = _codebuild()
    driver = world.driver()
    first = pending(driver.start(told()))
    assert pending(driver.poll(first.handle)).links == {"log": "https://console.example/orders-e2e:1"}
    world.end("fails")
    verdict = world.wait(driver, first)
    assert verdict.links == {"log": "https://console.example/orders-e2e:1"}
    assert "https://" not in repr(verdict.reason if isinstance(verdict, Failed) else verdict.detail)


def test_an_execution_is_a_link_from_its_start_and_what_it_answers_adds_more() -> None:
    world = _stepfunctions()
    driver = world.driver()
    first = pending(driver.start(told()))
    assert "states/home" in first.links["execution"]
    world.aws.stepfunctions.end("SUCCEEDED", output='{"report": "https://reports/7", "orders": 7, "who": "ada"}')
    verdict = passed(world.wait(driver, first))
    assert verdict.links["report"] == "https://reports/7"
    assert set(verdict.links) == {"report", "execution"}


def test_only_an_approval_asks_a_person() -> None:
    asks = {make().kind: pending(make().driver().start(told())).asks for make in WORLDS}
    assert asks == {"stepfunctions": False, "codebuild": False, "lambda": False, "approval": True}
