"""Stay with a deployment that holds. Nobody drives it, so somebody must see that green dies, that a gate fires, or that
nobody decides.

It takes no lease and writes nothing while it watches: whoever decides meanwhile meets no lock. When it must act, it
does what an on-call would: it rolls back.
"""

from __future__ import annotations

from bluegreen.domain.deployment import Deployment, Phase
from bluegreen.domain.spec import Consequence
from bluegreen.drivers.foreground import active
from bluegreen.drivers.loop import TRANSIENT, Successor, patience
from bluegreen.drivers.rollback import rollback
from bluegreen.errors import AwsError, BluegreenError, RefusedError
from bluegreen.lifecycle.holding import may_turn_back, nobody_decided
from bluegreen.lifecycle.watch.glance import Glance
from bluegreen.notify.base import Reporter
from bluegreen.wiring import Session

LOOK_EVERY = 10.0
"""Seconds between two looks."""

PATIENCE = 1800.0
"""Seconds for which AWS or the store may fail in a row before it gives up."""

LOOKS = 2
"""So often in a row green must be seen dead: tasks that are replaced leave none healthy for a moment."""


def attend(session: Session, service: str, reporter: Reporter, finisher: Successor | None = None) -> Deployment:
    """The deployment once somebody decided, or once it was rolled back.

    Raises RefusedError when none is held, and what kept it from looking for ``PATIENCE`` seconds.
    """
    d = active(session, service)
    if d.hold is None or not may_turn_back(d):
        raise RefusedError(
            f"deployment {d.id} does not hold for a decision: there is nothing to attend to",
            hint=f"bluegreen status {service}",
        )
    session.region = d.spec.region
    return _Attendant(session, d).stay(reporter, finisher)


# Private


class _Attendant:
    def __init__(self, session: Session, held: Deployment) -> None:
        self._session = session
        self._held = held
        self._dead = 0
        self._gates = Glance(session.gate)
        self._failing_since: float | None = None

    def stay(self, reporter: Reporter, finisher: Successor | None) -> Deployment:
        while True:
            try:
                d = self._session.store.load(self._held.id)
                if self._is_decided(d):
                    return d
                why = nobody_decided(d, self._session.clock.now()) or self._users_suffer(d)
                if why is not None:
                    # The rollback begins now, not when this process did.
                    self._session.began_at = self._session.clock.now()
                    return rollback(self._session, self._held.service, reporter, reason=why, finisher=finisher)
                self._failing_since = None
            except TRANSIENT as error:
                self._give_up_at_last(error)
            self._session.clock.sleep(LOOK_EVERY)

    def _is_decided(self, d: Deployment) -> bool:
        held = self._held.hold
        return d.hold is None or held is None or d.hold.since != held.since or not may_turn_back(d)

    def _users_suffer(self, d: Deployment) -> str | None:
        """Why those who are sent to green should not be."""
        try:
            if not self._has_traffic(d):
                self._dead = 0
                return None
            dead = not self._session.compute.health(d.green).healthy
            return self._green_is_dead(d, dead) or self._gate_fires(d)
        except TRANSIENT:
            raise
        except (AwsError, RefusedError):
            # A call that is not allowed, a route that is gone. Its time still ends: the record can be read.
            return None

    def _gate_fires(self, d: Deployment) -> str | None:
        """Not where the configuration leaves every hold to people."""
        if d.spec.deadlines.on_hold is not Consequence.ROLL_BACK:
            return None
        return self._gates.firing(d, self._session.clock.now())

    def _green_is_dead(self, d: Deployment, dead: bool) -> str | None:
        """Not one target is healthy: that is no matter of taste."""
        self._dead = self._dead + 1 if dead else 0
        if self._dead < LOOKS:
            return None
        reason = d.hold.reason if d.hold else "?"
        return f"green {d.green.name} had no healthy target while the deployment was held: {reason}"

    def _has_traffic(self, d: Deployment) -> bool:
        """Before the shift nobody but somebody else can have sent any there: the hold is for that then."""
        if d.phase not in (Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE):
            return False
        return any(self._session.router.read(route, d.blue, d.green).split.green for route in d.routes)

    def _give_up_at_last(self, error: BluegreenError) -> None:
        now = self._session.clock.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > patience(self._session, error, PATIENCE):
            raise error
