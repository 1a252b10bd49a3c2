"""``command``: any program, with the fact in its environment."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.process import Process
from bluegreen.hooks.programs import executable
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import took
from bluegreen.notify.base import Fact
from bluegreen.notify.shape import fact_json

if TYPE_CHECKING:
    from bluegreen.notify.settings import CommandNotifierSettings

_LOOK = 0.02


class CommandNotifier:
    """Exit code 0 says that it was told. Nothing of it outlives its timeout, or this process."""

    def __init__(self, settings: CommandNotifierSettings, timeout: float, around: Surroundings) -> None:
        self._settings = settings
        self._timeout = timeout
        self._around = around

    def tell(self, fact: Fact) -> None:
        run, cwd = self._settings.run, self._around.cwd(self._settings.cwd)
        env = {**self._around.environment, **_told(fact), **self._settings.env}
        argv = ["/bin/sh", "-c", run] if isinstance(run, str) else [executable(run[0], env, cwd), *run[1:]]
        process = Process(argv, env=env, cwd=cwd, timeout=self._timeout, clock=self._around.clock)
        pause = threading.Event()
        while process.ended is None:
            pause.wait(_LOOK)
        ended = process.ended
        if ended.how == "timeout":
            raise HookUnavailableError(f"no end after {took(self._timeout)}, stopped")
        if (ended.how, ended.code) != ("exit", 0):
            text, _ = process.output()
            last = (text.strip().splitlines() or [""])[-1]
            raise HookUnavailableError(f"{ended.how} {ended.code or ended.text}: {last}".rstrip(": "))


def _told(fact: Fact) -> dict[str, str]:
    told = {
        "BLUEGREEN_MOMENT": fact.moment.value,
        "BLUEGREEN_SERVICE": fact.service,
        "BLUEGREEN_CLUSTER": fact.cluster,
        "BLUEGREEN_DEPLOYMENT": fact.deployment,
        "BLUEGREEN_PHASE": fact.phase,
        "BLUEGREEN_MESSAGE": fact.message,
        "BLUEGREEN_RELEASE": fact.release,
        "BLUEGREEN_PREVIOUS_RELEASE": fact.previous,
        "BLUEGREEN_TEXT": fact.text,
        "BLUEGREEN_FACT": fact_json(fact),
    }
    return {name: value.replace("\0", "") for name, value in told.items()}
