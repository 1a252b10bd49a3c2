"""JUnit XML of a deployment: one suite for each hook point, and what each result becomes in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as Xml

from bluegreen.domain.deployment import HookRun, HookStatus
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.report.junit import junit
from tests.unit.report_samples import SPEC, T0, deployment


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
