"""A rollback when the state store cannot be read: the configuration and the live routes are enough (safety rule 8).

It puts traffic back and nothing else: without the record it may not know what else was changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import LiveRoute, SlotHealth
from bluegreen.domain.spec import Spec
from bluegreen.domain.split import ALL_BLUE, Split
from bluegreen.errors import BluegreenError, HeldError, RefusedError
from bluegreen.wiring import Session


@dataclass(frozen=True, slots=True)
class Bare:
    """What will be written: every route sends everything to ``blue``."""

    blue: Slot
    green: Slot
    routes: tuple[Route, ...]
    why: str


def plan_without_record(session: Session, spec: Spec, *, to: str | None = None, force: bool = False) -> Bare:
    """Read the live world and tell the roles. Raises RefusedError, rather than guess, where it cannot."""
    slots = session.compute.resolve(spec)
    routes = tuple(session.router.resolve(route, slots) for route in spec.production)
    live = [session.router.read(route, *slots) for route in routes]
    health = {slot.name: session.compute.health(slot) for slot in slots}
    blue, why = _tell_blue(slots, live, health, to)
    green = slots[1] if blue == slots[0] else slots[0]
    need = spec.health.required(health[blue.name].desired)
    if health[blue.name].healthy < need and not force:
        raise RefusedError(
            f"{blue.name} has {health[blue.name].healthy} of {need} required healthy targets: "
            "traffic sent there would be lost",
            hint="--force sends it there all the same; --to SLOT names the other slot",
        )
    return Bare(blue, green, routes, why)


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


def _tell_blue(
    slots: tuple[Slot, Slot], live: list[LiveRoute], health: dict[str, SlotHealth], to: str | None
) -> tuple[Slot, str]:
    """Blue is the slot whose service was changed longer ago: a deployment changes green only."""
    if to is not None:
        named = [slot for slot in slots if to in (slot.name, slot.service)]
        if not named:
            raise RefusedError(f"{to} is neither slot", hint=f"--to takes {slots[0].name} or {slots[1].name} here")
        return named[0], "named by --to"
    warm = [slot for slot in slots if health[slot.name].healthy]
    if len(warm) < 2:
        only = f"only {warm[0].name} has healthy targets" if warm else "no slot has healthy targets"
        raise RefusedError(
            f"{only}: there is no warm blue to go back to, and without the record no release to deploy again",
            hint="reach the state store, or deploy the last good release with bluegreen deploy --task-definition",
        )
    first, second = (health[slot.name].changed_at for slot in slots)
    if first is None or second is None or first == second:
        raise RefusedError(
            "which slot is blue cannot be told: AWS does not say when each service was changed",
            hint=f"--to {slots[0].name} or --to {slots[1].name} says it",
        )
    older, newer = (slots[0], slots[1]) if first < second else (slots[1], slots[0])
    return older, f"{older.name} was changed before {newer.name}, and a deployment changes green only"
