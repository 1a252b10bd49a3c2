"""JUnit XML of a deployment: one suite for each hook point, and what each result becomes in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as Xml

from bluegreen.domain.deployment import Hold, HoldKind, HookRun, HookStatus, Phase, RollbackFacts
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.report.junit import junit
from tests.unit.report_samples import SPEC, T0, deployment

UNREACHED = 2
"""The sample's own hooks of the point, which none of these runs is."""


def a_run(name: str, status: HookStatus, point: HookPoint = HookPoint.TEST, **more: Any) -> HookRun:
    return HookRun(point, more.pop("step", 0), name, "http", status, T0, T0 + 1.5, **more)


def parsed(*runs: HookRun, **changes: Any) -> Xml.Element:
    return Xml.fromstring(junit(deployment(hooks=runs, **changes)))


def test_each_point_that_ran_is_a_suite_in_the_deployments_order() -> None:
    root = parsed(
        a_run("warm", HookStatus.PASSED, HookPoint.BEFORE_SHIFT),
        a_run("smoke", HookStatus.PASSED),
        a_run("check", HookStatus.PASSED, HookPoint.AFTER_STEP, step=1),
    )
    assert [suite.get("name") for suite in root] == ["orders.test", "orders.before_shift", "orders.after_step"]
    step = root[2].find("testcase")
    assert step is not None
    assert (step.get("name"), step.get("classname"), step.get("time")) == (
        "check (step 1)",
        "orders.after_step",
        "1.500",
    )


def test_no_is_a_failure_unavailable_an_error_and_what_was_not_reached_skipped() -> None:
    root = parsed(
        a_run("smoke", HookStatus.FAILED, detail="500, expected 200", output=("a", "b")),
        a_run("other", HookStatus.UNAVAILABLE, detail="no such host", attempts=4),
    )
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "500, expected 200"
    assert root.findtext(".//testcase[@name='smoke']/system-out") == "a\nb"
    assert root.find(".//testcase[@name='http /health']/skipped") is not None
    assert root.find(".//testcase[@name='other']//property[@name='attempts']") is not None


def test_numbers_are_properties_and_a_yes_says_its_detail() -> None:
    root = parsed(a_run("smoke", HookStatus.PASSED, detail="12 passed", numbers={"median_ms": 31.5}))
    assert root.findtext(".//testcase[@name='smoke']/system-out") == "12 passed"
    number = root.find(".//property[@name='median_ms']")
    assert number is not None
    assert number.get("value") == "31.5"


def test_output_that_xml_cannot_carry_is_still_a_document() -> None:
    root = parsed(a_run("smoke\x00", HookStatus.FAILED, detail="\x1b[31mred <&> \ud800 ]]>", output=("\x07 bell",)))
    assert "red <&>" in str(root.findtext(".//failure"))


def test_a_running_hook_is_no_result_yet_and_a_deployment_without_hooks_has_no_suite() -> None:
    running = parsed(a_run("smoke", HookStatus.RUNNING))
    assert running.find(".//testcase[@name='smoke']/skipped") is not None
    assert list(parsed()) == []


def test_a_hook_of_the_same_name_at_another_point_is_its_own() -> None:
    hooks = (HookSpec(HookPoint.BAKE, "smoke", "http"), *SPEC.hooks)
    root = parsed(a_run("smoke", HookStatus.PASSED), spec=replace(SPEC, hooks=hooks))
    assert [suite.get("name") for suite in root] == ["orders.test"]


def test_a_dry_run_that_failed_is_skipped_with_all_that_it_said() -> None:
    root = parsed(a_run("new", HookStatus.FAILED, detail="3 of 9 failed", output=("test_a: no",), dry_run=True))
    assert (root.get("failures"), root.get("skipped")) == ("0", str(1 + UNREACHED))
    case = root.find(".//testcase")
    assert case is not None
    assert "dry run" in (case.find("skipped").get("message") or "")  # type: ignore[union-attr]
    assert case.findtext("system-out") == "3 of 9 failed\ntest_a: no"


def test_a_dry_run_that_passed_is_a_pass_that_says_what_it_is() -> None:
    root = parsed(a_run("new", HookStatus.PASSED, detail="9 passed", dry_run=True))
    assert (root.get("failures"), root.get("skipped")) == ("0", str(UNREACHED))
    assert [p.get("value") for p in root.iter("property") if p.get("name") == "dry_run"] == ["true"]


def test_what_another_hooks_no_cancelled_is_skipped_and_says_so() -> None:
    root = parsed(
        a_run("bad", HookStatus.FAILED, detail="500"),
        a_run("slow", HookStatus.CANCELLED, detail="cancelled: bad decided"),
    )
    assert (root.get("failures"), root.get("skipped")) == ("1", str(1 + UNREACHED))
    assert "cancelled: bad decided" in [element.get("message") for element in root.iter("skipped")]


def test_a_hooks_links_are_properties_of_its_case() -> None:
    root = parsed(a_run("e2e", HookStatus.PASSED, links={"log": "https://logs/1?a=1&b=2"}))
    assert ("log", "https://logs/1?a=1&b=2") in [(p.get("name"), p.get("value")) for p in root.iter("property")]


FIRED = RollbackFacts("gate orders-5xx is firing: 12 > 5", "ci@build-7", T0 + 300, Phase.SHIFT)


def failed_cases(root: Xml.Element) -> list[tuple[str, str, str]]:
    wrong = [(case, case.find(tag)) for case in root.iter("testcase") for tag in ("failure", "error")]
    return [
        (case.get("classname", ""), case.get("name", ""), element.get("message", ""))
        for case, element in wrong
        if element is not None
    ]


def test_a_release_that_a_gate_rolled_back_has_a_failure_that_names_the_phase_and_the_reason() -> None:
    root = parsed(a_run("smoke", HookStatus.PASSED), phase=Phase.ROLLED_BACK, rollback=FIRED)
    assert failed_cases(root) == [("orders.deploy", "shift", "rolled back in shift: gate orders-5xx is firing: 12 > 5")]
    assert root.get("failures") == "1"


def test_a_rollback_in_launch_without_any_hook_is_no_empty_report() -> None:
    facts = replace(FIRED, reason="green is not healthy after 10 min", from_phase=Phase.LAUNCH)
    root = parsed(phase=Phase.ROLLBACK, rollback=facts)
    assert failed_cases(root) == [("orders.deploy", "launch", f"rolled back in launch: {facts.reason}")]


def test_a_hook_whose_no_rolled_the_release_back_is_the_only_failure() -> None:
    root = parsed(a_run("smoke", HookStatus.FAILED, detail="500"), phase=Phase.ROLLED_BACK, rollback=FIRED)
    assert failed_cases(root) == [("orders.test", "smoke", "500")]


def test_what_decides_nothing_explains_no_rollback() -> None:
    for run in (
        a_run("new", HookStatus.FAILED, dry_run=True),
        a_run("undo", HookStatus.FAILED, HookPoint.ON_ROLLBACK, detail="no"),
    ):
        root = parsed(run, phase=Phase.ROLLED_BACK, rollback=FIRED)
        assert ("orders.deploy", "shift", f"rolled back in shift: {FIRED.reason}") in failed_cases(root)


def test_a_deployment_that_holds_is_an_error() -> None:
    hold = Hold(HoldKind.DRIFT, "somebody changed the weights", T0 + 300)
    root = parsed(a_run("smoke", HookStatus.PASSED), phase=Phase.SHIFT, hold=hold)
    assert failed_cases(root) == [("orders.deploy", "shift", "holds in shift: somebody changed the weights")]
    assert root.get("errors") == "1"


def test_one_that_is_on_its_way_or_live_has_no_failure() -> None:
    for phase in (Phase.SHIFT, Phase.SUCCEEDED):
        assert failed_cases(parsed(a_run("smoke", HookStatus.PASSED), phase=phase)) == []
