"""The record of one deployment: all that another machine needs to finish it or to roll it back.

Frozen: a step answers a changed copy. Times are epoch seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from bluegreen.domain.health import GroupSettings, ScalableTarget
from bluegreen.domain.release import Release, ReleaseRequest
from bluegreen.domain.spec import HookPoint, Spec
from bluegreen.domain.split import Split

SCHEMA = 1


class Phase(StrEnum):
    PENDING = "pending"
    LAUNCH = "launch"
    TEST = "test"
    SHIFT = "shift"
    BAKE = "bake"
    TEARDOWN = "teardown"
    SUCCEEDED = "succeeded"
    ROLLBACK = "rollback"
    ROLLED_BACK = "rolled_back"

    @property
    def final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.ROLLED_BACK)


class HookStatus(StrEnum):
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"


class HoldKind(StrEnum):
    DRIFT = "drift"
    PAUSE = "pause"
    UNAVAILABLE = "unavailable"
    DEADLINE = "deadline"
    PERMISSION = "permission"
    REFUSED = "refused"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as resolved on AWS."""

    name: str
    target_group_arn: str
    service: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Written:
    """A split this deployment wrote, or was about to: ``confirmed`` once it was read back."""

    split: Split
    at: float
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One route resolved to the ARN that is written. ``kind`` is ``listener`` or ``rule``.

    ``before`` is the action list as it stood when the deployment began (JSON), ``shape`` its digest without weights.
    ``written`` is this deployment's last write, ``previous`` the one before it: a crash in between leaves either.
    """

    name: str
    arn: str
    kind: str
    load_balancer: str = ""
    url: str | None = None
    before: str = ""
    shape: str = ""
    original: Split | None = None
    written: Written | None = None
    previous: Split | None = None


@dataclass(frozen=True, slots=True)
class HookRun:
    """``step`` is the shift step the run belongs to (after_step), else 0. ``handle`` finds a running hook again.

    ``links``: a name to a URL or a file. ``asks``: it waits for a person. Of its ``attempts``, the ``forgiven`` do not
    count against its retries, for a person let the deployment go on after them; since then ``unasked`` of them could
    not be asked, the others failed. ``settled``: the last attempt that failed or was cancelled, 0 when none was.
    """

    point: HookPoint
    step: int
    name: str
    kind: str
    status: HookStatus
    started_at: float
    ended_at: float | None = None
    attempts: int = 1
    detail: str = ""
    output: tuple[str, ...] = ()
    handle: str | None = None
    retry_at: float | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False
    asks: bool = False
    forgiven: int = 0
    unasked: int = 0
    settled: int = 0

    @property
    def is_open(self) -> bool:
        """It runs, or is to be tried again."""
        return self.status is HookStatus.RUNNING or self.retry_at is not None


@dataclass(frozen=True, slots=True)
class PointDeadline:
    """Until when the hooks of a point may take, where that is limited."""

    point: HookPoint
    step: int
    until: float


@dataclass(frozen=True, slots=True)
class Hold:
    kind: HoldKind
    reason: str
    since: float
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What is kept of a gate between two looks, whoever drives. ``state`` and ``detail``: as last noted.

    ``measured_at``: when it was first ok or firing since the shift's first write, or since the bake began.
    ``accepted``: a person saw that it could not tell and let the deployment go on; it counts again once it is ok.
    ``memory`` is the gate's own. ``due``: it is not to be measured before.
    """

    name: str
    state: str
    detail: str = ""
    measured_at: float | None = None
    accepted: bool = False
    numbers: dict[str, float] = field(default_factory=dict)
    memory: dict[str, object] = field(default_factory=dict)
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the deployment waits for now. ``until`` is None when an observation, not a time, ends it."""

    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    phase: Phase
    began_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class RollbackFacts:
    """``blue_at``: every production route was read back as all blue. ``safe_at``: and no older write can follow.

    ``other_token`` is the lease that was pre-empted, 0 if none was alive; ``other_until`` bounds its last write.
    ``late_until`` bounds the writes that no driver's word can call back. Both are times of AWS's clocks.
    ``in_flight``: when it began, the record announced a write that could take traffic or tasks from blue.
    """

    reason: str
    by: str
    requested_at: float
    from_phase: Phase
    forced: bool = False
    other_token: int = 0
    other_until: float = 0.0
    blue_at: float | None = None
    safe_at: float | None = None
    settled_at: float | None = None
    late_until: float = 0.0
    in_flight: bool = True


@dataclass(frozen=True, slots=True)
class ScalingFacts:
    """``targets`` as the deployment found them; ``known`` is False where they could not be read.

    ``during``: what they are set to meanwhile, kept before the first write: from then on whoever finishes the
    deployment must restore them. ``handed_over``: what the live slot gets in the end, kept before that is written.
    ``restored`` names the phase (teardown or rollback) for which everything is in its place again.
    """

    targets: tuple[ScalableTarget, ...] = ()
    known: bool = True
    during: tuple[ScalableTarget, ...] = ()
    handed_over: ScalableTarget | None = None
    restored: Phase | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """``version`` counts saves: the store refuses a save over a version it does not expect.

    ``step`` is the index into ``spec.shift`` of the step now in force (-1 before the first).
    ``blue_count`` is the desired count of blue when last read: what green must have, and ``green_count`` is the size
    at which green was last seen healthy (0: not yet). ``blue_kept`` is what blue may not fall below, where that is
    another number than ``blue_count`` (a person accepted it).
    ``retiring``: blue may be scaled in by this deployment from now on.
    ``groups`` are both target groups as the deployment found them, ``not_reverted`` what a rollback leaves changed.
    ``lost``: production routes that a rollback found no more; ``routes`` are the others. ``let_go``: it found the slots
    no more either, for someone made the service anew: nothing that stands there now is this deployment's to touch.
    ``condemns``: this deployment replaces a bad release, which goes into quarantine for this reason at its success.
    ``fingerprint`` recognises the release in the quarantine. ``request`` never holds a task definition, which may hold
    secrets: it is registered before the record begins, and ``release`` names the revision.
    ``ignored_gates`` fired before anything was changed and count again once they were quiet.
    ``blind_gates`` pairs a gate with since when it cannot be read. ``gates``: what is kept of those that can.
    ``watched_since``: when green got its first share of traffic, then when the bake began; ``traffic_since`` stays.
    ``paused_by``: who paused it last, and why, in words.
    ``driver`` is the token of the last driver that took it up and knew what the one before had left behind.
    ``late_until`` is when, on AWS's clocks, the last write is dead of a driver that vanished or got no answer.
    ``clock_stopped_at``: since when no deadline counts, for only a person or a dry run is waited for.
    ``green_set``: green was seen set to the release; from then on it is set otherwise by somebody else.
    """

    id: str
    service: str
    phase: Phase
    spec: Spec
    request: ReleaseRequest
    blue: Slot
    green: Slot
    routes: tuple[Route, ...]
    previous: Release
    started_at: float
    started_by: str
    schema: int = SCHEMA
    version: int = 0
    test_route: Route | None = None
    release: Release | None = None
    blue_count: int = 0
    green_count: int = 0
    blue_kept: int | None = None
    scaling: ScalingFacts = ScalingFacts()
    groups: tuple[GroupSettings, ...] = ()
    not_reverted: tuple[str, ...] = ()
    lost: tuple[Route, ...] = ()
    let_go: bool = False
    launched: bool = False
    healthy_since: float | None = None
    unhealthy_since: float | None = None
    retiring: bool = False
    retired_at: float | None = None
    green_set: bool = False
    step: int = -1
    step_until: float | None = None
    bake_until: float | None = None
    ignored_gates: tuple[str, ...] = ()
    blind_gates: tuple[tuple[str, float], ...] = ()
    gates: tuple[GateRecord, ...] = ()
    watched_since: float | None = None
    traffic_since: float | None = None
    paused: bool = False
    paused_by: str = ""
    promoted: bool = False
    force: bool = False
    fingerprint: str | None = None
    condemns: str | None = None
    hooks: tuple[HookRun, ...] = ()
    waiting: Waiting | None = None
    hold: Hold | None = None
    deadline: float | None = None
    point_deadline: PointDeadline | None = None
    clock_stopped_at: float | None = None
    spans: tuple[PhaseSpan, ...] = ()
    rollback: RollbackFacts | None = None
    driver: int = 0
    late_until: float = 0.0
    ended_at: float | None = None

    @property
    def ended(self) -> bool:
        return self.phase.final

    @property
    def in_vain(self) -> bool:
        """A redeployment that was taken back by itself: users are on the release that it was to replace."""
        return self.condemns is not None and self.rollback is not None and self.rollback.by == "bluegreen"

    def users(self, after: str = "") -> str:
        """Where a rollback has put them; of a lost route it says nothing but that. ``after``: how long that took."""
        lost = ", ".join(route.name for route in self.lost)
        if self.let_go:
            return f"nothing of this deployment exists any more{after} ({lost}); what stands there now was not touched"
        if not self.routes:
            return f"no production route sends traffic to green{after}: {lost} does not exist any more"
        what = "all traffic" + (f" of {', '.join(route.name for route in self.routes)}" if lost else "")
        rest = f"; {lost} does not exist any more" if lost else ""
        return f"{what} is on blue ({self.blue.name}, {self.previous.id}){after}{rest}"
