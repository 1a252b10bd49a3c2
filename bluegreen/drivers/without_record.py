"""A rollback when the state store cannot be read: the configuration and the live routes are enough (safety rule 8).

It puts traffic back and nothing else: without the record it may not know what else was changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import LiveRoute, SlotHealth
from bluegreen.domain.spec import Spec
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split
from bluegreen.errors import BluegreenError, HeldError, RefusedError
from bluegreen.wiring import Session


@dataclass(frozen=True, slots=True)
class Bare:
    """What will be written: every route sends everything to ``blue``. ``done``: they do so already."""

    blue: Slot
    green: Slot
    routes: tuple[Route, ...]
    why: str
    done: bool = False


def plan_without_record(session: Session, spec: Spec, *, to: str | None = None, force: bool = False) -> Bare:
    """Read the live world and tell the roles. Raises RefusedError, rather than guess, where it cannot."""
    slots = session.compute.resolve(spec)
    routes = tuple(session.router.resolve(route, slots) for route in spec.production)
    live = [session.router.read(route, *slots) for route in routes]
    health = {slot.name: session.compute.health(slot) for slot in slots}
    blue, why = _named(slots, to) if to else _told(session, spec, slots, live, health)
    green = slots[1] if blue == slots[0] else slots[0]
    need = spec.health.required(health[blue.name].desired)
    if health[blue.name].healthy < need and not force:
        raise RefusedError(
            f"{blue.name} has {health[blue.name].healthy} of {need} required healthy targets: "
            "traffic sent there would be lost",
            hint="--force sends it there all the same; --to SLOT names the other slot",
        )
    return Bare(blue, green, routes, why, done=_all_on(blue, slots, live))


def flip_without_record(session: Session, bare: Bare) -> tuple[Split, ...]:
    """Write every route; answers the splits as read back (``blue`` is the slot that was chosen).

    A route that cannot be written does not keep the others back. Raises what it met, or HeldError where some were
    written and some were not.
    """
    splits: list[Split] = []
    left: list[str] = []
    refused: BluegreenError | None = None
    for route in bare.routes:
        try:
            splits.append(session.router.shift(route, bare.blue, bare.green, ALL_BLUE, lambda: None).split)
        except BluegreenError as error:
            refused = refused or error
            left.append(route.name)
    if refused is not None:
        raise _unfinished(bare, left, refused)
    return tuple(splits)


# Private


def _unfinished(bare: Bare, left: list[str], error: BluegreenError) -> BluegreenError:
    done = [route.name for route in bare.routes if route.name not in left]
    if not done:
        return error
    stands = f"{', '.join(done)}: all traffic is on {bare.blue.name}; {', '.join(left)} could not be written"
    return HeldError(
        f"{stands}: {error.message}",
        hint=f"{error.hint or 'mend it'}, then repeat the rollback",
    )


def _named(slots: tuple[Slot, Slot], to: str) -> tuple[Slot, str]:
    named = [slot for slot in slots if to in (slot.name, slot.service)]
    if not named:
        raise RefusedError(f"{to} is neither slot", hint=f"--to takes {slots[0].name} or {slots[1].name} here")
    return named[0], "named by --to"


def _told(
    session: Session, spec: Spec, slots: tuple[Slot, Slot], live: list[LiveRoute], health: dict[str, SlotHealth]
) -> tuple[Slot, str]:
    """Blue is the slot whose service was set up longer ago: a deployment sets green up anew, whatever it had before,
    and leaves blue alone. Others may not: where users are to be sent elsewhere by it, a second witness must agree."""
    warm = [slot for slot in slots if health[slot.name].healthy and health[slot.name].desired]
    if len(warm) < 2:
        only = f"only {warm[0].name} has tasks that stay healthy" if warm else "no slot has tasks that stay healthy"
        raise RefusedError(
            f"{only}: there is no warm blue to go back to, and without the record no release to deploy again",
            hint="reach the state store, or deploy the last good release with bluegreen deploy --task-definition",
        )
    first, second = (health[slot.name].changed_at for slot in slots)
    if first is None or second is None or first == second:
        raise _untold(slots, "AWS does not say when each service was set up")
    blue, green = slots if first < second else slots[::-1]
    why = f"{green.name} was set up {_moment(max(first, second))}, {blue.name} {_moment(min(first, second))}"
    if _all_on(blue, slots, live):
        return blue, f"{why}: a deployment sets up green only"
    witness = _test_route(session, spec, blue, green) or _revisions(health[blue.name], health[green.name])
    if witness is None:
        return blue, f"{why}: a deployment sets up green only"
    said, agrees = witness
    if not agrees:
        raise _untold(slots, f"{why}, as if {green.name} were green, but {said}")
    return blue, f"{why}, and {said}: a deployment sets up green only"


def _untold(slots: tuple[Slot, Slot], why: str) -> RefusedError:
    return RefusedError(
        f"which slot is blue cannot be told, and nothing was written: {why}",
        hint=f"--to {slots[0].name} or --to {slots[1].name} says which slot is to get all traffic",
    )


def _test_route(session: Session, spec: Spec, blue: Slot, green: Slot) -> tuple[str, bool] | None:
    """From its tests on a deployment keeps the test route on green. None: there is none, or it says nothing."""
    if spec.test is None:
        return None
    try:
        route = session.router.resolve(spec.test, (blue, green))
        split = session.router.read(route, blue, green).split
    except BluegreenError:
        return None
    for slot, whole in ((green, ALL_GREEN), (blue, ALL_BLUE)):
        if split.same_share(whole):
            return f"the test route {route.name} leads to {slot.name}", slot == green
    return None


def _revisions(blue: SlotHealth, green: SlotHealth) -> tuple[str, bool] | None:
    """A new release is a later revision. None for two families, which say nothing of each other."""
    ids = [(health.release or "").rsplit("/", 1)[-1] for health in (blue, green)]
    (family, _, before), (other, _, after) = (text.rpartition(":") for text in ids)
    if family != other or not (before.isdecimal() and after.isdecimal()):
        return None
    return f"it has {ids[1]} where the other has {ids[0]}", int(after) > int(before)


def _all_on(slot: Slot, slots: tuple[Slot, Slot], live: list[LiveRoute]) -> bool:
    """``live`` is by the configured order of the slots."""
    whole = ALL_BLUE if slot == slots[0] else ALL_GREEN
    return all(seen.split.same_share(whole) and not seen.stray for seen in live)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
