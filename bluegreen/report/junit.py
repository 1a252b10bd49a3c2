"""A deployment's hooks as JUnit XML: one suite for each hook point, for CodeBuild's report groups and any CI.

Failed is a failure, could not be asked an error. Skipped are: what was never reached within a point that began, what
was cancelled because another hook had decided, and a dry run that failed, with what it said. A deployment that turned
back, holds or was left where it stood, though no hook said no, is one more case that failed: no CI takes it for green.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as Xml

from bluegreen.domain.deployment import Deployment, HookRun, HookStatus
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.report.phases import number
from bluegreen.report.times import iso

_WRONG = {HookStatus.FAILED: "failure", HookStatus.UNAVAILABLE: "error"}
# XML 1.0 has no place for these, not even escaped.
_IMPOSSIBLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(deployment: Deployment, ended: str = "") -> bytes:
    """A whole document. ``ended``: why the command ended, when that was no success."""
    root = Xml.Element("testsuites", name=_clean(f"{deployment.service} {deployment.id}"))
    for point in HookPoint:
        runs = [run for run in deployment.hooks if run.point is point]
        if runs:
            root.append(_suite(deployment, point, runs))
    if not any(map(_decided, deployment.hooks)) and (outcome := _outcome(deployment, ended)):
        root.append(outcome)
    _count(root, root.findall("testsuite"))
    return _written(root)


def junit_of_nothing(service: str, why: str) -> bytes:
    """Where no deployment came to be: one error, for a CI takes a missing or an empty file for a fault of its own."""
    root = Xml.Element("testsuites", name=_clean(service))
    root.append(_suite_of_one(service, "deploy", "error", "refused", why))
    _count(root, root.findall("testsuite"))
    return _written(root)


# Private


def _written(root: Xml.Element) -> bytes:
    Xml.indent(root)
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _decided(run: HookRun) -> bool:
    return run.status in _WRONG and not run.dry_run and run.point not in (HookPoint.ON_ROLLBACK, HookPoint.ON_SUCCESS)


def _outcome(d: Deployment, ended: str) -> Xml.Element | None:
    """None for one that is live, and for one that is still on its way."""
    if d.rollback:
        phase = d.rollback.from_phase
        return _suite_of_one(d.service, phase, "failure", "rollback", f"rolled back in {phase}: {d.rollback.reason}")
    if d.hold:
        return _suite_of_one(d.service, d.phase, "error", "hold", f"holds in {d.phase}: {d.hold.reason}")
    if ended and not d.phase.final:
        return _suite_of_one(d.service, d.phase, "error", "ended", f"left in {d.phase}: {ended}")
    return None


def _suite_of_one(service: str, name: str, tag: str, kind: str, why: str) -> Xml.Element:
    suite = Xml.Element("testsuite", name=_clean(f"{service}.deploy"))
    case = Xml.SubElement(suite, "testcase", name=name, classname=_clean(f"{service}.deploy"), time="0")
    Xml.SubElement(case, tag, message=_clean(why.splitlines()[0]), type=kind).text = _clean(why)
    _count(suite, [suite])
    return suite


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
    properties = _properties(run)
    if properties:
        holder = Xml.SubElement(case, "properties")
        for name, value in properties.items():
            Xml.SubElement(holder, "property", name=_clean(name), value=_clean(value))
    said = list(run.output)
    if skipped := _why_skipped(run):
        Xml.SubElement(case, "skipped", message=_clean(skipped))
    if run.status in _WRONG and not skipped:
        Xml.SubElement(case, _WRONG[run.status], message=detail, type=run.kind).text = detail
    else:
        said.insert(0, run.detail)
    if text := "\n".join(said).strip():
        Xml.SubElement(case, "system-out").text = _clean(text)
    return case


def _why_skipped(run: HookRun) -> str:
    """Empty when its verdict counts."""
    if run.status is HookStatus.RUNNING:
        return "it is still running"
    if run.status is HookStatus.CANCELLED:
        return run.detail
    if run.dry_run and run.status in _WRONG:
        return f"dry run, decides nothing: {'failed' if run.status is HookStatus.FAILED else 'could not be asked'}"
    return ""


def _properties(run: HookRun) -> dict[str, str]:
    numbers = {name: number(value) for name, value in run.numbers.items()}
    attempts = {"attempts": str(run.attempts)} if numbers or run.attempts > 1 else {}
    return {**numbers, **attempts, **run.links, **({"dry_run": "true"} if run.dry_run else {})}


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
