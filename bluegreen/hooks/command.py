"""``command``: any program. Exit code 0 is yes, another one no."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.process import Ended
from bluegreen.hooks.programs import executable
from bluegreen.hooks.running import ProcessHook, Run, Surroundings, how_it_ended
from bluegreen.hooks.words import took

if TYPE_CHECKING:
    from bluegreen.hooks.settings import CommandSettings

_SHELL = "/bin/sh"
_SHELL_COULD_NOT = (126, 127)


class CommandHook(ProcessHook):
    def __init__(self, settings: CommandSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._command = settings

    def _needs(self, call: HookCall, env: dict[str, str], cwd: Path) -> None:
        if not isinstance(self._command.run, str):
            executable(self._command.run[0], env, cwd)

    def _launch(self, call: HookCall, env: dict[str, str], cwd: Path) -> Run:
        run = self._command.run
        argv = [_SHELL, "-c", run] if isinstance(run, str) else [executable(run[0], env, cwd), *run[1:]]
        process = self._process(argv, call, env, cwd)
        return Run(call, process, self._redactor(call), self._command.output_lines)

    def _judge(self, run: Run, ended: Ended) -> Verdict:
        if ended.how == "exit" and ended.code == 0:
            line = run.last_line()
            return run.passed(
                f"exit 0 in {took(ended.seconds)}{': ' if line else ''}{line}", {"seconds": ended.seconds}
            )
        if ended.how == "exit" and self._could_not_ask(ended.code):
            raise run.unavailable(how_it_ended(run, ended))
        return run.failed(how_it_ended(run, ended), {"seconds": ended.seconds})

    def _could_not_ask(self, code: int) -> bool:
        return code in self._command.unavailable_codes or (self._command.shell and code in _SHELL_COULD_NOT)
