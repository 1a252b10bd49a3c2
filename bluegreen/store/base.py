"""The seam to where records live. One item of a service is contended; all else is written once or by its lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bluegreen.domain.approval import Decision
from bluegreen.domain.deployment import Deployment
from bluegreen.domain.events import Event
from bluegreen.domain.release import KnownGood, Quarantined
from bluegreen.domain.service import ControlRequest, Lease, Owner, ServiceState

LEASE_SECONDS = 30.0
"""A driver that died blocks nobody for longer than this."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A record that cannot be read: ``fault`` says what is wrong with it and where. It was left as it is."""

    id: str
    fault: str


class StateStore(Protocol):
    """Every method may raise StoreUnavailableError; one that reads a record may raise RecordError.

    Methods that take a lease raise PreemptedError (naming the new owner) once its token is not the current one.
    """

    def service(self, name: str) -> ServiceState:
        """The contended item, strongly consistent; an unknown service answers an empty state."""
        ...

    def services(self) -> Sequence[str]:
        """Those that ever began a deployment, sorted."""
        ...

    def acquire(self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS) -> Lease:
        """A new token, when no lease is held or it has expired. Raises LockedError, naming the holder and its age."""
        ...

    def renew(self, lease: Lease, *, now: float, seconds: float = LEASE_SECONDS) -> tuple[Lease, ServiceState]:
        """Extend it, and read the item in the same call. An expired lease that nobody took may be renewed."""
        ...

    def preempt(
        self, name: str, owner: Owner, *, now: float, seconds: float = LEASE_SECONDS
    ) -> tuple[Lease, ServiceState]:
        """A new token whoever holds the lease; answers the state as it was before."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; or, when it was pre-empted, yield. Never raises PreemptedError."""
        ...

    def yield_token(self, name: str, token: int) -> None:
        """A pre-empted driver says that it will write no more (``ServiceState.yielded``)."""
        ...

    def begin(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        """Create the record and make it the service's active one, atomically; answers it with its version.

        A wish left for an earlier deployment is forgotten. Raises LockedError when another deployment is active.
        """
        ...

    def save(self, deployment: Deployment, lease: Lease, events: Sequence[Event] = ()) -> Deployment:
        """Replace the record if its stored version is ``deployment.version``; answers it with the next version.

        The events are appended in the same transaction. Raises LockedError on another version; the very same save
        again, when it took effect already (its answer was lost), is answered and not doubled.
        """
        ...

    def finish(
        self,
        deployment: Deployment,
        lease: Lease,
        events: Sequence[Event] = (),
        *,
        known_good: KnownGood | None = None,
        quarantined: Quarantined | None = None,
    ) -> Deployment:
        """``save``; in the same transaction: no active deployment, no wish, and the new ledger entry.

        A ledger is newest first, keeps 20, and has a release once. What becomes known good leaves the quarantine.
        """
        ...

    def request(self, name: str, control: ControlRequest) -> None:
        """Leave a wish for the running driver; the newest one stands."""
        ...

    def clear_request(self, lease: Lease, seen: ControlRequest | None = None) -> None:
        """Forget the wish; with ``seen``, only if it is still that one: a newer wish stays for the next tick."""
        ...

    def decide(self, deployment_id: str, decision: Decision) -> Decision:
        """Keep what a person said, without a lease. The first word on a question stands, and is answered."""
        ...

    def decision(self, deployment_id: str, key: str) -> Decision | None:
        """What was said on one question, strongly consistent; None while nobody has."""
        ...

    def load(self, deployment_id: str) -> Deployment:
        """Raises RecordError when there is none, or when it is damaged or of a newer schema; nothing is overwritten."""
        ...

    def history(self, service: str, limit: int = 20) -> Sequence[Deployment]:
        """Newest first."""
        ...

    def entries(self, service: str, limit: int = 20) -> Sequence[Deployment | Damaged]:
        """``history``, with those that cannot be read in their places: an old one must not hide the others."""
        ...

    def events(self, deployment_id: str) -> Sequence[Event]:
        """In the order they were appended."""
        ...
