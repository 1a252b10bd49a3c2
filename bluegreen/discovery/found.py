"""What was found, and what was made of it: all that a configuration is written from."""

from __future__ import annotations

from dataclasses import dataclass

from bluegreen.discovery.base import RouteFacts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None is to be found. ``other`` is the ECS service of the second slot."""

    service: str | None = None
    cluster: str | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True)
class SlotFound:
    """``group`` is the target group's ARN."""

    service: str
    group: str
    target_group: str
    desired: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """``name`` is what both are called together, ``why`` says how the second was found, ``guess`` whether by name."""

    name: str
    slots: tuple[SlotFound, SlotFound]
    why: str
    guess: bool = False

    @property
    def groups(self) -> tuple[str, str]:
        return self.slots[0].group, self.slots[1].group


@dataclass(frozen=True, slots=True)
class Chosen:
    """A route and why it stands where it does; ``guess``: nothing live proves it."""

    route: RouteFacts
    why: str
    guess: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """``left_out`` are in the file as comments only. ``live`` is the target group that has all production traffic,
    None where the routes do not agree."""

    production: tuple[Chosen, ...]
    test: Chosen | None = None
    left_out: tuple[Chosen, ...] = ()
    live: str | None = None


@dataclass(frozen=True, slots=True)
class GateFound:
    """``left_out`` says why it is in the file as a comment only; empty where it is a gate."""

    alarm: str
    watches: str
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Smoke:
    """The health check asked through the test route. ``left_out`` says why there is none, empty where there is one.

    ``status``: what counts as answered, empty for any of 200-299. ``verify``: check the certificate.
    """

    path: str = ""
    status: tuple[int | str, ...] = ()
    verify: bool = True
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """``notes`` are what a person should look at now. ``cluster_why`` says how the cluster was found, ``blind`` why no
    alarm could be looked for."""

    pair: Pair
    cluster: str
    cluster_why: str
    region: str
    routes: Routes
    smoke: Smoke
    gates: tuple[GateFound, ...] = ()
    blind: str = ""
    notes: tuple[str, ...] = ()

    @property
    def active_gates(self) -> tuple[GateFound, ...]:
        return tuple(gate for gate in self.gates if not gate.left_out)
