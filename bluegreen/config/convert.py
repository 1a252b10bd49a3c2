"""From the checked model to the domain's Spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bluegreen.config.entries import HookEntry
from bluegreen.config.kinds import TOGETHER, Entries, Kinds, entry_lists, kind_of, notify_list
from bluegreen.config.model import Configuration, DeadlinesSection, Route, Rule, TestRoute
from bluegreen.config.problems import Path, Problem
from bluegreen.config.source import Node, find
from bluegreen.config.values import seconds_of
from bluegreen.domain.spec import (
    AlreadyFiring,
    Consequence,
    Deadlines,
    GateSpec,
    HealthSpec,
    HookPoint,
    HookSpec,
    Moment,
    NotifySpec,
    RouteSpec,
    SlotSpec,
    Spec,
    Undecided,
)

A_PERSON = 86400.0
"""Seconds that an approval waits for a person where neither its timeout nor its deadline is given."""

_ANSWER_IN_TIME = 60.0
"""Seconds by which an approval's own deadline, with its consequence, comes before the hook's timeout."""


def to_spec(model: Configuration, written: object, kinds: Kinds) -> Spec:
    """``written`` is the file's content with ``${VAR}`` as it stands: hooks and gates keep it."""
    first, second = (SlotSpec(slot.target_group, slot.service) for slot in model.slots)
    return Spec(
        service=model.service,
        cluster=model.cluster,
        slots=(first, second),
        production=tuple(_route(route) for route in model.production),
        test=_route(model.test) if model.test else None,
        test_base_url=_base_url(model.test),
        test_header=_test_header(model.test),
        region=model.region,
        shift=model.shift.schedule(),
        bake=model.bake.time,
        health=HealthSpec(model.health.percent, model.health.settle),
        settle=model.settle,
        hooks=tuple(_hooks(model, written, kinds)),
        gates=tuple(_gates(model, written, kinds)),
        gate_interval=model.gate_interval,
        deadlines=_deadlines(model.deadlines),
        hook_timeouts={HookPoint(point): time for point, time in model.hooks.timeouts if time is not None},
        on_hook_timeout=Consequence(model.hooks.on_timeout),
        notify=tuple(_notifiers(model, written, kinds)),
    )


def route_problems(model: Configuration, root: Node) -> Iterator[Problem]:
    """What two keys that are right by themselves get wrong together. Other ways to name one route twice, as by its ARN,
    are for the preflight to find."""
    routes = [_unordered(route) for route in model.production]
    if any(later in routes[:index] for index, later in enumerate(routes)):
        yield Problem(("production",), "names the same route twice; remove one", find(root, ("production",))[0].place)
    test = model.test
    if test is None:
        return
    place = find(root, ("test",))[0].place
    if _unordered(test) in routes:
        text = "is also a production route: tests there would carry users' traffic; give it a port or a rule of its own"
        yield Problem(("test",), text, place)
    rule_header = test.rule.header if test.rule else None
    if rule_header is not None and _test_header(test) is None:
        text = "needs header: {name: ..., value: ...}, what a request must carry to match the rule's header condition"
        yield Problem(("test",), text, place)


# Private


def _route(route: Route) -> RouteSpec:
    return RouteSpec(route.load_balancer, route.port, route.arn, _rule(route.rule) if route.rule else None)


def _unordered(route: Route) -> RouteSpec:
    """Two routes that are written alike, but for the order of a list, are equal."""
    spec = _route(route)
    return replace(spec, rule={key: _sorted(value) for key, value in spec.rule.items()}) if spec.rule else spec


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(below) for key, below in value.items()}
    return sorted(value) if isinstance(value, list) else value


def _rule(rule: Rule) -> dict[str, object]:
    return rule.model_dump(exclude_none=True)


def _base_url(test: TestRoute | None) -> str | None:
    return test.base_url.rstrip("/") if test and test.base_url else None


def _test_header(test: TestRoute | None) -> str | None:
    if test is None:
        return None
    if test.header is not None:
        return f"{test.header.name}: {test.header.value}"
    condition = test.rule.header if test.rule else None
    if condition is None or len(condition.values) != 1 or set(condition.values[0]) & {"*", "?"}:
        return None
    return f"{condition.name}: {condition.values[0]}"


def _deadlines(section: DeadlinesSection) -> Deadlines:
    chosen = {"on_hold": Consequence(section.on_hold), "on_deadline": Consequence(section.on_deadline)}
    return Deadlines(**(section.model_dump() | chosen))


def _hooks(model: Configuration, written: object, kinds: Kinds) -> Iterator[HookSpec]:
    """One that runs on a rollback as well is a hook of ``on_rollback`` too, under the name POINT/NAME."""
    first_group = 1
    for entries in entry_lists(kinds):
        if entries.path[0] != "hooks":
            continue
        point = HookPoint(str(entries.path[1]))
        listed: list[HookEntry] = getattr(model.hooks, point.value)
        flat = list(_together(listed, _written_list(written, entries.path), first_group))
        first_group += len(listed)
        raws = [raw for _, raw, _ in flat]
        found = _entries(entries, [entry for entry, _, _ in flat], raws)
        for (entry, name, kind, settings), (_, _, group) in zip(found, flat, strict=True):
            spec = _hook(entry, point, name, kind, settings, group)
            if "deploy" in entry.on:
                yield spec
            if "rollback" in entry.on:
                yield replace(spec, point=HookPoint.ON_ROLLBACK, name=f"{point}/{name}")


def _hook(
    entry: HookEntry, point: HookPoint, name: str, kind: str, settings: dict[str, object], group: int
) -> HookSpec:
    return HookSpec(
        point=point,
        name=name,
        kind=kind,
        settings=settings,
        timeout=entry.timeout if "timeout" in entry.model_fields_set else _patience(entry, kind, settings),
        retries=entry.retries,
        backoff=entry.backoff,
        unavailable=Consequence(entry.unavailable),
        group=group,
        dry_run=entry.dry_run,
    )


def _patience(entry: HookEntry, kind: str, settings: dict[str, object]) -> float:
    """How long one attempt may take where nothing is said: a person gets what a held deployment gives."""
    if kind != "approval":
        return entry.timeout
    deadline = seconds_of(str(settings.get("deadline", "")))
    return deadline + _ANSWER_IN_TIME if deadline else A_PERSON


def _together(listed: list[HookEntry], raws: list[Any], group: int) -> Iterator[tuple[HookEntry, Any, int]]:
    """Each hook with what the file says of it, and its group: 0 where it runs alone."""
    for number, (entry, raw) in enumerate(zip(listed, raws, strict=True)):
        if entry.parallel is None:
            yield entry, raw, 0
        else:
            inner = zip(entry.parallel, raw[TOGETHER], strict=True)
            yield from ((one, below, group + number) for one, below in inner)


def _gates(model: Configuration, written: object, kinds: Kinds) -> Iterator[GateSpec]:
    gates = next(entries for entries in entry_lists(kinds) if entries.word == "gate")
    raws = _written_list(written, gates.path)
    for entry, name, kind, settings in _entries(gates, model.gates, raws):
        yield GateSpec(name, kind, settings, AlreadyFiring(entry.already_firing), Undecided(entry.inconclusive))


def _notifiers(model: Configuration, written: object, kinds: Kinds) -> Iterator[NotifySpec]:
    entries = notify_list(kinds)
    raws = _written_list(written, entries.path)
    for entry, name, kind, settings in _entries(entries, model.notify, raws):
        yield NotifySpec(name, kind, settings, tuple(Moment(word) for word in entry.on), entry.timeout)


def _entries(entries: Entries, listed: list[Any], raws: list[Any]) -> Iterator[tuple[Any, str, str, dict[str, object]]]:
    taken = {entry.name for entry in listed if entry.name}
    for entry, raw in zip(listed, raws, strict=True):
        kind = kind_of(raw, entries)
        name = entry.name or _free_name(kind, taken)
        taken.add(name)
        yield entry, name, kind, dict(entries.long_form(kind, raw[kind]))


def _free_name(kind: str, taken: set[str]) -> str:
    number, name = 1, kind
    while name in taken:
        number += 1
        name = f"{kind}-{number}"
    return name


def _written_list(written: object, path: Path) -> list[Any]:
    value: Any = written
    for part in path:
        value = (value or {}).get(part)
    return value or []
