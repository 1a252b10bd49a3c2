"""The one way a split is written: read, decide, fence, write, read back. Every router shares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from bluegreen.clock import Clock
from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import LiveRoute
from bluegreen.domain.split import Split
from bluegreen.errors import BluegreenError, ThrottledError, UnreachableError
from bluegreen.traffic.actions import Action, live_route, with_split
from bluegreen.traffic.base import Fence, Inspect, accept

READ_BACK_SECONDS = 1.0
"""How long a read-back may show the state before the write; a read may be answered by an older replica."""

READ_BACK_PAUSE = 0.1

THROTTLED_SECONDS = 20.0
"""How long a throttled read-back is repeated: less than a lease."""


class ActionStore(Protocol):
    """Where a route's action list lives."""

    def fetch(self, route: Route) -> list[Action]: ...

    def replace(self, route: Route, actions: list[Action]) -> None: ...


def place(route: Route) -> str:
    return f"route {route.name} ({route.arn})"


def read_split(store: ActionStore, route: Route, blue: Slot, green: Slot) -> LiveRoute:
    return live_route(store.fetch(route), blue, green, place=place(route))


def shift_split(
    store: ActionStore,
    route: Route,
    blue: Slot,
    green: Slot,
    desired: Split,
    *,
    fence: Fence,
    clock: Clock,
    insist: bool = False,
    inspect: Inspect = accept,
    write_pauses: Sequence[float] = (),
) -> LiveRoute:
    """Answers what was read back, which is another split when a writer came in between.

    A throttled write has changed nothing: it is repeated after each of ``write_pauses`` (seconds), fenced anew.
    Raises UnreachableError when the write got no answer and the read-back does not show it: it may still take effect.
    An error up to AWS's answer to the write says ``changed_nothing``.
    """
    try:
        actions = store.fetch(route)
        before = live_route(actions, blue, green, place=place(route))
        inspect(before)
        wanted = with_split(actions, blue, green, desired, place=place(route))
        if _is_so(before, desired) and not insist:
            return before
        unanswered = _write_fenced(store, route, wanted, fence, clock, write_pauses)
    except BluegreenError as error:
        error.changed_nothing = True
        raise
    live = _look_again(store, route, blue, green, desired, clock)
    if unanswered is not None and not _is_so(live, desired):
        raise unanswered
    return live if unanswered is None else replace(live, overwritten=before.split)


def _is_so(live: LiveRoute, desired: Split) -> bool:
    return live.split.same_share(desired) and len(live.attached) == 2


def _write_fenced(
    store: ActionStore, route: Route, actions: list[Action], fence: Fence, clock: Clock, pauses: Sequence[float]
) -> UnreachableError | None:
    for pause in pauses:
        fence()
        try:
            return _write(store, route, actions)
        except ThrottledError:
            clock.sleep(pause)
    fence()
    return _write(store, route, actions)


def _write(store: ActionStore, route: Route, actions: list[Action]) -> UnreachableError | None:
    try:
        store.replace(route, actions)
    except UnreachableError as error:
        return error
    return None


def _look_again(store: ActionStore, route: Route, blue: Slot, green: Slot, desired: Split, clock: Clock) -> LiveRoute:
    """A throttle is waited out here: given up, what was written would stay unconfirmed in the record."""
    until = clock.monotonic() + THROTTLED_SECONDS
    while True:
        try:
            return _read_back(store, route, blue, green, desired, clock)
        except BluegreenError as error:
            error.changed_nothing = False
            if not isinstance(error, ThrottledError) or clock.monotonic() >= until:
                raise
            clock.sleep(READ_BACK_PAUSE)


def _read_back(store: ActionStore, route: Route, blue: Slot, green: Slot, desired: Split, clock: Clock) -> LiveRoute:
    until = clock.monotonic() + READ_BACK_SECONDS
    while True:
        live = read_split(store, route, blue, green)
        if _is_so(live, desired) or clock.monotonic() >= until:
            return live
        clock.sleep(READ_BACK_PAUSE)
