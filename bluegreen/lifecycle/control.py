"""What a person asks of a running deployment from elsewhere: read at every tick, obeyed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

from bluegreen.domain.deployment import HoldKind, Phase, Route, Written
from bluegreen.domain.events import Kind
from bluegreen.domain.service import Control, ControlRequest
from bluegreen.domain.split import Split
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.watch import drift
from bluegreen.lifecycle.work import Work


def obey(work: Work) -> None:
    request = work.state.control
    if request is None:
        return
    if work.deployment.phase is not Phase.ROLLBACK:
        _apply(work, request)
    elif request.control in _GO_ON:
        _resume(work, request)
    work.world.store.clear_request(work.lease, seen=request)


# Private

_GO_ON = (Control.RESUME, Control.ACCEPT_LIVE, Control.REASSERT)
"""A rollback that holds, because AWS refused one of its calls, goes on with any of them."""


def _apply(work: Work, request: ControlRequest) -> None:
    match request.control:
        case Control.PAUSE:
            why = f": {request.reason}" if request.reason else ""
            said = f"paused by {request.by}{why}"
            work.record(work.event(Kind.PAUSED, said), paused=True, paused_by=said)
        case Control.RESUME:
            _resume(work, request)
        case Control.PROMOTE:
            work.record(
                work.event(Kind.PROMOTED, f"promoted by {request.by}: the remaining waits are skipped"),
                promoted=True,
                paused=False,
                **_unless_broken(work),
            )
        case Control.ACCEPT_LIVE:
            _accept_live(work, request)
        case Control.REASSERT:
            _reassert(work, request)
        case _:
            assert_never(request.control)


def _resume(work: Work, request: ControlRequest) -> None:
    if work.deployment.paused or work.deployment.hold:
        changes = _going_on(work)
        work.record(work.event(Kind.RESUMED, f"resumed by {request.by}"), paused=False, **changes)


def _unless_broken(work: Work) -> dict[str, Any]:
    hold = work.deployment.hold
    decided = hold is not None and hold.kind in (HoldKind.PAUSE, HoldKind.INCONCLUSIVE)
    return _going_on(work) if decided else {}


def _accept_live(work: Work, request: ControlRequest) -> None:
    """The live weights, counts and blue's release become ours; the next step is written over them."""
    green, blue = drift.look(work)
    if refused := drift.unacceptable(work, green):
        work.publish(work.event(Kind.WARNING, f"the live state is not accepted: {refused}"))
        return
    routes = tuple(_adopt(work, route) for route in work.deployment.routes)
    work.record(
        work.event(Kind.RESUMED, f"resumed by {request.by}: the live state is accepted"),
        routes=routes,
        **_test_route_adopted(work),
        **_groups_adopted(work),
        **_going_on(work),
        **drift.accepted(work, green, blue),
    )


def _adopt(work: Work, route: Route) -> Route:
    live = routing.observe(work, route)
    return replace(
        route, shape=live.shape, written=Written(live.split, work.now(), confirmed=True), previous=live.split
    )


def _groups_adopted(work: Work) -> dict[str, Any]:
    """They are compared before the teardown alone."""
    d = work.deployment
    if d.phase is not Phase.TEARDOWN or not d.groups:
        return {}
    return {"groups": work.world.router.settings((d.blue, d.green))}


def _test_route_adopted(work: Work) -> dict[str, Any]:
    route = routing.tests_rely_on(work.deployment)
    return {} if route is None else {"test_route": _adopt(work, route)}


def _reassert(work: Work, request: ControlRequest) -> None:
    drift.reassert(work, *drift.look_at_both(work))
    d = work.deployment
    written = [(route, route.written.split) for route in d.routes if route.written]
    test_route = routing.tests_rely_on(d)
    if cold := _gets_more_than_it_can(work, written):
        text = f"the weights are not written again: {cold}; once it has, bluegreen resume {d.service} --reassert"
        work.publish(work.event(Kind.WARNING, text))
        return
    _announce_again(work)
    for route, split in written:
        routing.write(work, route, split)
    if test_route is not None and test_route.written is not None:
        routing.write(work, test_route, test_route.written.split)
    routes = tuple(_adopt(work, route) for route in d.routes)
    work.record(
        work.event(Kind.RESUMED, f"resumed by {request.by}: what this deployment set is set again"),
        routes=routes,
        **_test_route_adopted(work),
        **_going_on(work),
    )


def _gets_more_than_it_can(work: Work, written: Sequence[tuple[Route, Split]]) -> str | None:
    """Why a slot that would get a greater share cannot take it: both were looked at just now."""
    d = work.deployment
    sides = (("green", d.green, drift.green_keeps(d)), ("blue", d.blue, drift.blue_keeps(d)))
    for route, split in written:
        live = routing.observe(work, route).split
        for (role, slot, keeps), more in zip(sides, _more(split, live), strict=True):
            healthy, need = work.slots_seen[slot.name].healthy, d.spec.health.required(max(1, keeps))
            if more and healthy < need:
                return f"{role} {slot.name} has {healthy} of {need} required healthy targets"
    return None


def _more(split: Split, live: Split) -> tuple[bool, bool]:
    """Whether green, and whether blue, gets a greater share by the first than by the second."""
    if split.same_share(live):
        return False, False
    none = live.blue + live.green == 0
    greener = split.green_percent - live.green_percent
    return greener > 0 or (none and split.green > 0), greener < 0 or (none and split.blue > 0)


def _announce_again(work: Work) -> None:
    """No split is written that the record does not announce: a rollback trusts it."""
    now = work.now()
    work.record(
        routes=tuple(
            replace(route, written=Written(route.written.split, now)) if route.written else route
            for route in work.deployment.routes
        )
    )


def _going_on(work: Work) -> dict[str, Any]:
    # Imported now: a rollback that nobody held needs nothing of the hooks, and is timed.
    from bluegreen.lifecycle.hooks.hook_time import going_on

    return going_on(work.deployment, work.now())
