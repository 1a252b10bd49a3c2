"""Which of the routes that lead to the two slots carry users, and which one carries tests. Pure.

A route that is neither would stay on blue and break when blue is scaled in; so what is not the test route is
production, unless it leads to the idle slot already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bluegreen.discovery.base import RouteFacts, group_name
from bluegreen.discovery.found import Chosen, Pair, Routes
from bluegreen.errors import RefusedError

USERS_PORTS = (443, 80)

MOVE = "if users come this way, list it under production"


def sort_routes(routes: Sequence[RouteFacts], pair: Pair) -> Routes:
    """Raises RefusedError when nothing forwards to either slot."""
    groups = pair.groups
    ours = [route for route in routes if set(route.weights) & set(groups)]
    if not ours:
        first, second = (group_name(group) for group in groups)
        raise RefusedError(
            f"no listener or rule forwards to {first} or {second}",
            hint="forward the users' listener or rule to the slot that serves now, then run bluegreen init again",
        )
    main = _main(ours)
    live = _live(main, pair)
    test = _test(ours, main, groups, live)
    production, left_out = [], []
    for route in ours:
        if test is not None and route is test.route:
            continue
        if live is not None and _side(route, groups) not in (live, None):
            left_out.append(Chosen(route, f"it leads to {group_name(_idle(groups, live))}, which is idle"))
        else:
            production.append(_production(route, main))
    return Routes(tuple(production), test, tuple(left_out), live)


# Private

_TESTING = r"test|green|canary|preview|staging|smoke"


def _main(ours: Sequence[RouteFacts]) -> list[RouteFacts]:
    """On the users' ports of each load balancer, without a header condition: these carry users for sure."""
    plain = [route for route in ours if route.header is None] or list(ours)
    ports = _users_ports(plain)
    return [route for route in plain if route.port in ports[route.balancer.arn]]


def _users_ports(routes: Sequence[RouteFacts]) -> Mapping[str, frozenset[int]]:
    """443 and 80, or the lowest there is."""
    known: dict[str, set[int]] = {}
    for route in routes:
        known.setdefault(route.balancer.arn, set()).add(route.port)
    return {arn: frozenset(ports & set(USERS_PORTS) or {min(ports)}) for arn, ports in known.items()}


def _side(route: RouteFacts, groups: tuple[str, str]) -> str | None:
    """The one group that has all the weight."""
    weighted = [group for group in groups if route.weights.get(group, 0)]
    return weighted[0] if len(weighted) == 1 else None


def _live(main: Sequence[RouteFacts], pair: Pair) -> str | None:
    """Where most of them lead. A route for tests may be among them: the slot that runs tasks wins a draw."""
    sides = [_side(route, pair.groups) for route in main]
    if None in sides:
        return None
    ranks = {slot.group: (sides.count(slot.group), slot.desired > 0) for slot in pair.slots}
    first, second = pair.groups
    return None if ranks[first] == ranks[second] else max(pair.groups, key=lambda group: ranks[group])


def _idle(groups: tuple[str, str], live: str) -> str:
    return groups[1] if live == groups[0] else groups[0]


def _test(
    ours: Sequence[RouteFacts], main: Sequence[RouteFacts], groups: tuple[str, str], live: str | None
) -> Chosen | None:
    """The surest sign first."""
    others = [route for route in ours if route not in main]
    users = {(route.balancer.arn, route.port) for route in main}
    to_idle = [route for route in ours if live is not None and _side(route, groups) == _idle(groups, live)]
    signs = (
        ([route for route in others if route in to_idle], "it leads to the idle slot"),
        ([route for route in others if (route.balancer.arn, route.port) not in users], "not a users' port"),
        (others, "it asks for a header"),
        (to_idle, "it leads to the idle slot"),
    )
    for candidates, sign in signs:
        usable = [route for route in candidates if route.header is None or _can_ask(route)]
        if usable:
            best = min(usable, key=_rank)
            return Chosen(best, f"{sign}; {MOVE}", guess=True)
    return None


def _rank(route: RouteFacts) -> tuple[bool, bool, bool]:
    """One that is called a test route first; then a default action, which takes any request."""
    values = [each for word in ("host", "path") for each in route.condition(word)]
    name, wanted = route.header or ("", ())
    called = re.search(_TESTING, " ".join((name, *wanted, *values)), re.IGNORECASE) is not None
    return not called, route.rule is not None or route.by_arn, route.by_arn


def _can_ask(route: RouteFacts) -> bool:
    return route.header is not None and test_header(route) is not None


def test_header(route: RouteFacts) -> tuple[str, str] | None:
    """A header that meets the route's condition; None where it has none, or only a regular expression."""
    if route.header is None:
        return None
    name, values = route.header
    plain = [value for value in values if not value.startswith("regex:") and "\\" not in value]
    meeting = sorted(plain, key=lambda value: ("*" in value or "?" in value, values.index(value)))
    return (name, meeting[0].replace("*", "").replace("?", "x").strip() or "1") if meeting else None


def _production(route: RouteFacts, main: Sequence[RouteFacts]) -> Chosen:
    if route not in main:
        return Chosen(route, "there is another test route; this one moves with production", guess=True)
    if route.by_arn:
        return Chosen(route, f"a rule of port {route.port}, by its ARN: its conditions have no words here")
    return Chosen(route, "the listener's default action" if route.rule is None else "a rule")
