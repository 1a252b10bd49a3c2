"""One file a phase; each observes, decides, acts at most once, and is safe to repeat."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from bluegreen.domain.deployment import Phase
from bluegreen.lifecycle.outcome import Outcome
from bluegreen.lifecycle.work import Work

Step = Callable[[Work], Outcome]


def step_of(phase: Phase) -> Step:
    """The step in the file of the phase's name, imported when it is first run: a rollback is timed, and needs one."""

    def run(work: Work) -> Outcome:
        outcome: Outcome = import_module(f"{__name__}.{phase.value}").run(work)
        return outcome

    return run


STEPS: dict[Phase, Step] = {phase: step_of(phase) for phase in Phase if not phase.final}
