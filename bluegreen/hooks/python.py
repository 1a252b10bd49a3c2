"""``python``: a callable, given the HookCall, in a process of its own: a crash or a hang stays in there."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.command import executable
from bluegreen.hooks.process import Ended
from bluegreen.hooks.running import ProcessHook, Run, Surroundings, how_it_ended
from bluegreen.hooks.words import took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import PythonSettings

CHILD = Path(__file__).with_name("child.py")


class PythonHook(ProcessHook):
    def __init__(self, settings: PythonSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._python = settings

    def _launch(self, call: HookCall, env: dict[str, str], cwd: Path) -> Run:
        answer: dict[str, Any] = {}
        argv = [interpreter(self._python.python, env, cwd), str(CHILD), "python", self._python.call]
        process = self._process(argv, call, env, cwd, lambda line: answer.update(json.loads(line)))
        return PythonRun(call, process, self._redactor(call), self._python.output_lines, answer)

    def _judge(self, run: Run, ended: Ended) -> Verdict:
        assert isinstance(run, PythonRun)
        answer = run.answer
        numbers = {"seconds": ended.seconds, **answer.get("numbers", {})}
        if "unavailable" in answer:
            raise run.unavailable(str(answer["unavailable"]))
        if "failed" in answer:
            return run.failed(str(answer["failed"]), numbers)
        if "passed" in answer:
            detail = str(answer["passed"]) or f"passed in {took(ended.seconds)}"
            return run.passed(detail, numbers, answer.get("links", {}))
        return run.failed(f"no answer: {how_it_ended(run, ended)}", numbers)


@dataclass(slots=True)
class PythonRun(Run):
    answer: dict[str, Any] = field(default_factory=dict)


def interpreter(asked: str | None, env: dict[str, str], cwd: Path) -> str:
    return executable(asked, env, cwd) if asked else sys.executable
