"""A production route that does not exist any more, met by a rollback: it is found under its new ARN, or given up.

Nothing is given up that can be asked for: an ARN that was deleted never comes back, so no late write can reach it, but
the same listener or rule may have been made anew, by a stack that replaced it, and may send users to green.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bluegreen.domain.deployment import Route
from bluegreen.domain.events import Kind
from bluegreen.errors import RefusedError
from bluegreen.lifecycle.outcome import Outcome, Wait
from bluegreen.lifecycle.work import Work

LOOKED_FOR = 5.0
"""Seconds after a rollback's request for which a route that is not found is asked for again: a replica may lag."""


def find_again(work: Work, missing: Collection[Route]) -> Outcome:
    """The record goes on without the missing routes, or with what stands in their place."""
    facts, now = work.deployment.rollback, work.now()
    assert facts is not None
    names = ", ".join(route.name for route in missing)
    if now < facts.requested_at + LOOKED_FOR:
        return Wait(f"{names} does not exist; it is looked for again", 0.5, facts.requested_at + LOOKED_FOR)
    anew = {route.name: route for route in _resolved_anew(work)}
    for route in missing:
        if route.name in anew:
            _adopt(work, route, anew[route.name])
        else:
            _give_up(work, route)
    return Wait("the production routes are read again", 0.0)


# Private


def _resolved_anew(work: Work) -> list[Route]:
    """What the configuration's routes lead to now, but for those the record knows."""
    d = work.deployment
    known = {route.arn for route in d.routes}
    found: list[Route] = []
    for spec in d.spec.production:
        try:
            route = work.world.router.resolve(spec, (d.blue, d.green))
        except RefusedError:
            # It is not there, or leads to neither slot: nothing of this deployment's is behind it.
            continue
        if route.arn not in known:
            found.append(route)
    return found


def _adopt(work: Work, lost: Route, found: Route) -> None:
    """Nothing of it was written by this deployment: whatever it shows, it is written."""
    d = work.deployment
    routes = tuple(replace(found, original=lost.original) if route.arn == lost.arn else route for route in d.routes)
    said = f"{lost.name} was made anew by someone else ({found.arn}); the rollback goes on with that one"
    work.record(work.event(Kind.WARNING, said, route=lost.name), routes=routes)


def _give_up(work: Work, lost: Route) -> None:
    d = work.deployment
    said = f"{lost.name} does not exist any more ({lost.arn}): nothing can be put back there"
    work.record(
        work.event(Kind.WARNING, said, route=lost.name),
        routes=tuple(route for route in d.routes if route.arn != lost.arn),
        lost=(*d.lost, lost),
    )
