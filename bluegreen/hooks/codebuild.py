"""``codebuild``: a build of a project, started once and followed to its end, with the link to its log.

CodeBuild's own idempotency token holds for five minutes; after that the build is found by the name of its run, which
it carries in its environment as ``BLUEGREEN_RUN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Failed, HookCall, Verdict
from bluegreen.hooks.remote import RemoteHook, Started, passed_in, run_name
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import call_environment, took

if TYPE_CHECKING:
    from bluegreen.hooks.settings_remote import CodeBuildSettings

_RUN = "BLUEGREEN_RUN"
_LOOKED_AT = 50
_USABLE = ("IN_PROGRESS", "SUCCEEDED")


class CodeBuildHook(RemoteHook):
    def __init__(self, settings: CodeBuildSettings, around: Surroundings) -> None:
        super().__init__(f"project {settings.project}", settings.keep, around)
        self._settings = settings
        self._recent: dict[str, Mapping[str, Any]] | None = None

    def start(self, call: HookCall) -> Verdict:
        self._recent = None
        return super().start(call)

    def _find(self, call: HookCall, attempt: int) -> Started | None:
        if self._recent is None:
            self._recent = self._builds_by_run()
        found = self._recent.get(run_name(call, attempt))
        usable = found is not None and (found["buildStatus"] in _USABLE or attempt == call.attempt)
        return Started(found["id"], _began(found, self._around.clock.now())) if found and usable else None

    def _start(self, call: HookCall) -> Started:
        aws = self._around.aws()
        name = run_name(call, call.attempt)
        variables = {**call_environment(call), **self._settings.env, _RUN: name}
        overrides: dict[str, Any] = {}
        if self._settings.source_version:
            overrides["sourceVersion"] = self._settings.source_version
        if self._settings.buildspec:
            overrides["buildspecOverride"] = self._settings.buildspec
        answer = aws.write(
            aws.codebuild.start_build,
            projectName=self._settings.project,
            idempotencyToken=name,
            environmentVariablesOverride=[
                {"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items() if value
            ],
            **overrides,
        )
        return Started(str(answer["build"]["id"]), self._around.clock.now())

    def _ask(self, started: Started) -> Verdict:
        build = self._build(started.id)
        ran = max(0.0, self._around.clock.now() - started.began)
        status, phase = str(build["buildStatus"]), str(build.get("currentPhase", ""))
        if status == "IN_PROGRESS":
            return self._pending(started, f"{self._title} in {phase or 'its queue'} for {took(ran)}", _log(build))
        if status == "SUCCEEDED":
            return passed_in(self._say(f"{self._title} succeeded in {took(ran)}"), ran, links=_log(build))
        reason = f"{self._title} ended {status}{_why(build)} ({started.id})"
        return Failed(self._say(reason), (), {"seconds": ran}, _log(build))

    def _stop(self, started: Started) -> None:
        aws = self._around.aws()
        aws.write(aws.codebuild.stop_build, id=started.id)

    def _build(self, build_id: str) -> Mapping[str, Any]:
        aws = self._around.aws()
        builds = aws.read(aws.codebuild.batch_get_builds, ids=[build_id])["builds"]
        if not builds:
            raise HookUnavailableError(f"{self._title} knows no build {build_id} any more")
        found: Mapping[str, Any] = builds[0]
        return found

    def _builds_by_run(self) -> dict[str, Mapping[str, Any]]:
        aws = self._around.aws()
        listed = aws.read(
            aws.codebuild.list_builds_for_project, projectName=self._settings.project, sortOrder="DESCENDING"
        )
        ids = list(listed.get("ids", []))[:_LOOKED_AT]
        builds = aws.read(aws.codebuild.batch_get_builds, ids=ids)["builds"] if ids else []
        return {name: build for build in reversed(builds) if (name := _run_of(build))}


def _run_of(build: Mapping[str, Any]) -> str:
    variables = build.get("environment", {}).get("environmentVariables", [])
    return next((str(each["value"]) for each in variables if each["name"] == _RUN), "")


def _began(build: Mapping[str, Any], otherwise: float) -> float:
    return float(build["startTime"].timestamp()) if "startTime" in build else otherwise


def _log(build: Mapping[str, Any]) -> dict[str, str]:
    link = build.get("logs", {}).get("deepLink")
    return {"log": str(link)} if link else {}


def _why(build: Mapping[str, Any]) -> str:
    """What the phase that failed says about itself."""
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") not in (None, "SUCCEEDED"):
            said = "; ".join(str(each.get("message", "")) for each in phase.get("contexts", []) if each.get("message"))
            return f" in {phase['phaseType']}{': ' if said else ''}{said}"
    return ""
