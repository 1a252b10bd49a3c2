"""What a configuration asks for, resolved to plain numbers. It travels in the record, so that any
machine can finish a deployment: hooks and gates keep their ``${VAR}`` unexpanded there, and nothing secret.

All times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum


class HookPoint(StrEnum):
    BEFORE_LAUNCH = "before_launch"
    AFTER_LAUNCH = "after_launch"
    TEST = "test"
    BEFORE_SHIFT = "before_shift"
    AFTER_STEP = "after_step"
    AFTER_SHIFT = "after_shift"
    BAKE = "bake"
    BEFORE_TEARDOWN = "before_teardown"
    ON_ROLLBACK = "on_rollback"
    ON_SUCCESS = "on_success"


class Consequence(StrEnum):
    """What follows when a deadline passes or a question stays unanswered."""

    ROLL_BACK = "rollback"
    HOLD = "hold"


class Undecided(StrEnum):
    """What follows when a gate can not tell: a person decides, green goes on, or blue gets its traffic back."""

    HOLD = "hold"
    GO_ON = "go_on"
    ROLL_BACK = "rollback"


class AlreadyFiring(StrEnum):
    """What to do about an alarm that is in ALARM before anything was changed."""

    REFUSE = "refuse"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """Names as AWS knows them. The slot's name is its target group's."""

    target_group: str
    service: str

    @property
    def name(self) -> str:
        return self.target_group


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A listener's default action (no ``rule``), or one rule, by ARN or by its conditions.

    ``rule`` maps ``path|host|header|method|query|source_ip|priority`` to the value(s) the live rule has;
    ``header`` is ``{"name": …, "values": […]}``. Lists are unordered.
    """

    load_balancer: str | None = None
    port: int | None = None
    arn: str | None = None
    rule: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ShiftStep:
    """Green gets ``percent`` and then ``wait`` seconds under watch before the next step.

    ``at_most``: the step goes on after ``wait`` until every comparison has its verdict, this many seconds in all.
    """

    percent: float
    wait: float
    at_most: float | None = None

    @property
    def longest(self) -> float:
        return max(self.wait, self.at_most or 0.0)


@dataclass(frozen=True, slots=True)
class HookSpec:
    """``settings`` is the kind's own, as written (``${VAR}`` unexpanded).

    Neighbours of one ``group`` (not 0) run at the same time. A ``dry_run`` is reported and never decides.
    """

    point: HookPoint
    name: str
    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    timeout: float = 300.0
    retries: int = 0
    backoff: float = 2.0
    unavailable: Consequence = Consequence.ROLL_BACK
    group: int = 0
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class GateSpec:
    name: str
    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    already_firing: AlreadyFiring = AlreadyFiring.REFUSE
    inconclusive: Undecided = Undecided.HOLD


class Moment(StrEnum):
    """What others can be told of. ``rolling_back``: the decision; ``safe``: users are on blue; then its end."""

    STARTED = "started"
    ASKED = "asked"
    HELD = "held"
    ROLLING_BACK = "rolling_back"
    SAFE = "safe"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class NotifySpec:
    """Who is told of which moments, within ``timeout`` seconds; ``settings`` as a hook's."""

    name: str
    kind: str
    settings: dict[str, object] = field(default_factory=dict)
    on: tuple[Moment, ...] = (
        Moment.ASKED,
        Moment.HELD,
        Moment.ROLLING_BACK,
        Moment.SUCCEEDED,
        Moment.ROLLED_BACK,
    )
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """Green counts as launched when ``percent`` of its wanted targets are healthy in the target group
    (at least one), without a break for ``settle`` seconds."""

    percent: float = 100.0
    settle: float = 10.0

    def required(self, wanted: int) -> int:
        """How many healthy targets a slot of so many tasks must have before it may get traffic: at least one."""
        return max(1, math.ceil(wanted * self.percent / 100))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The longest a phase may take beyond its own waits, and what then follows (``on_deadline``).

    A teardown and a rollback hold in any case. ``rollback``: until blue has all traffic again, None for ever.
    ``blind``: how long a gate may be impossible to read. ``no_data``: how long the first step and the bake wait beyond
    their time for a gate that measured nothing. ``hold``: how long a person may take, None for ever.
    """

    launch: float = 900.0
    test: float = 1800.0
    shift: float = 3600.0
    teardown: float = 1800.0
    rollback: float | None = 1800.0
    on_deadline: Consequence = Consequence.ROLL_BACK
    blind: float = 120.0
    no_data: float = 300.0
    hold: float | None = 86400.0
    on_hold: Consequence = Consequence.ROLL_BACK


@dataclass(frozen=True, slots=True)
class Spec:
    """``settle``: how long after its last write a split is trusted to have reached every node.

    ``test_header`` is ``Name: value``, what a request must carry where the test route is a rule on a header.
    ``hook_timeouts``: the longest all hooks of a point may take together, and ``on_hook_timeout`` what then follows.
    """

    service: str
    cluster: str
    slots: tuple[SlotSpec, SlotSpec]
    production: tuple[RouteSpec, ...]
    test: RouteSpec | None = None
    test_base_url: str | None = None
    test_header: str | None = None
    region: str | None = None
    shift: tuple[ShiftStep, ...] = (ShiftStep(100.0, 0.0),)
    bake: float = 1800.0
    health: HealthSpec = HealthSpec()
    settle: float = 10.0
    hooks: tuple[HookSpec, ...] = ()
    gates: tuple[GateSpec, ...] = ()
    gate_interval: float = 5.0
    deadlines: Deadlines = Deadlines()
    hook_timeouts: dict[HookPoint, float] = field(default_factory=dict)
    on_hook_timeout: Consequence = Consequence.ROLL_BACK
    notify: tuple[NotifySpec, ...] = ()
