"""Rollback: one write per production route puts blue back; only then is anything cleaned up (clean_up.py)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bluegreen.domain.deployment import HoldKind, Phase, RollbackFacts, Route, Written
from bluegreen.domain.events import Kind
from bluegreen.domain.health import LiveRoute, SlotHealth
from bluegreen.domain.split import ALL_BLUE, Split
from bluegreen.errors import AccessDeniedError, BluegreenError, NotFoundError, RefusedError
from bluegreen.lifecycle.blocked import what_stands
from bluegreen.lifecycle.outcome import Hold, Outcome, Wait
from bluegreen.lifecycle.routes import late, routing
from bluegreen.lifecycle.work import Work
from bluegreen.together import both

ANSWERED_NO = (AccessDeniedError, NotFoundError, RefusedError)
"""What is said of one route and does not pass: the other routes are written all the same."""

VERIFY_EVERY = 1.0
"""Seconds between two looks at the routes while a pre-empted driver's last write may still arrive."""


def run(work: Work) -> Outcome:
    facts = _facts(work)
    if facts.blue_at is None:
        waiting = _put_blue_back(work, facts)
        if waiting is not None:
            return _in_time(work, waiting)
    if _facts(work).safe_at is None:
        # The users are safe: whoever waits for that word may leave before what the deployment changed is put back.
        return _until_no_other_write(work) or Wait("blue is safe", 0.0)
    # Imported now: what only the clean-up needs is no part of the second in which the users wait.
    from bluegreen.lifecycle.steps.clean_up import clean_up

    return clean_up(work)


def undo_late_splits(work: Work) -> Outcome | None:
    """A late write of an earlier driver is undone as soon as it is seen."""
    for route in work.deployment.routes:
        try:
            split = routing.observe(work, route).split
        except NotFoundError:
            return _find_again(work, [route])
        if split.green:
            work.publish(work.event(Kind.WARNING, f"a late write put traffic on green at {route.name}; it is undone"))
            left = routing.write(work, route, ALL_BLUE).split
            if left.green:
                return Wait(f"{route.name} still reads {left}; it is written again", 0.1)
            at = Written(ALL_BLUE, work.now(), confirmed=True)
            work.record(
                routes=tuple(replace(r, written=at) if r.arn == route.arn else r for r in work.deployment.routes)
            )
            return Wait(f"{route.name} was put back to blue", 0.1)
    return None


# Private


def _facts(work: Work) -> RollbackFacts:
    facts = work.deployment.rollback
    assert facts is not None
    return facts


def _put_blue_back(work: Work, facts: RollbackFacts) -> Outcome | None:
    d = work.deployment
    if d.let_go:
        _blue_is_back(work, facts)
        return None
    seen, blue = both(work.world.together, lambda: _look_at_routes(work), lambda: _look_at_blue(work, facts))
    live, refused = seen
    to_write = [
        r
        for r in d.routes
        if r.arn in live and (not live[r.arn].same_share(ALL_BLUE) or not routing.can_only_be(r, ALL_BLUE))
    ]
    if isinstance(blue, NotFoundError):
        return _find_again(work, _not_found(d.routes, refused), blue)
    waiting = _warm_blue(work, blue) if to_write and blue is not None else None
    if waiting is not None:
        return waiting
    for route in to_write:
        _say_what_is_overridden(work, route, live[route.arn])
        try:
            left = routing.write(work, route, ALL_BLUE).split
        except ANSWERED_NO as error:
            # One route that cannot be written does not keep the others back.
            refused[route.arn] = error
            continue
        if not left.same_share(ALL_BLUE):
            return Wait(f"{route.name} still reads {left}; it is written again", 0.1)
    if missing := _not_found(d.routes, refused):
        return _find_again(work, missing)
    for refusal in refused.values():
        raise refusal
    _blue_is_back(work, facts)
    return None


def _not_found(routes: tuple[Route, ...], refused: dict[str, BluegreenError]) -> list[Route]:
    return [route for route in routes if isinstance(refused.get(route.arn), NotFoundError)]


def _in_time(work: Work, waiting: Outcome) -> Outcome:
    """Somebody must know that users are still on green; a rollback that is typed again begins its time anew."""
    d = work.deployment
    if d.deadline is None or work.now() < d.deadline or not isinstance(waiting, Wait):
        return waiting
    way_out = (
        f"bluegreen resume {d.service} (waits as long again), "
        f"or bluegreen rollback {d.service} --force (sends traffic to blue as it is)"
    )
    reason = f"the rollback passed its deadline: {waiting.reason}. {what_stands(work)}"
    return Hold(HoldKind.DEADLINE, reason, way_out)


def _find_again(work: Work, missing: list[Route], blue: NotFoundError | None = None) -> Outcome:
    # Imported now: hardly a rollback needs it, and its start is timed.
    from bluegreen.lifecycle.routes.lost import find_again

    return find_again(work, missing, blue)


def _look_at_routes(work: Work) -> tuple[dict[str, Split], dict[str, BluegreenError]]:
    """By ARN the live splits, and why the others cannot be read: those do not keep these back."""
    live: dict[str, Split] = {}
    refused: dict[str, BluegreenError] = {}

    def look(route: Route) -> None:
        try:
            seen = routing.observe(work, route)
            live[route.arn] = seen.split
            if seen.stray:
                refused[route.arn] = _strays(work, route, seen)
        except ANSWERED_NO as error:
            refused[route.arn] = error

    work.world.together([partial(look, route) for route in work.deployment.routes])
    return live, {route.arn: refused[route.arn] for route in work.deployment.routes if route.arn in refused}


def _strays(work: Work, route: Route, seen: LiveRoute) -> RefusedError:
    """Not all traffic is on blue then, whatever the two weights say."""
    return RefusedError(
        f"{route.name} also sends traffic to {', '.join(seen.others)}, which this deployment does not know",
        hint=f"take it out of the forward, then bluegreen rollback {work.deployment.service}",
    )


def _blue_is_back(work: Work, facts: RollbackFacts) -> None:
    d, now = work.deployment, work.now()
    took = now - facts.requested_at
    said = f"traffic: all on blue {d.blue.name} after {took:.2f} s" if d.routes else f"traffic: {d.users()}"
    work.record(
        work.event(Kind.SPLIT, said, green_percent=0.0, took=took),
        rollback=replace(facts, blue_at=now),
        routes=tuple(replace(r, written=Written(ALL_BLUE, now, confirmed=True), previous=ALL_BLUE) for r in d.routes),
    )


def _say_what_is_overridden(work: Work, route: Route, live: Split) -> None:
    """A rollback overrides another writer's weights; it never does so in silence."""
    known = [s for s in (route.written.split if route.written else None, route.previous, route.original) if s]
    if known and not any(live.same_share(split) for split in known):
        message = f"{route.name} had {live}, written by someone else; the rollback overrides it"
        work.publish(work.event(Kind.WARNING, message, route=route.name))


def _look_at_blue(work: Work, facts: RollbackFacts) -> SlotHealth | BluegreenError | None:
    """None where it does not matter. An error matters only if something is to be written, so it is not raised yet."""
    if facts.forced:
        return None
    try:
        return work.health(work.deployment.blue)
    except BluegreenError as error:
        return error


def _warm_blue(work: Work, seen: SlotHealth | BluegreenError) -> Outcome | None:
    """None when blue can take the traffic. A blue that was scaled in is launched again first."""
    if isinstance(seen, BluegreenError):
        raise seen
    d = work.deployment
    wanted = max(1, d.blue_count, d.blue_kept or 0)
    need = d.spec.health.required(wanted)
    if seen.healthy >= need:
        _say_what_blue_runs(work, seen)
        return None
    if seen.desired < wanted:
        work.world.compute.launch(d.previous, d.blue, wanted, work.fence)
        work.publish(
            work.event(Kind.LAUNCHED, f"blue {d.blue.name} was scaled in; {wanted} tasks of {d.previous.id} start")
        )
    return Wait(
        f"blue {d.blue.name} has {seen.healthy} of {need} required healthy targets; no traffic is sent there before "
        f"(bluegreen rollback {d.service} --force overrides)",
        0.5,
    )


def _say_what_blue_runs(work: Work, seen: SlotHealth) -> None:
    """Someone else's release in blue does not stop a rollback: users leave green first."""
    d = work.deployment
    if seen.release != d.previous.task_definition:
        now = (seen.release or "nothing").rsplit("/", 1)[-1]
        said = f"blue {d.blue.name} is set to {now} by someone else, not to {d.previous.id}; traffic goes there"
        work.publish(work.event(Kind.WARNING, said))


def _keep_blue(work: Work) -> Outcome | None:
    """An earlier driver's last call may have been the one that scales blue in."""
    d = work.deployment
    if d.let_go:
        return None
    seen, wanted = work.health(d.blue), max(1, d.blue_count, d.blue_kept or 0)
    if seen.desired < wanted:
        work.publish(work.event(Kind.WARNING, f"a late call scaled blue {d.blue.name} in; {wanted} tasks start again"))
        work.world.compute.launch(d.previous, d.blue, wanted, work.fence)
    elif seen.healthy >= d.spec.health.required(wanted) or _facts(work).forced:
        return None
    return Wait(f"blue {d.blue.name} has {seen.healthy} healthy targets; {wanted} tasks are wanted", 0.5)


def _until_no_other_write(work: Work) -> Outcome | None:
    """What ends the danger is asked first and the world looked at afterwards: a last write is seen, and undone."""
    facts = _facts(work)
    safe = late.is_safe(facts, work.state.yielded, work.aws_now())
    waiting = (facts.in_flight and undo_late_splits(work)) or (facts.from_phase is Phase.TEARDOWN and _keep_blue(work))
    if waiting:
        return waiting
    if not safe:
        return Wait(
            "the other driver has not said that it stopped; blue is verified until its last write must have expired",
            VERIFY_EVERY if facts.blue_at and work.now() - facts.blue_at > 2 else 0.1,
            max(facts.other_until, facts.late_until),
        )
    now = work.now()
    took = now - facts.requested_at
    users = work.deployment.users(f" after {took:.2f} s")
    message = f"the bad release was not replaced: {users}" if work.deployment.in_vain else f"SAFE: {users}"
    work.record(work.event(Kind.SAFE, message, took=took), rollback=replace(facts, safe_at=now))
    return None
