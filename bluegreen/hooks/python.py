"""``python``: a callable, given the HookCall, in a process of its own: a crash or a hang stays in there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.process import Ended
from bluegreen.hooks.programs import CHILD, interpreter, is_importable
from bluegreen.hooks.running import ProcessHook, Run, Surroundings, how_it_ended
from bluegreen.hooks.words import took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import PythonSettings


class PythonHook(ProcessHook):
    def __init__(self, settings: PythonSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._python = settings

    def _needs(self, call: HookCall, env: dict[str, str], cwd: Path) -> None:
        interpreter(self._python.python, env, cwd)
        place = self._python.call
        module = place.rpartition(":")[0]
        if module.endswith(".py"):
            if not (cwd / module).is_file():
                why = f"{place} cannot be imported: there is no {module} in {cwd}"
                raise HookUnavailableError(why, hint="a file is relative to cwd")
        elif self._python.python is None and not is_importable(module, env, cwd):
            why = f"{place} cannot be imported: there is no module {module} in {cwd}, or beside bluegreen"
            raise HookUnavailableError(why, hint="install it there, or set cwd, or python")

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
