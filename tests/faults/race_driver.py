"""One process of a race: a real driver, with the real engine and store, over a shared world (``race_world``)."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bluegreen.aws.calls import Calls
from bluegreen.clock import SystemClock
from bluegreen.domain.deployment import Deployment, Route, Slot
from bluegreen.domain.events import Event
from bluegreen.domain.health import GroupSettings, LiveRoute, Observation, ScalableTarget
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import Split
from bluegreen.drivers.foreground import deploy, resume
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import BluegreenError
from bluegreen.lifecycle.routes import late
from bluegreen.lifecycle.work import World
from bluegreen.notify.base import Reporter
from bluegreen.store.base import StateStore
from bluegreen.store.dynamodb import DynamoStore
from bluegreen.store.sqlite import SqliteStore
from bluegreen.traffic.actions import Action
from bluegreen.traffic.base import Fence, Inspect, accept
from bluegreen.traffic.shifting import read_split, shift_split
from bluegreen.wiring import Options, Session, this_process
from tests.contract.store_support import a_client
from tests.faults.race_world import MUTATING, SIGNATURE_SECONDS, ask, spec_of
from tests.stage import NEW

LEASE_SECONDS = "1.0"
TABLE = "races"


@dataclass(frozen=True)
class Part:
    """What one process does: ``deploy``, ``resume``, ``rollback`` (to the end) or ``flip`` (until safe)."""

    name: str
    role: str
    service: str
    world: Any
    store: str
    folder: str


def play(part: Part) -> None:
    """Ends with the driver's exit code. What nobody expected is written to a file, which fails the race."""
    late.SIGNATURE_SECONDS, late.AHEAD_SECONDS = SIGNATURE_SECONDS, 0.5
    code = 0
    try:
        _drive(part, RacingSession.of(part))
    except BluegreenError as error:
        code = error.exit_code
        _tell(part, f"ends with {code}: {error.message}")
    except Exception:
        Path(part.folder, f"{part.name}-{part.service}.traceback").write_text(traceback.format_exc())
        code = 70
    os._exit(code)


def open_store(place: str) -> StateStore:
    if place.startswith("http://"):
        return DynamoStore(a_client(place), TABLE)
    return SqliteStore(Path(place), busy_seconds=30.0)


class RacingSession(Session):
    part: Part

    @classmethod
    def of(cls, part: Part) -> RacingSession:
        session = cls(
            Options(),
            this_process(part.name),
            environment={"BLUEGREEN_LEASE_SECONDS": LEASE_SECONDS},
            clock=SystemClock(),
        )
        session.part = part
        return session

    @cached_property
    def calls(self) -> Calls:
        return Calls(self.clock)

    @cached_property
    def store(self) -> StateStore:
        return open_store(self.part.store)

    @cached_property
    def router(self) -> SharedRouter:
        return SharedRouter(self)

    @cached_property
    def compute(self) -> Any:
        return SharedCompute(self)

    @cached_property
    def scaling(self) -> NoScaling:
        return NoScaling()

    def world(self, reporter: Reporter) -> World:
        return World(
            self.store,
            self.router,
            self.compute,
            self.hook,
            self.gate,
            self.clock,
            reporter,
            self.scaling,
            self.calls.write_only_before,
            lease_seconds=self.lease_seconds,
        )

    def ask(self, verb: str, *arguments: Any) -> Any:
        return ask(self.part.world, self.part.name, verb, *arguments)

    def write(self, verb: str, *arguments: Any) -> Any:
        """As botocore does it: the time of signing is fixed, then the last check, then it is sent."""

        def signed() -> Any:
            at = self.clock.now()
            self.calls.check_before_send()
            return self.ask(verb, *arguments, at)

        return self.calls.write(signed)


@dataclass
class SharedRouter:
    session: RacingSession

    def resolve(self, spec: RouteSpec, slots: tuple[Slot, Slot]) -> Route:
        route: Route = self.session.ask("resolve", spec, slots)
        return route

    def settings(self, slots: tuple[Slot, Slot]) -> tuple[GroupSettings, GroupSettings]:
        found: tuple[GroupSettings, GroupSettings] = self.session.ask("settings", slots)
        return found

    def read(self, route: Route, blue: Slot, green: Slot) -> LiveRoute:
        return read_split(self, route, blue, green)

    def shift(
        self,
        route: Route,
        blue: Slot,
        green: Slot,
        desired: Split,
        fence: Fence,
        *,
        insist: bool = False,
        inspect: Inspect = accept,
    ) -> LiveRoute:
        clock = self.session.clock
        return shift_split(self, route, blue, green, desired, fence=fence, clock=clock, insist=insist, inspect=inspect)

    def fetch(self, route: Route) -> list[Action]:
        actions: list[Action] = self.session.ask("fetch", route)
        return actions

    def replace(self, route: Route, actions: list[Action]) -> None:
        self.session.write("replace", route, actions)


@dataclass
class SharedCompute:
    """The world's FakeCompute; its fence is passed on this side of the wire."""

    session: RacingSession

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if method not in MUTATING:
                return self.session.ask("compute", method, arguments, options, 0.0)
            *sent, fence = arguments
            fence()
            return self.session.write("compute", method, tuple(sent), options)

        return call


class NoScaling:
    def read(self, slots: Sequence[Slot]) -> tuple[ScalableTarget, ...]:
        return ()

    def register(self, slot: Slot, wanted: ScalableTarget, fence: Fence) -> None:
        raise AssertionError("there is no scalable target")


@dataclass
class Told:
    """A reporter that tells the world, so that words and writes are in one order."""

    part: Part

    def event(self, event: Event) -> None:
        ask(self.part.world, self.part.name, "event", event.kind.value, event.deployment, event.message)

    def observed(self, deployment: Deployment, observation: Observation) -> None:
        pass


# -- private


def _drive(part: Part, session: RacingSession) -> None:
    reporter = Told(part)
    match part.role:
        case "deploy":
            deploy(session, spec_of(part.service), NEW, reporter)
        case "resume":
            resume(session, part.service, reporter)
        case "flip":
            rollback(session, part.service, reporter, finisher=lambda session, d: "the next process")
        case _:
            rollback(session, part.service, reporter)


def _tell(part: Part, message: str) -> None:
    try:
        ask(part.world, part.name, "event", "ended", "", message)
    except BluegreenError:
        return
