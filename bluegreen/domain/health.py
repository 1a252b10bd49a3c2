"""What the live world said when it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from bluegreen.domain.split import Split


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task or target cannot serve. ``fatal``: waiting longer will not help (pull failed, crash loop)."""

    reason: str
    fatal: bool = False
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotHealth:
    """One slot as ECS and its target group see it. ``states`` counts targets by AWS's word for their state.

    ``desired`` and ``running`` are the service's counts. ``release`` is the task definition ARN in use, and
    ``changed_at`` (epoch seconds) when the service was last set to it: a launch always renews it, so that it tells the
    roles when no record can.
    """

    desired: int
    running: int
    states: dict[str, int] = field(default_factory=dict)
    release: str | None = None
    changed_at: float | None = None
    failures: tuple[Failure, ...] = ()

    @property
    def healthy(self) -> int:
        return self.states.get("healthy", 0)

    @property
    def draining(self) -> int:
        return self.states.get("draining", 0) + self.states.get("unhealthy.draining", 0)

    @property
    def registered(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Setting:
    """What a slot's service is set to: its desired count and its task definition's ARN."""

    desired: int
    release: str | None = None


@dataclass(frozen=True, slots=True)
class ScalableTarget:
    """What Application Auto Scaling may do with the desired count of a slot's service.

    ``slot`` is the slot's name, ``least`` and ``most`` are the range in tasks. Suspended: what it may not do now.
    """

    slot: str
    least: int
    most: int
    in_suspended: bool = False
    out_suspended: bool = False
    scheduled_suspended: bool = False

    @property
    def range(self) -> str:
        return f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """A slot's target group: its health check and its attributes, in the API's own words, values as text."""

    slot: str
    target_group_arn: str
    health_check: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LiveRoute:
    """A production or test route as read just now.

    ``others``: target groups in the forward that belong to neither slot (writes are refused then).
    ``sticky``: stickiness of the forward, in seconds, None when off. ``actions`` is the whole action list as JSON,
    and ``shape`` a digest of all of it but the two weights: it changes when someone edits the route.
    ``stray`` is the weight of the others: above zero, users are sent where this deployment knows nothing of.
    ``overwritten`` is what was read before a write that got no answer; None: it was answered, or there was none.
    """

    split: Split
    attached: tuple[str, ...]
    others: tuple[str, ...] = ()
    sticky: int | None = None
    actions: str = ""
    shape: str = ""
    overwritten: Split | None = None
    stray: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a tick saw, for the live view; never stored. Keys: slot names; route names; gate names.

    ``routes_at``: when the production routes were last compared with the record, in epoch seconds.
    """

    slots: dict[str, SlotHealth] = field(default_factory=dict)
    live: dict[str, Split] = field(default_factory=dict)
    gates: dict[str, str] = field(default_factory=dict)
    routes_at: float = 0.0
