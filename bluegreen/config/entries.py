"""The entries of the configuration: hooks and where they run, gates, notifiers. Each names one kind and settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from bluegreen.config.values import Part, PositiveTime, Time, matching, whole
from bluegreen.domain.spec import AlreadyFiring, Consequence, NotifySpec, Undecided

_NOTIFY = NotifySpec("", "")

EntryName = Annotated[str, *matching(r"[^\s:/]{1,64}", "a name of at most 64 characters without spaces, : or /")]


class HookEntry(Part):
    """One key is the kind (a built-in one or a plug-in's) with its settings, the others are these. Or parallel."""

    model_config = ConfigDict(extra="allow")

    name: EntryName | None = Field(
        default=None, description="What it is called in reports. Default: the kind, then kind-2."
    )
    timeout: PositiveTime = Field(
        default=300.0, description="The longest one attempt may take; an approval without one waits for a day."
    )
    retries: Annotated[int, *whole(0, 100)] = Field(default=0, description="How often it is asked again when it fails.")
    backoff: Time = Field(default=2.0, description="The wait before the first retry; it doubles with each.")
    unavailable: Literal["rollback", "hold"] = Field(
        default=Consequence.ROLL_BACK.value, description="What follows when it could not be asked (broken, not no)."
    )
    dry_run: bool = Field(
        default=False, description="Run and reported, but it decides nothing and uses up no deadline."
    )
    on: Annotated[list[Literal["deploy", "rollback"]], Field(min_length=1)] = Field(
        default=["deploy"],
        description="When it runs: on the way forward, or after a rollback has put traffic on blue, or both.",
    )
    parallel: list[HookEntry] | None = Field(
        default=None,
        description="In place of a kind: hooks that run at the same time; the first no cancels the others.",
    )


class GateEntry(Part):
    """One key is the kind (a built-in one or a plug-in's) with its settings; the others are these."""

    model_config = ConfigDict(extra="allow")

    name: EntryName | None = Field(
        default=None, description="What it is called in reports. Default: the kind, then kind-2."
    )
    already_firing: Literal["refuse", "ignore"] = Field(
        default=AlreadyFiring.REFUSE.value, description="What to do when it is firing before anything was changed."
    )
    inconclusive: Literal["hold", "go_on", "rollback"] = Field(
        default=Undecided.HOLD.value,
        description="What follows when it cannot tell: hold for a person, go on, or roll back.",
    )


MomentWord = Literal["started", "asked", "held", "rolling_back", "safe", "succeeded", "rolled_back"]


class NotifyEntry(Part):
    """One key is the kind with its settings (command, webhook, sns, eventbridge); the others are these."""

    model_config = ConfigDict(extra="allow")

    name: EntryName | None = Field(
        default=None, description="What it is called in warnings. Default: the kind, then kind-2."
    )
    on: Annotated[list[MomentWord], Field(min_length=1)] = Field(
        default=[moment.value for moment in _NOTIFY.on], description="Of which moments it is told."
    )
    timeout: PositiveTime = Field(default=_NOTIFY.timeout, description="The longest one attempt may take.")


Hooks = list[HookEntry]


class HookTimeouts(Part):
    """The longest all hooks of a point may take together; what asks a person, or is a dry run, does not count."""

    before_launch: PositiveTime | None = Field(default=None, description="At before_launch.")
    after_launch: PositiveTime | None = Field(default=None, description="At after_launch.")
    test: PositiveTime | None = Field(default=None, description="At test.")
    before_shift: PositiveTime | None = Field(default=None, description="At before_shift.")
    after_step: PositiveTime | None = Field(default=None, description="At each step.")
    after_shift: PositiveTime | None = Field(default=None, description="At after_shift.")
    bake: PositiveTime | None = Field(default=None, description="At bake.")
    before_teardown: PositiveTime | None = Field(default=None, description="At before_teardown.")
    on_rollback: PositiveTime | None = Field(default=None, description="At on_rollback.")
    on_success: PositiveTime | None = Field(default=None, description="At on_success.")


class HooksSection(Part):
    """Tests and actions at the points of a deployment, run in their order."""

    before_launch: Hooks = Field(default_factory=list, description="Before green is launched.")
    after_launch: Hooks = Field(default_factory=list, description="Green is healthy, without any traffic.")
    test: Hooks = Field(default_factory=list, description="The test route leads to green: the place for tests.")
    before_shift: Hooks = Field(default_factory=list, description="Before the first user's request reaches green.")
    after_step: Hooks = Field(default_factory=list, description="After every step of the shift.")
    after_shift: Hooks = Field(default_factory=list, description="Green has all traffic.")
    bake: Hooks = Field(default_factory=list, description="During the bake.")
    before_teardown: Hooks = Field(
        default_factory=list, description="The bake is over, blue is still warm: the last chance to say no."
    )
    on_rollback: Hooks = Field(default_factory=list, description="After traffic is back on blue.")
    on_success: Hooks = Field(default_factory=list, description="After blue was scaled in.")
    timeouts: HookTimeouts = Field(
        default_factory=HookTimeouts, description="The longest all hooks of a point may take together."
    )
    on_timeout: Literal["rollback", "hold"] = Field(
        default=Consequence.ROLL_BACK.value, description="What follows then: roll back, or hold for a person."
    )
