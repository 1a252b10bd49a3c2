"""``shift``: the five ways to say how traffic goes over to green."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field, model_validator

from bluegreen.config.values import Part, SomePercent, Time, said
from bluegreen.domain.spec import ShiftStep
from bluegreen.traffic import schedule

ALL_AT_ONCE_WORD = "all-at-once"


class Canary(Part):
    """A first share, and after a wait everything."""

    percent: SomePercent = Field(description="Green's first share, in %, to a tenth.")
    wait: Time = Field(description="How long the first share is watched.")

    @model_validator(mode="after")
    def _possible(self) -> Canary:
        _checked(lambda: schedule.canary(self.percent, self.wait))
        return self


class UntilVerdict(Part):
    """A first share until the compare gates have their verdict, and then everything; a bad one turns it back."""

    percent: SomePercent = Field(description="Green's first share, in %, to a tenth.")
    at_least: Time = Field(default=60.0, description="How long the first share is watched even after a good verdict.")
    at_most: Time = Field(description="When there is no verdict by then, the gate's inconclusive says what follows.")

    @model_validator(mode="after")
    def _possible(self) -> UntilVerdict:
        _checked(lambda: schedule.until_verdict(self.percent, self.at_least, self.at_most))
        return self


class Linear(Part):
    """Equal steps until everything is over."""

    percent: SomePercent = Field(description="What each step adds, in %, to a tenth.")
    every: Time = Field(description="The time between two steps.")

    @model_validator(mode="after")
    def _possible(self) -> Linear:
        _checked(lambda: schedule.linear(self.percent, self.every))
        return self


class Step(Part):
    percent: SomePercent = Field(description="Green's share after this step, in %, to a tenth.")
    wait: Time = Field(default=0.0, description="How long the step is watched before the next.")


class Shift(Part):
    """One of the four. The word all-at-once instead of them is one step to 100%."""

    canary: Canary | None = Field(default=None, description="A first share, and after a wait everything.")
    until_verdict: UntilVerdict | None = Field(
        default=None, description="A first share until a comparison with blue has its verdict, and then everything."
    )
    linear: Linear | None = Field(default=None, description="Equal steps until everything is over.")
    steps: list[Step] | None = Field(
        default=None, description="The steps one by one, strictly increasing, the last 100."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Shift:
        if self is ALL_AT_ONCE:
            return self
        if sum(way is not None for way in (self.canary, self.until_verdict, self.linear, self.steps)) != 1:
            raise said(f"needs exactly one of canary, until_verdict, linear, steps, or the word {ALL_AT_ONCE_WORD}")
        _checked(self.schedule)
        return self

    def schedule(self) -> tuple[ShiftStep, ...]:
        if self.canary is not None:
            return schedule.canary(self.canary.percent, self.canary.wait)
        if self.until_verdict is not None:
            way = self.until_verdict
            return schedule.until_verdict(way.percent, way.at_least, way.at_most)
        if self.linear is not None:
            return schedule.linear(self.linear.percent, self.linear.every)
        if self.steps is not None:
            return schedule.explicit((step.percent, step.wait) for step in self.steps)
        return schedule.all_at_once()


ALL_AT_ONCE = Shift.model_construct()


def word_or_mapping(value: object) -> object:
    if value == ALL_AT_ONCE_WORD:
        return ALL_AT_ONCE
    if isinstance(value, str):
        raise said(
            f"must be {ALL_AT_ONCE_WORD} or a mapping, as in {{canary: {{percent: 5, wait: 5m}}}}, "
            "{linear: {percent: 10, every: 1m}} or {steps: [{percent: 5, wait: 5m}, {percent: 100}]}"
        )
    return value


# Private


def _checked(made: Callable[[], object]) -> None:
    try:
        made()
    except ValueError as error:
        raise said(str(error)) from None
