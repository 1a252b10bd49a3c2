"""Tick, sleep, tick: with an ear for another driver that takes over and for what a person asks meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.domain.deployment import Deployment, HoldKind
from bluegreen.domain.service import Lease
from bluegreen.errors import (
    AccessDeniedError,
    BluegreenError,
    CredentialsError,
    DetachedError,
    HeldError,
    LockedError,
    PreemptedError,
    RefusedError,
    StoreUnavailableError,
    ThrottledError,
    UnreachableError,
)
from bluegreen.lifecycle.engine import Engine, Ticked
from bluegreen.lifecycle.routes import late
from bluegreen.notify.base import Reporter
from bluegreen.wiring import Session

HEARTBEAT = 1.0
"""Seconds between two looks at the service's item while nothing else is to be done."""

LONGEST_SLEEP = 10.0
"""Seconds; well below the lease, so that every tick finds it alive."""

PATIENCE = 600.0
"""Seconds for which AWS or the store may fail in a row before this driver gives up."""

PATIENCE_WITH_A_SANDBOX = 5.0
"""The same, where nobody listens at a sandbox's address: it was taken down, and what it was does not come back."""

URGENT_PAUSE = 0.1
"""Seconds until a rollback that is not safe yet repeats its tick."""

_OF_AWS = (HoldKind.PERMISSION, HoldKind.REFUSED)

TRANSIENT = (ThrottledError, UnreachableError, StoreUnavailableError)

Until = Callable[[Deployment], bool]

Successor = Callable[[Session, Deployment], str]
"""Sees to it that another process drives the deployment on; answers a sentence that says which."""


def patience(session: Session, error: BluegreenError, usual: float = PATIENCE) -> float:
    """Seconds for which such an error may last."""
    met = error if isinstance(error, UnreachableError) else error.__cause__
    nobody = isinstance(met, UnreachableError) and met.code == "EndpointConnectionError"
    return min(usual, PATIENCE_WITH_A_SANDBOX) if nobody and session.in_sandbox else usual


class Loop:
    """Drives one deployment until ``until`` (default: its end). Whatever happens, the lease is given back."""

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self._session = session
        self._engine = Engine(session.world(reporter))
        self._in_doubt_until = 0.0

    @property
    def engine(self) -> Engine:
        return self._engine

    def run(self, deployment_id: str, lease: Lease, until: Until = lambda d: d.ended) -> Deployment:
        """Raises HeldError, PreemptedError, DetachedError (Ctrl-C), and whatever lasts longer than ``PATIENCE``."""
        try:
            return self._run(deployment_id, lease, until)
        except PreemptedError as error:
            self._say_it_stopped(lease)
            raise self._by_whom(deployment_id, error) from error
        except (HeldError, LockedError):
            raise
        except BluegreenError as error:
            say_it_is_left(error, deployment_id, lease.service)
            raise
        except KeyboardInterrupt:
            raise DetachedError(
                f"detached: deployment {deployment_id} stands where the record says; nothing drives it now",
                hint=f"bluegreen resume {lease.service} to go on, bluegreen rollback {lease.service} to go back",
            ) from None
        finally:
            self._give_back(lease)

    # Private

    def _run(self, deployment_id: str, lease: Lease, until: Until) -> Deployment:
        failing_since: float | None = None
        failures = 0
        while True:
            try:
                ticked = self._tick(deployment_id, lease)
            except TRANSIENT as error:
                _hold_if_refused(error, deployment_id, lease.service)
                now = self._session.clock.monotonic()
                failing_since = failing_since or now
                if now - failing_since > patience(self._session, error):
                    raise
                failures += 1
                self._session.clock.sleep(self._pause(failures))
                del error
                continue
            failing_since, failures = None, 0
            lease = ticked.lease
            if until(ticked.deployment):
                return ticked.deployment
            self._rest(ticked)

    def _pause(self, failures: int) -> float:
        """Everybody backs off under throttles, so that a rollback comes through."""
        return URGENT_PAUSE if self._engine.urgent else min(10.0, 0.25 * 2**failures)

    def _tick(self, deployment_id: str, lease: Lease) -> Ticked:
        """Remembers a call that got no answer: while it may still take effect, this driver's word would be a lie."""
        try:
            return self._engine.tick(deployment_id, lease)
        except BluegreenError as error:
            if isinstance(error, UnreachableError) and not error.changed_nothing:
                self._in_doubt_until = late.unanswered(self._session.clock.now())
            raise
        except BaseException:
            self._in_doubt_until = late.unanswered(self._session.clock.now())
            raise

    def _is_in_doubt(self) -> bool:
        return self._session.clock.now() < self._in_doubt_until

    def _rest(self, ticked: Ticked) -> None:
        if ticked.held or ticked.wake_in is None:
            hold = ticked.deployment.hold
            held = HeldError(
                f"deployment {ticked.deployment.id} holds: {hold.reason if hold else 'a person must decide'}",
                hint=hold.way_out if hold else None,
            )
            held.fault = hold is not None and hold.kind in _OF_AWS
            raise held
        clock = self._session.clock
        end = clock.monotonic() + min(ticked.wake_in, LONGEST_SLEEP)
        while (left := end - clock.monotonic()) > 0:
            clock.sleep(min(left, HEARTBEAT))
            if left > HEARTBEAT and self._is_wanted(ticked.lease):
                return

    def _is_wanted(self, lease: Lease) -> bool:
        """True when the next tick should come at once: another driver's token, or someone's wish."""
        try:
            state = self._session.store.service(lease.service)
        except StoreUnavailableError:
            return False
        return state.token != lease.token or state.control is not None

    def _by_whom(self, deployment_id: str, error: PreemptedError) -> PreemptedError:
        """Who rolled it back, and why: by now the process that cleans up may hold the lease."""
        try:
            facts = self._session.store.load(deployment_id).rollback
        except BluegreenError:
            return error
        if facts is None or facts.by == "bluegreen":
            return error
        if facts.by == str(self._session.owner):
            return PreemptedError(f"{error.message}; it goes on with the rollback", hint=error.hint)
        return PreemptedError(
            f"{facts.by} rolled deployment {deployment_id} back while this process drove it: {facts.reason}",
            hint=error.hint,
        )

    def _say_it_stopped(self, lease: Lease) -> None:
        if self._is_in_doubt():
            return
        try:
            self._session.store.yield_token(lease.service, lease.token)
        except StoreUnavailableError:
            return

    def _give_back(self, lease: Lease) -> None:
        """Giving it back is a word too: that nothing of this driver is on its way. Without it, it ends by itself."""
        if self._is_in_doubt():
            return
        try:
            self._session.store.release(lease)
        except (StoreUnavailableError, ThrottledError, UnreachableError):
            return


def say_it_is_left(error: BluegreenError, deployment_id: str, service: str) -> None:
    """Whatever it is called elsewhere, here it came in the middle: nobody was refused before anything changed."""
    if isinstance(error, RefusedError):
        error.exit_code = BluegreenError.exit_code
    error.and_also(
        f"; deployment {deployment_id} stands where its record says, nobody drives it now, "
        "and users stay where they are",
        next_action=f"bluegreen status {service} shows where, bluegreen resume {service} goes on with it, "
        f"bluegreen rollback {service} goes back",
    )


# Private


def _hold_if_refused(error: BluegreenError, deployment_id: str, service: str) -> None:
    """A store that refuses this identity is not waited for. The record stands as it was saved last."""
    if isinstance(error.__cause__, AccessDeniedError | CredentialsError):
        held = HeldError(
            f"deployment {deployment_id} stands where its record says, and nothing drives it: {error.message}",
            hint=f"{error.hint}; then bluegreen resume {service}, or bluegreen rollback {service}",
        )
        held.fault = True
        raise held from error
