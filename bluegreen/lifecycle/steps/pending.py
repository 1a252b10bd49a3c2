"""Pending: run the hooks that guard the launch, and register the release."""

from __future__ import annotations

from bluegreen.domain.events import Kind
from bluegreen.domain.spec import HookPoint
from bluegreen.lifecycle.hooks.hooking import run_hooks
from bluegreen.lifecycle.outcome import Done, Outcome
from bluegreen.lifecycle.work import Work


def run(work: Work) -> Outcome:
    outcome = run_hooks(work, HookPoint.BEFORE_LAUNCH)
    if not isinstance(outcome, Done):
        return outcome
    d = work.deployment
    if d.release is None:
        release = work.world.compute.prepare(d.request, d.previous, d.id, work.fence)
        work.record(
            work.event(Kind.RELEASE, f"release {release.label}", release=release.id, images=release.images),
            release=release,
        )
    return Done()
