"""``pytest``: a team's own tests, with the test route handed in and their results one by one."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.process import Ended
from bluegreen.hooks.programs import CHILD, interpreter, is_importable
from bluegreen.hooks.running import ProcessHook, Run, Surroundings, how_it_ended
from bluegreen.hooks.words import took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import PytestSettings

_ALWAYS = ("-p", "bluegreen.hooks.pytest_plugin", "-p", "no:cacheprovider", "--tb=short", "--color=no")
_INTERNAL_ERROR, _USAGE_ERROR, _NOTHING_COLLECTED = 3, 4, 5
_NO = ("failed", "error")
_YES = ("passed", "xpassed", "xfailed")


class PytestHook(ProcessHook):
    def __init__(self, settings: PytestSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._pytest = settings

    def _needs(self, call: HookCall, env: dict[str, str], cwd: Path) -> None:
        for path in self._pytest.path:
            if not (cwd / path.partition("::")[0]).exists():
                raise HookUnavailableError(f"there are no tests at {cwd / path}", hint="path is relative to cwd")
        found = interpreter(self._pytest.python, env, cwd)
        if self._pytest.python is None and not is_importable("pytest", env, cwd):
            raise HookUnavailableError(f"{found} has no pytest", hint="install it beside bluegreen, or set python")

    def _launch(self, call: HookCall, env: dict[str, str], cwd: Path) -> Run:
        settings = self._pytest
        results = Results()
        # The plugins pytest-base-url and playwright read this one.
        env = {"PYTEST_BASE_URL": call.base_url or "", **env} if call.base_url else env
        argv = [interpreter(settings.python, env, cwd), str(CHILD), "pytest", *_ALWAYS, *_junit(settings)]
        process = self._process([*argv, *settings.args, *settings.path], call, env, cwd, results.hear)
        return PytestRun(call, process, self._redactor(call), settings.output_lines, results)

    def _judge(self, run: Run, ended: Ended) -> Verdict:
        assert isinstance(run, PytestRun)
        self._clean_junit(run)
        results, numbers, links = run.results, run.results.numbers(ended.seconds), self._report()
        if results.unavailable:
            raise run.unavailable(results.unavailable)
        if results.no:
            return run.failed(results.failures(), numbers, links)
        if ended.how == "exit" and ended.code in (_INTERNAL_ERROR, _USAGE_ERROR):
            raise run.unavailable(f"pytest could not run: {how_it_ended(run, ended)}")
        if ended.how == "exit" and ended.code == _NOTHING_COLLECTED:
            return run.failed(f"no tests were collected from {' '.join(self._pytest.path)}", numbers)
        if ended.how != "exit" or ended.code != 0 or not results.finished:
            return run.failed(f"pytest ended early: {how_it_ended(run, ended)}", numbers)
        if not results.yes:
            return run.failed(f"no test ran: {results.summary() or 'none was reported'}", numbers)
        return run.passed(f"{results.summary()} in {took(ended.seconds)}", numbers, links)

    def _progress(self, run: Run) -> str:
        assert isinstance(run, PytestRun)
        return run.say(run.results.progress())

    def _report(self) -> dict[str, str]:
        if self._pytest.junit is None:
            return {}
        return {"report": (self._around.cwd(self._pytest.cwd) / self._pytest.junit).absolute().as_uri()}

    def _clean_junit(self, run: Run) -> None:
        """The file holds what the tests printed, and is published by the pipeline."""
        if self._pytest.junit is None:
            return
        path = self._around.cwd(self._pytest.cwd) / self._pytest.junit
        # Not as text: what stands in front of a secret can stand in front of a tag, too.
        with contextlib.suppress(FileNotFoundError, ElementTree.ParseError):
            tree = ElementTree.parse(path)
            for element in tree.iter():
                element.text = run.redactor.text(element.text) if element.text else element.text
                element.attrib.update({name: run.redactor.text(value) for name, value in element.attrib.items()})
            tree.write(path, encoding="utf-8", xml_declaration=True)


class Results:
    """Fed line by line by the plugin, in the reading thread."""

    def __init__(self) -> None:
        self.collected = 0
        self.unavailable = ""
        self.finished = False
        self._tests: list[dict[str, Any]] = []

    def hear(self, line: str) -> None:
        with contextlib.suppress(ValueError):
            fact = json.loads(line)
            self.collected = fact.get("collected", self.collected)
            self.finished = fact.get("finished", self.finished)
            self.unavailable = fact.get("unavailable", self.unavailable)
            if "test" in fact:
                self._tests.append(fact)

    @property
    def no(self) -> list[dict[str, Any]]:
        return [test for test in self._tests if test.get("outcome") in _NO]

    @property
    def yes(self) -> int:
        return sum(test.get("outcome") in _YES for test in self._tests)

    def summary(self) -> str:
        counts = self._counts()
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in (*_YES, *_NO, "skipped") if counts[outcome])

    def progress(self) -> str:
        if not self.collected:
            return "collecting"
        done = f"{len(self._tests)}/{self.collected}"
        if self.no:
            return f"{done}, {len(self.no)} failed: {self.no[-1]['test']}"
        return f"{done} {self._tests[-1]['test']}" if self._tests else done

    def failures(self) -> str:
        told = "; ".join(f"{test['test']}: {test.get('reason', '')}".rstrip(": ") for test in self.no[:3])
        return f"{len(self.no)} of {max(self.collected, len(self._tests))} failed: {told}"

    def numbers(self, seconds: float) -> dict[str, float]:
        return {"seconds": seconds, **{outcome: float(count) for outcome, count in self._counts().items()}}

    def _counts(self) -> Counter[str]:
        return Counter(str(test.get("outcome", "unknown")) for test in self._tests)


@dataclass(slots=True)
class PytestRun(Run):
    results: Results = field(default_factory=Results)


def _junit(settings: PytestSettings) -> list[str]:
    return [f"--junitxml={settings.junit}"] if settings.junit else []
