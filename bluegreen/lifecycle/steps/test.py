"""Test: the test route sends everything to green, and the tests run through it."""

from __future__ import annotations

from bluegreen.domain.spec import HookPoint
from bluegreen.domain.split import ALL_GREEN
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Outcome, Wait
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.watch.watching import green_suffers, undisturbed
from bluegreen.lifecycle.work import Work


def run(work: Work) -> Outcome:
    routing.point_test_route(work, ALL_GREEN)
    route = work.deployment.test_route
    if route is not None and route.written is not None:
        until = route.written.at + work.deployment.spec.settle
        if work.now() < until:
            settling = Wait("the test route settles", until - work.now(), until)
            return undisturbed(work, HookPoint.TEST, lambda: settling)
    return green_suffers(work) or undisturbed(work, HookPoint.TEST, lambda: run_hooks(work, HookPoint.TEST))
