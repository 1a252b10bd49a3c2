"""What the tests of drift share: a deployment that must hold for it, and a person who decides."""

from __future__ import annotations

import pytest

from bluegreen.domain.deployment import Deployment, HoldKind
from bluegreen.domain.service import Control
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.inquiry import control
from bluegreen.errors import HeldError
from tests.stage import NEW, Stage


def run(stage: Stage) -> Deployment:
    return deploy(stage.session(), stage.spec, NEW, stage.recorder)


def held(stage: Stage) -> HeldError:
    with pytest.raises(HeldError) as caught:
        run(stage)
    hold = stage.latest().hold
    assert hold is not None
    assert hold.kind is HoldKind.DRIFT
    return caught.value


def decide(stage: Stage, wish: Control) -> Deployment:
    control(stage.session("resume"), "orders", wish)
    return resume(stage.session("resume"), "orders", stage.recorder)
