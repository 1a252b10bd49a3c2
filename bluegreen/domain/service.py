"""The one item of a service that drivers contend for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bluegreen.domain.release import KnownGood, Quarantined


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lease: a person finds the process with it.

    ``pids`` names what gives ``pid`` its meaning: the running kernel and the namespace. Containers may share a host's
    name without sharing its processes. Empty where it cannot be told.
    """

    user: str
    host: str
    pid: int
    command: str
    pids: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, {self.command})"


@dataclass(frozen=True, slots=True)
class Lease:
    """``token`` only ever grows; a save with an older one is refused (fencing). Times: epoch seconds."""

    service: str
    token: int
    owner: Owner
    acquired_at: float
    expires_at: float


class Control(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    ACCEPT_LIVE = "accept_live"
    REASSERT = "reassert"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A wish that the running driver reads at its next tick."""

    control: Control
    by: str
    at: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceState:
    """``yielded`` is the highest pre-empted token whose driver has said that it stopped writing.

    ``last_owner`` had the newest token, and is known after its lease was given back.
    """

    service: str
    token: int = 0
    lease: Lease | None = None
    active: str | None = None
    yielded: int = 0
    control: ControlRequest | None = None
    known_good: tuple[KnownGood, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    last_owner: Owner | None = None
