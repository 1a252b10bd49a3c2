"""A driver that dies between any two calls while hooks run together, a person is asked, a dry run fails: the next one
converges, and no hook that has ended is run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from bluegreen.domain.deployment import HookStatus, Phase
from bluegreen.domain.spec import HookPoint, HookSpec
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending, Verdict
from scripts.campaigns.crashes import FAULTS
from scripts.campaigns.frame import sampled
from tests.faults.exploring import Scenario, _deploy, every, small_spec, try_point
from tests.stage import Stage

pytestmark = pytest.mark.faults

HOOKS = (
    HookSpec(HookPoint.TEST, "first", "scripted"),
    HookSpec(HookPoint.TEST, "a", "scripted", group=1),
    HookSpec(HookPoint.TEST, "b", "scripted", group=1),
    HookSpec(HookPoint.TEST, "person", "scripted", group=1),
    HookSpec(HookPoint.TEST, "new", "scripted", group=1, dry_run=True),
    HookSpec(HookPoint.BEFORE_SHIFT, "last", "scripted"),
    HookSpec(HookPoint.ON_ROLLBACK, "test/a", "scripted"),
    HookSpec(HookPoint.ON_ROLLBACK, "undo", "scripted", group=2),
    HookSpec(HookPoint.ON_ROLLBACK, "clear", "scripted", group=2),
)


@dataclass
class Honest:
    """Runs for three polls. It refuses to be started again once the record has its verdict."""

    stage: Stage
    name: str
    verdict: Verdict
    asks: bool = False
    polls: dict[str, int] = field(default_factory=dict)

    def start(self, call: HookCall) -> Verdict:
        d = self.stage.latest()
        ended = [r for r in d.hooks if (r.point, r.name) == (call.point, call.name) and r.status in FINAL]
        assert not ended, f"{call.name} has ended and is started again"
        return Pending(f"{self.name}-{len(self.polls)}", 0.5, "busy", asks=self.asks)

    def poll(self, handle: str) -> Verdict:
        self.polls[handle] = self.polls.get(handle, 0) + 1
        return self.verdict if self.polls[handle] > 3 else Pending(handle, 0.5, "busy", asks=self.asks)

    def cancel(self, handle: str) -> None:
        return


FINAL = (HookStatus.PASSED, HookStatus.CANCELLED)


def prepared(bad: str) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        for spec in HOOKS:
            said: Verdict = Failed("no") if spec.name in (bad, "new") else Passed("fine")
            stage.hooks[spec.name] = Honest(stage, spec.name, said, spec.name == "person")  # type: ignore[assignment]

    return prepare


def scenario(name: str, bad: str, end: Phase) -> Scenario:
    spec = replace(small_spec("canary"), hooks=HOOKS, hook_timeouts={HookPoint.TEST: 600.0})
    return Scenario(name, spec, _deploy, prepared(bad), ends=(end,))


@pytest.mark.parametrize(
    "found",
    [scenario("all pass", "", Phase.SUCCEEDED), scenario("one of a group fails", "b", Phase.ROLLED_BACK)],
    ids=lambda found: found.name.replace(" ", "-"),
)
def test_it_converges_wherever_its_driver_dies_and_no_hook_that_ended_is_run_again(found: Scenario) -> None:
    lost = [try_point(*each) for each in sampled(every([found], FAULTS), 1 / 8)]
    assert len(lost) > 20
    assert not [loss for loss in lost if loss]
