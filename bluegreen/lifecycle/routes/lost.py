"""A production route that does not exist any more, met by a rollback: found anew, given up, or all is gone.

An ARN that was deleted never comes back, so no late write can reach it. But the same listener or rule may have been
made anew, by a stack that replaced it, and may send users to green. And where a stack made the target groups anew as
well, the services that bear the slots' names are not this deployment's any more: they serve users, and are let alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bluegreen.domain.deployment import Route, ScalingFacts, Slot
from bluegreen.domain.events import Kind
from bluegreen.errors import NotFoundError, NotThereError
from bluegreen.lifecycle.outcome import Outcome, Wait
from bluegreen.lifecycle.work import Work

LOOKED_FOR = 5.0
"""Seconds after a rollback's request for which something that is not found is asked for again: a replica may lag."""


def find_again(work: Work, missing: Collection[Route], blue: NotFoundError | None) -> Outcome:
    """The record goes on without the missing routes, or with what stands in their place.

    ``blue``: why blue cannot be seen. It is raised where its target group or green's is there after all: then it is no
    matter of a service that was made anew.
    """
    facts, now = work.deployment.rollback, work.now()
    assert facts is not None
    names = ", ".join(route.name for route in missing) or f"blue {work.deployment.blue.name}"
    if now < facts.requested_at + LOOKED_FOR:
        return Wait(f"{names} does not exist; it is looked for again", 0.5, facts.requested_at + LOOKED_FOR)
    if not any(_is_there(work, slot) for slot in (work.deployment.blue, work.deployment.green)):
        _let_go(work)
    elif missing:
        anew = {route.name: route for route in _resolved_anew(work)}
        for route in missing:
            if route.name in anew:
                _adopt(work, route, anew[route.name])
            else:
                _give_up(work, route)
    elif blue is not None:
        raise blue
    return Wait("the production routes are read again", 0.0)


# Private


def _is_there(work: Work, slot: Slot) -> bool:
    """Its target group, by ARN: another one may bear the same name by now."""
    try:
        work.world.router.settings((slot, slot))
    except NotFoundError:
        return False
    return True


def _let_go(work: Work) -> None:
    """Nothing is left to put back: what stands there now was made by someone else, after this deployment."""
    d = work.deployment
    said = (
        f"the target groups of this deployment do not exist any more ({d.blue.target_group_arn}, "
        f"{d.green.target_group_arn}): the service was made anew by someone else, and nothing of it is touched"
    )
    work.record(
        work.event(Kind.WARNING, said),
        routes=(),
        lost=(*d.lost, *d.routes),
        test_route=None,
        scaling=ScalingFacts(),
        groups=(),
        launched=False,
        waiting=None,
        let_go=True,
    )


def _resolved_anew(work: Work) -> list[Route]:
    """What the configuration's routes lead to now, but for those the record knows."""
    d = work.deployment
    known = {route.arn for route in d.routes}
    found: list[Route] = []
    for spec in d.spec.production:
        try:
            route = work.world.router.resolve(spec, (d.blue, d.green))
        except NotThereError:
            # Or it leads to neither slot: it sends nobody to green. What is ambiguous is for a person to see.
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
