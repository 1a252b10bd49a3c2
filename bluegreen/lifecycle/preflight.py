"""What a deploy would refuse, found before anything is changed: what the survey read, judged without any I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.domain.health import LiveRoute
from bluegreen.domain.spec import AlreadyFiring, HookPoint
from bluegreen.lifecycle.survey import Found, where_is
from bluegreen.lifecycle.undo import scaling
from bluegreen.lifecycle.undo.reverting import changed_since

_WITHOUT_A_SAY = (HookPoint.ON_ROLLBACK, HookPoint.ON_SUCCESS)


@dataclass(frozen=True, slots=True)
class Problem:
    """``severity``: ``refuse``, ``force`` (refused unless forced) or ``warn``. ``where`` names the resource."""

    severity: str
    where: str
    message: str
    fix: str


def judge(found: Found) -> tuple[Problem, ...]:
    """Every problem; a deploy starts when none is left that refuses."""
    checks = (
        _errors,
        _denied,
        _active,
        _same_route,
        _foreign,
        _roles,
        _health,
        _scaling,
        _groups,
        _sticky,
        _quarantine,
        _deregistered,
        _hooks,
        _gates,
    )
    return tuple(problem for check in checks for problem in check(found))


# Private


def _errors(found: Found) -> Iterator[Problem]:
    for where, error in found.errors:
        yield Problem("refuse", where, error.message, error.hint or "mend it, then run bluegreen verify")


def _denied(found: Found) -> Iterator[Problem]:
    for where, error, without in found.denied:
        yield Problem("warn", where, f"{error.message}: {without}", error.hint or "grant it")


def _active(found: Found) -> Iterator[Problem]:
    service, d = found.spec.service, found.unfinished
    if found.state.active is None:
        return
    stands = f" in phase {d.phase}" if d else ""
    stands += f", held: {d.hold.reason}" if d and d.hold else ""
    stands += "".join(f"; {name} is at {_shares(found, live)}" for name, live in found.live.items())
    yield Problem(
        "refuse",
        f"service {service}",
        f"deployment {found.state.active} is unfinished{stands}; {_who_drives(found)}",
        f"it is left as it is: bluegreen resume {service} finishes it, bluegreen rollback {service} puts blue back",
    )


def _who_drives(found: Found) -> str:
    lease = found.state.lease
    if lease is None:
        return "no process drives it"
    if found.gone:
        return f"its driver {lease.owner} is dead"
    ended = found.at - lease.expires_at
    silent = f"its driver {lease.owner} fell silent: its lock ended {ended:.0f} s ago"
    return silent if ended >= 0 else f"{lease.owner} drives it"


def _shares(found: Found, live: LiveRoute) -> str:
    if not live.split.blue + live.split.green:
        return "no weight at all"
    assert found.slots is not None
    return f"{found.slots[0].name} {live.split.blue} / {found.slots[1].name} {live.split.green}"


def _same_route(found: Found) -> Iterator[Problem]:
    """What leads to one listener or rule, however it is written: only AWS knows that."""
    seen: set[str] = set()
    for route in found.routes:
        if route.arn in seen:
            message = f"production names this {route.kind} more than once, and it can be shifted only once"
            yield Problem("refuse", route.name, message, "remove all but one of them from production")
            return
        seen.add(route.arn)
    test = found.test_route
    if test is not None and test.arn in seen:
        yield Problem(
            "refuse",
            "test",
            f"the test route is the production route {test.name}: it would send every user to an untested green",
            "give the test route a listener or a rule of its own, or leave test out",
        )


def _foreign(found: Found) -> Iterator[Problem]:
    test = {found.test_route.name: found.test_live} if found.test_route and found.test_live else {}
    for name, live in (found.live | test).items():
        if live.others:
            yield Problem(
                "refuse",
                name,
                f"the forward also has {', '.join(live.others)}, which is neither slot's target group",
                "take it out of the forward: a write would have to guess its weight",
            )


def _roles(found: Found) -> Iterator[Problem]:
    if found.slots is None or not found.live or found.roles is not None or found.state.active:
        return
    for name, live in found.live.items():
        yield Problem(
            "refuse",
            name,
            f"which slot is live cannot be told from the live weights: {_shares(found, live)}",
            "every production route must send everything to one and the same slot: set the weights",
        )


def _health(found: Found) -> Iterator[Problem]:
    roles = found.roles
    if roles is None:
        return
    blue, green = (found.health.get(slot.name) for slot in roles)
    if blue is not None:
        need = found.spec.health.required(blue.desired)
        if blue.healthy < need:
            yield Problem(
                "force",
                f"slot {roles[0].name}",
                f"blue has {blue.healthy} of {need} required healthy targets: there would be nothing to roll back to",
                "mend blue first, or deploy with --force"
                + ("" if blue.desired else ": green then launches one task, for blue shows no number to follow"),
            )
    if green is not None and green.desired > 0:
        yield Problem(
            "warn",
            f"slot {roles[1].name}",
            f"the idle slot runs {green.desired} tasks of {green.release}; they are replaced",
            "nothing, if nobody needs them",
        )


def _scaling(found: Found) -> Iterator[Problem]:
    roles = found.roles
    if roles is None or not found.scaling or roles[0].name not in found.health:
        return
    for where, message, fix in scaling.warnings(*roles, found.scaling, found.health[roles[0].name].desired):
        yield Problem("warn", where, message, fix)


def _groups(found: Found) -> Iterator[Problem]:
    """A release that comes back may have been good with another health check."""
    roles, entry = found.roles, found.returning
    group = next((group for group in found.groups if roles and group.slot == roles[1].name), None)
    if entry is None or group is None:
        return
    changed = changed_since(entry, group)
    if changed:
        message = f"{entry.release.id} was known good with other settings: {changed}"
        yield Problem("warn", f"target group {group.slot}", message, "take it back first, if the release needs it")


def _sticky(found: Found) -> Iterator[Problem]:
    for name, live in found.live.items():
        if live.sticky:
            yield Problem(
                "warn",
                name,
                f"target-group stickiness is on ({live.sticky} s): users who met green may stay there after a "
                "rollback, and a canary's share follows new sessions, not requests",
                "turn it off for the deployment where you can",
            )


def _quarantine(found: Found) -> Iterator[Problem]:
    for entry in found.state.quarantine:
        if found.fingerprint is not None and entry.fingerprint == found.fingerprint:
            yield Problem(
                "force",
                f"release {entry.release.id}",
                f"it was rolled back by deployment {entry.deployment}: {entry.reason}",
                "deploy another release, or this one again with --force",
            )
            return


def _hooks(found: Found) -> Iterator[Problem]:
    """A good release would be rolled back, and quarantined, for what no release can mend."""
    for hook, error in found.mute:
        severity = "warn" if hook.dry_run or hook.point in _WITHOUT_A_SAY else "refuse"
        message = f"it could not be asked: {error.message}"
        yield Problem(severity, where_is(hook), message, error.hint or "mend it, then run bluegreen verify")


def _deregistered(found: Found) -> Iterator[Problem]:
    if found.deregistered is not None:
        yield Problem(
            "warn",
            f"task definition {found.deregistered}",
            "it was deregistered, so ECS starts nothing with it: its content is registered again as a new revision",
            "nothing, if it was not deregistered for a reason",
        )


def _gates(found: Found) -> Iterator[Problem]:
    for gate in found.spec.gates:
        if gate.name not in found.firing:
            continue
        detail = found.gates[gate.name].detail
        if gate.already_firing is AlreadyFiring.REFUSE:
            yield Problem(
                "refuse",
                f"gate {gate.name}",
                f"it fires before anything was changed: {detail}",
                "wait until it is quiet, or set already_firing: ignore for this gate",
            )
        else:
            yield Problem(
                "warn",
                f"gate {gate.name}",
                f"it fires already and is not watched until it was quiet once: {detail}",
                "nothing, if that is known",
            )
