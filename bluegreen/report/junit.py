"""A deployment's hooks as JUnit XML: one suite for each hook point, for CodeBuild's report groups and any CI.

Failed is a failure, could not be asked an error, and what was never reached within a point that began is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as Xml

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.report.times import iso

_WRONG = {HookStatus.FAILED: "failure", HookStatus.UNAVAILABLE: "error"}
# XML 1.0 has no place for these, not even escaped.
_IMPOSSIBLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(deployment: Deployment) -> bytes:
    """A whole document. Empty of suites when no hook ran."""
    root = Xml.Element("testsuites", name=_clean(f"{deployment.service} {deployment.id}"))
    for point in HookPoint:
        runs = [run for run in deployment.hooks if run.point is point]
        if runs:
            root.append(_suite(deployment, point, runs))
    _count(root, root.findall("testsuite"))
    Xml.indent(root)
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


# Private


def _suite(deployment: Deployment, point: HookPoint, runs: list[HookRun]) -> Xml.Element:
    ran = {run.name for run in runs}
    missing = [spec for spec in deployment.spec.hooks if spec.point is point and spec.name not in ran]
    suite = Xml.Element("testsuite", name=f"{deployment.service}.{point}", timestamp=iso(runs[0].started_at)[:19])
    properties = Xml.SubElement(suite, "properties")
    release = deployment.release.label if deployment.release else ""
    for name, value in (("deployment", deployment.id), ("release", release), ("result", deployment.phase.value)):
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    suite.extend(_case(deployment, run) for run in sorted(runs, key=lambda run: run.started_at))
    suite.extend(_skipped(deployment, spec) for spec in missing)
    _count(suite, [suite])
    return suite


def _case(deployment: Deployment, run: HookRun) -> Xml.Element:
    took = max(0.0, (run.ended_at or run.started_at) - run.started_at)
    step = f" (step {run.step})" if run.point is HookPoint.AFTER_STEP else ""
    case = _named(deployment, run.point, f"{run.name}{step}", f"{took:.3f}")
    detail = _clean(run.detail)
    if run.numbers or run.attempts > 1:
        properties = Xml.SubElement(case, "properties")
        for name, value in {**run.numbers, "attempts": float(run.attempts)}.items():
            Xml.SubElement(properties, "property", name=_clean(name), value=f"{value:g}")
    said = list(run.output)
    if run.status in _WRONG:
        Xml.SubElement(case, _WRONG[run.status], message=detail, type=run.kind).text = detail
    elif run.status is HookStatus.RUNNING:
        Xml.SubElement(case, "skipped", message="it is still running")
    else:
        said.insert(0, run.detail)
    if said:
        Xml.SubElement(case, "system-out").text = _clean("\n".join(said))
    return case


def _skipped(deployment: Deployment, spec: HookSpec) -> Xml.Element:
    case = _named(deployment, spec.point, spec.name, "0")
    Xml.SubElement(case, "skipped", message="it was not reached")
    return case


def _named(deployment: Deployment, point: HookPoint, name: str, seconds: str) -> Xml.Element:
    return Xml.Element("testcase", name=_clean(name), classname=f"{deployment.service}.{point}", time=seconds)


def _count(element: Xml.Element, suites: Iterable[Xml.Element]) -> None:
    cases = [case for suite in suites for case in suite.findall("testcase")]
    element.set("tests", str(len(cases)))
    for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(plural, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")


def _clean(text: str) -> str:
    return _IMPOSSIBLE.sub("�", text)
