"""The seam to what runs a release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import ScalableTarget, Setting, SlotHealth
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.spec import Spec
from bluegreen.traffic.base import Fence


class ComputeProvider(Protocol):
    """Every method is safe to repeat. Mutating ones call ``fence`` right before they act."""

    def resolve(self, spec: Spec) -> tuple[Slot, Slot]:
        """The configured slots with their ARNs, in the configured order. Raises NotFoundError, RefusedError."""
        ...

    def current(self, slot: Slot, seen: SlotHealth | None = None) -> Release:
        """The release the slot is set to run, with its images. ``seen`` is its health, where it was just asked for."""
        ...

    def fingerprint(self, request: ReleaseRequest, live: Release) -> str:
        """A digest of what the request would run: the same for the same content, whatever its revision."""
        ...

    def is_registered(self, task_definition: str) -> bool:
        """False for one that was deregistered: it can be read, and nothing new can be started with it.

        Raises NotFoundError for one that does not exist (any more).
        """
        ...

    def prepare(self, request: ReleaseRequest, live: Release, deployment_id: str, fence: Fence) -> Release:
        """Register the task definition the request asks for, once for a deployment; answers the revision to launch.

        Only what the request names differs from the live one. A revision that exists is taken as it is, and one that
        was deregistered is registered again. Raises RefusedError (no such container, a bad file).
        """
        ...

    def launch(self, release: Release, slot: Slot, count: int, fence: Fence, *, anew: bool = False) -> None:
        """Set the slot to the release and ``count`` tasks; nothing is done where it already is so.

        ``anew``: ``SlotHealth.changed_at`` becomes now, even where it had that release already.
        """
        ...

    def health(self, slot: Slot) -> SlotHealth: ...

    def health_of_both(self, first: Slot, second: Slot) -> tuple[SlotHealth, SlotHealth]:
        """``health`` of two slots of one cluster."""
        ...

    def health_beside(self, slot: Slot, other: Slot) -> tuple[SlotHealth, Setting]:
        """``health`` of the slot and, in the same calls, what the other slot's service is set to."""
        ...

    def likely_writer(self, slot: Slot) -> str:
        """Who may have changed the slot's service last, in words for a person; empty where it cannot be told."""
        ...

    def diagnose(self, slot: Slot, since: float) -> SlotHealth:
        """``health`` with ``failures``: why tasks stopped or targets fail since then (epoch seconds)."""
        ...

    def scale(self, slot: Slot, count: int, fence: Fence) -> None: ...

    def retire(self, slot: Slot, fence: Fence) -> None:
        """Scale to zero; draining is the load balancer's, and is seen in ``health``."""
        ...


class Scaling(Protocol):
    """The seam to what changes desired counts by itself. The lifecycle decides; this only reads and writes."""

    def read(self, slots: Sequence[Slot]) -> tuple[ScalableTarget, ...]:
        """The scalable targets of the slots' services, in the slots' order; a service without one is left out."""
        ...

    def register(self, slot: Slot, wanted: ScalableTarget, fence: Fence) -> None:
        """Make the slot's target exactly ``wanted``. AWS brings the desired count within its range at once."""
        ...
