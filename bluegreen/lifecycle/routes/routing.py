"""Moving traffic, and noticing when someone else did.

A write is announced in the record before it is made, and confirmed after it was read back. A driver that dies in
between leaves either the announced split or the one before it; any third one was written by someone else.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from bluegreen.domain.deployment import Deployment, HoldKind, Phase, Route, Written
from bluegreen.domain.events import Kind
from bluegreen.domain.health import LiveRoute
from bluegreen.domain.split import Split
from bluegreen.errors import (
    AccessDeniedError,
    BluegreenError,
    CredentialsError,
    LockedError,
    NotFoundError,
    RefusedError,
    StoreUnavailableError,
)
from bluegreen.lifecycle.outcome import Hold, Outcome, Wait
from bluegreen.lifecycle.routes import late
from bluegreen.lifecycle.work import Work
from bluegreen.traffic.actions import difference
from bluegreen.traffic.base import Inspect, accept

ANSWERED_NO = (AccessDeniedError, CredentialsError, NotFoundError, RefusedError)
"""Errors that are an answer: no request of the call that met one is still on its way."""


class _DriftedError(Exception):
    """The live route that a write would start from is not as this deployment left it."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(hold.reason)
        self.hold = hold


def move(work: Work, desired: Split, *, seen: bool = False) -> Outcome | None:
    """Bring every production route to the split. Holds where someone else wrote the live one, and leaves that alone.

    What a write starts from is judged, so that nobody's write is lost between a look and ours. Before several routes
    all are looked at, so that none is written when one has drifted; ``seen``: this tick has just done so.
    Waits where the read-back shows another split: the next look tells whether it was slow or somebody else's.
    """
    if is_set(work.deployment, desired):
        return None
    if len(work.deployment.routes) > 1 and not seen and (drift := find_drift(work)):
        return drift
    before = work.deployment.routes
    _announce(work, desired)
    for index, route in enumerate(work.deployment.routes):
        try:
            live = write(work, route, desired, inspect=partial(_refuse_drift, work.deployment, before[index]))
        except _DriftedError as error:
            _announce_no_more(work, before, desired, index)
            return error.hold
        except BluegreenError as error:
            _take_back(work, error, before, desired, written=index)
            raise
        if not live.split.same_share(desired):
            return Wait(f"{route.name} still reads {live.split}, not {desired}", 0.5)
    shown = ", ".join(route.name for route in work.deployment.routes)
    work.record(
        work.event(Kind.SPLIT, f"traffic: {desired} on {shown}", green_percent=desired.green_percent),
        routes=tuple(_confirmed(route, desired, work.now()) for route in work.deployment.routes),
    )
    return None


def is_set(deployment: Deployment, desired: Split) -> bool:
    return all(
        route.written is not None and route.written.confirmed and route.written.split == desired
        for route in deployment.routes
    )


def write(work: Work, route: Route, desired: Split, *, inspect: Inspect = accept) -> LiveRoute:
    """What ``inspect`` raises when it sees the live route comes back; nothing is written then."""
    d = work.deployment
    doubt = work.aws_now() <= d.late_until
    insist = not can_only_be(route, desired)
    live = work.world.router.shift(route, d.blue, d.green, desired, work.fence, insist=insist, inspect=inspect)
    work.live_seen[route.name] = live.split
    if live.overwritten is not None and (doubt or live.overwritten.same_share(desired)):
        # An older write may have had the effect that was read back: this one can still arrive.
        work.record(late_until=max(d.late_until, late.unanswered(work.now())))
    return live


def can_only_be(route: Route, split: Split) -> bool:
    """By the record. Where that allows another split too, a read that finds this one may come from a replica that
    lags, with an answer from before our own last write: it is not believed, and the split is written."""
    possible = _possible(route)
    return bool(possible) and all(each.same_share(split) for each in possible)


def point_test_route(work: Work, desired: Split) -> bool:
    """True when the test route had to be moved."""
    d = work.deployment
    route = d.test_route
    if route is None or (route.written and route.written.confirmed and route.written.split == desired):
        return False
    insist = not can_only_be(route, desired)
    work.world.router.shift(route, d.blue, d.green, desired, work.fence, insist=insist)
    side = d.green if desired.green else d.blue
    work.record(
        work.event(Kind.TEST_ROUTE, f"test route {route.name} sends everything to {side.name}", slot=side.name),
        test_route=_confirmed(route, desired, work.now()),
    )
    return True


def find_drift(work: Work) -> Hold | None:
    """Compare every production route with what this deployment wrote last."""
    return judge(work, observe_all(work))


def tests_rely_on(d: Deployment) -> Route | None:
    """The test route, from when it leads to green until green gets production traffic."""
    early = d.phase is Phase.TEST or (d.phase is Phase.SHIFT and d.step < 0)
    return d.test_route if early and d.test_route is not None and d.test_route.written is not None else None


def find_test_drift(work: Work) -> Hold | None:
    """Compare the test route with what this deployment wrote last, while tests rely on it."""
    route = tests_rely_on(work.deployment)
    return None if route is None else _judge(work.deployment, route, observe(work, route))


def judge(work: Work, live: Sequence[LiveRoute]) -> Hold | None:
    """``live``: every production route, in the record's order."""
    holds = (_judge(work.deployment, route, seen) for route, seen in zip(work.deployment.routes, live, strict=True))
    return next((hold for hold in holds if hold), None)


def observe_all(work: Work) -> list[LiveRoute]:
    """Every production route, in the record's order."""
    live: dict[str, LiveRoute] = {}

    def look(route: Route) -> None:
        live[route.arn] = observe(work, route)

    work.world.together([partial(look, route) for route in work.deployment.routes])
    work.routes_at = work.now()
    return [live[route.arn] for route in work.deployment.routes]


def observe(work: Work, route: Route) -> LiveRoute:
    d = work.deployment
    live = work.world.router.read(route, d.blue, d.green)
    work.live_seen[route.name] = live.split
    return live


def last_write_at(deployment: Deployment) -> float:
    """When a production route was last written, in epoch seconds; 0.0 if never."""
    return max((route.written.at for route in deployment.routes if route.written), default=0.0)


def _refuse_drift(d: Deployment, route: Route, live: LiveRoute) -> None:
    if hold := _judge(d, route, live):
        raise _DriftedError(hold)


def _judge(d: Deployment, route: Route, live: LiveRoute) -> Hold | None:
    ways = (
        f"bluegreen resume {d.service} --accept-live (go on from the live weights), "
        f"bluegreen resume {d.service} --reassert (write ours again), or bluegreen rollback {d.service}"
    )
    name = f"the test route {route.name}" if route is d.test_route else route.name
    if live.others:
        return Hold(
            HoldKind.DRIFT,
            f"{name} now also forwards to {', '.join(live.others)}, which this deployment does not know",
            f"take it out of the forward, then bluegreen resume {d.service}; or bluegreen rollback {d.service}",
        )
    allowed = _possible(route)
    if allowed and not any(live.split.same_share(split) for split in allowed):
        ours = route.written.split if route.written else allowed[0]
        return Hold(
            HoldKind.DRIFT,
            f"someone else changed the weights of {name}: live is {live.split}, this deployment wrote {ours} "
            f"({_who(route)})",
            ways,
        )
    if route.shape and live.shape != route.shape:
        return Hold(
            HoldKind.DRIFT,
            f"someone else changed the actions of {name}; the weights are still ours ({live.split})"
            f"{_what(route, live)} ({_who(route)})",
            ways,
        )
    return None


def _what(route: Route, live: LiveRoute) -> str:
    said = difference(route.before, live.actions) if route.before and live.actions else ""
    return f": {said}" if said else ""


def _who(route: Route) -> str:
    """Elastic Load Balancing keeps no writer; CloudTrail does, some minutes later."""
    event = "ModifyRule" if route.kind == "rule" else "ModifyListener"
    return f"who did: aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={event}"


def _possible(route: Route) -> list[Split]:
    """What may be live when nobody else writes: the split read back last; and one that is announced, as well."""
    if route.written and route.written.confirmed:
        return [route.written.split]
    announced = route.written.split if route.written else None
    return [split for split in (announced, route.previous or route.original) if split is not None]


def _announce(work: Work, desired: Split) -> None:
    """An announcement that was never confirmed may have a write on its way still: it can land after ours."""
    d = work.deployment
    work.record(
        late_until=max(d.late_until, late.unanswered(work.now())) if late.is_announced(d) else d.late_until,
        routes=tuple(
            replace(
                route,
                previous=route.written.split if route.written and route.written.confirmed else route.previous,
                written=Written(desired, work.now()),
            )
            for route in d.routes
        ),
    )


def _take_back(work: Work, error: BluegreenError, before: tuple[Route, ...], desired: Split, *, written: int) -> None:
    """Nothing stays announced that is not on its way: a throttled write must not keep blue alive for ten minutes."""
    if isinstance(error, LockedError):
        return
    if error.changed_nothing:
        _announce_no_more(work, before, desired, written)
    elif isinstance(error, ANSWERED_NO):
        _look_and_take_back(work, before, desired, written)


def _announce_no_more(work: Work, before: tuple[Route, ...], desired: Split, done: int) -> None:
    confirmed = tuple(_confirmed(route, desired, work.now()) for route in work.deployment.routes[:done])
    with suppress(StoreUnavailableError):
        work.record(routes=(*confirmed, *before[done:]))


def _look_and_take_back(work: Work, before: tuple[Route, ...], desired: Split, written: int) -> None:
    """AWS answered no: where a look shows the split of before, nothing is on its way, and none stays announced.

    A look that shows ours says that the no was to the read-back; one that is refused leaves the announcement.
    """
    try:
        live = observe(work, before[written])
    except BluegreenError:
        return
    # A green that gets no share yet may still have to be put into the forward.
    took_effect = live.split.same_share(desired) and work.deployment.green.target_group_arn in live.attached
    _announce_no_more(work, before, desired, written + took_effect)


def _confirmed(route: Route, desired: Split, at: float) -> Route:
    return replace(route, written=Written(desired, at, confirmed=True), previous=desired)
