"""``command``: any program. Exit code 0 is yes, another one no."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import HookCall, Verdict
from bluegreen.hooks.process import Ended
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


def executable(name: str, env: dict[str, str], cwd: Path) -> str:
    """``name`` looked up as the process would: with a slash from ``cwd``, else on its own PATH."""
    if os.sep in name:
        place = cwd / name
        if not place.is_file():
            raise HookUnavailableError(f"{name} does not exist in {cwd}", hint="a path is relative to cwd")
        if not os.access(place, os.X_OK):
            raise HookUnavailableError(f"{place} is not executable", hint=f"chmod +x {place}")
        return str(place)
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found is None:
        raise HookUnavailableError(f"there is no {name} on the PATH", hint=f"install {name}, or give its path")
    return found
