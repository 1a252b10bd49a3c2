"""Bake: green has all traffic, blue stays warm."""

from __future__ import annotations

from bluegreen.domain.spec import HookPoint
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Done, Outcome, Wait
from bluegreen.lifecycle.watch import gating
from bluegreen.lifecycle.watch.watching import watch
from bluegreen.lifecycle.work import Work


def run(work: Work) -> Outcome:
    d = work.deployment
    if d.bake_until is None:
        work.record(bake_until=work.now() + d.spec.bake, **gating.begin(work))
    return gating.in_time(work, _watched(work))


# Private


def _watched(work: Work) -> Outcome:
    problem = watch(work)
    if problem is not None:
        return problem
    outcome = run_hooks(work, HookPoint.BAKE)
    if not isinstance(outcome, Done):
        return outcome
    until = work.deployment.bake_until or 0.0
    if work.now() < until and not work.deployment.promoted:
        return Wait("the bake time passes; blue stays warm", until - work.now(), until)
    return gating.hold_back(work, decided_by=until) or gating.look_now(work) or Done()
