"""What a release was besides its task definition, and what of it a rollback leaves as somebody changed it.

A deployment changes no target group and nothing of a route but its weights. A release may come with such changes made
elsewhere: a rollback cannot know whether they are wanted, so it names each with the command that takes it back.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Kind
from bluegreen.domain.health import GroupSettings
from bluegreen.domain.release import KnownGood
from bluegreen.errors import AwsError, RefusedError
from bluegreen.lifecycle.undo.scaling import service_range
from bluegreen.lifecycle.work import Work
from bluegreen.traffic.actions import besides_weights


def say_what_stays(work: Work) -> None:
    """After a rollback: a warning for each target group and route that is not as the deployment found it."""
    d = work.deployment
    if d.let_go:
        return
    try:
        found = (*_routes_lost(d), *groups_that_differ(work), *_routes_that_differ(work), *_slots_that_differ(work))
    except (AwsError, RefusedError) as error:
        found = (*_routes_lost(d), f"what else changed since the deployment began could not be read: {error.message}")
    if found != d.not_reverted:
        events = [work.event(Kind.WARNING, f"not reverted: {each}") for each in found]
        work.record(*events, not_reverted=found)


def whole_of(work: Work, ended: Deployment) -> dict[str, object]:
    """For the ledger, as read just now; what cannot be read is kept as the deployment found it."""
    d = ended
    try:
        groups = work.world.router.settings((d.blue, d.green))
        routes = {route.name: work.world.router.read(route, d.blue, d.green).actions for route in d.routes}
    except (AwsError, RefusedError):
        groups_found, routes = d.groups, {route.name: route.before for route in d.routes}
    else:
        groups_found = groups
    live = next((group for group in groups_found if group.slot == d.green.name), None)
    return {
        "group": {} if live is None else {"health_check": live.health_check, "attributes": live.attributes},
        "routes": {name: json.loads(actions) if actions else [] for name, actions in routes.items()},
        "scaling": service_range(d),
    }


def changed_since(entry: KnownGood, group: GroupSettings) -> str | None:
    """What of the target group is not as it was when the release was known good, with the command; None if nothing."""
    known = entry.whole.get("group")
    if not isinstance(known, dict) or not known:
        return None
    then = GroupSettings(group.slot, group.target_group_arn, known["health_check"], known["attributes"])
    return _difference(then, group)


def groups_that_differ(work: Work) -> Iterator[str]:
    """Each target group whose settings are not as the deployment found them: both values, and what takes it back."""
    d = work.deployment
    if not d.groups:
        return
    now = {group.slot: group for group in work.world.router.settings((d.blue, d.green))}
    for then in d.groups:
        if then.slot in now and (difference := _difference(then, now[then.slot])):
            yield f"target group {then.slot}: {difference}"


# Private


def _routes_lost(d: Deployment) -> Iterator[str]:
    for route in d.lost:
        yield f"{route.name}, which somebody removed during the deployment; its actions were: {route.before}"


def _difference(then: GroupSettings, now: GroupSettings) -> str | None:
    checks = _changed(then.health_check, now.health_check)
    attributes = _changed(then.attributes, now.attributes)
    if not checks and not attributes:
        return None
    said = [f"{key} is {new or 'not set'}, was {old or 'not set'}" for key, old, new in (*checks, *attributes)]
    commands = [
        *_command("modify-target-group", then, [_option(key, old) for key, old, _ in checks if old]),
        *_command("modify-target-group-attributes", then, _attribute_options(attributes)),
    ]
    return ", ".join(said) + (f"; to take it back: {' && '.join(commands)}" if commands else "")


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(key, then, now) of every value that is another one; empty where it is not set."""
    pairs = [(key, then.get(key, ""), now.get(key, "")) for key in sorted({*then, *now})]
    return [(key, old, new) for key, old, new in pairs if old != new]


def _command(name: str, group: GroupSettings, options: list[str]) -> list[str]:
    arn = shlex.quote(group.target_group_arn)
    return [f"aws elbv2 {name} --target-group-arn {arn} {' '.join(options)}"] if options else []


def _option(key: str, value: str) -> str:
    if key.startswith("Matcher."):
        return "--matcher " + shlex.quote(json.dumps({key.removeprefix("Matcher."): value}))
    words = re.sub(r"(?<!^)([A-Z])", r"-\1", key).lower()
    if key == "HealthCheckEnabled":
        return f"--{'' if value == 'true' else 'no-'}{words}"
    return f"--{words} {shlex.quote(value)}"


def _attribute_options(changed: list[tuple[str, str, str]]) -> list[str]:
    options = [shlex.quote(f"Key={key},Value={old}") for key, old, _ in changed if old]
    return ["--attributes", *options] if options else []


def _routes_that_differ(work: Work) -> Iterator[str]:
    d = work.deployment
    for route in d.routes:
        if not route.before:
            continue
        live = work.world.router.read(route, d.blue, d.green).actions
        if besides_weights(live) != besides_weights(route.before):
            yield (
                f"the actions of {route.name} besides the weights, which somebody changed during the deployment; "
                f"they were: {json.dumps(besides_weights(route.before), sort_keys=True)}"
            )


def _slots_that_differ(work: Work) -> Iterator[str]:
    d = work.deployment
    green, blue = work.world.compute.health_beside(d.green, d.blue)
    if d.launched and (green.running or green.desired):
        yield (
            f"green {d.green.service}, which is not scaled in: {green.running} tasks run, {green.desired} are wanted; "
            f"to end them: aws ecs update-service --cluster {shlex.quote(d.green.cluster)} "
            f"--service {shlex.quote(d.green.service)} --desired-count 0"
        )
    if blue.release != d.previous.task_definition:
        now = (blue.release or "nothing").rsplit("/", 1)[-1]
        yield (
            f"blue {d.blue.service} is set to {now} by someone else, was {d.previous.id}; to take it back: "
            f"aws ecs update-service --cluster {shlex.quote(d.blue.cluster)} --service {shlex.quote(d.blue.service)} "
            f"--task-definition {shlex.quote(d.previous.id)}"
        )
