"""What a campaign is given, what it answers, and how it is found."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bluegreen.clock import Clock, SystemClock

PACKAGE = "scripts.campaigns"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to try. ``share`` is 1.0 for the whole campaign; ``folder`` is for files; ``seed`` makes chance repeat.

    ``tell`` is called with a sentence now and then: a long campaign should say how far it is.
    """

    folder: Path
    share: float = 1.0
    seed: int = 1
    tell: Callable[[str], None] = lambda sentence: None
    clock: Clock = field(default_factory=SystemClock)

    def of(self, full: int, least: int = 1) -> int:
        """This budget's part of ``full`` tries."""
        return max(least, round(full * self.share))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``tried`` points, of which ``lost`` ended neither in succeeded nor in rolled back, broke a safety rule, or lost a
    request; ``seconds`` of wall clock for all of them. ``note`` holds figures worth reading; ``losses`` name the lost.
    """

    what: str
    tried: int
    lost: int
    seconds: float
    note: str = ""
    losses: tuple[str, ...] = ()

    @property
    def converged(self) -> int:
        return self.tried - self.lost


@dataclass(frozen=True, slots=True)
class Campaign:
    name: str
    about: str
    run: Callable[[Budget], list[Row]]


def campaigns() -> dict[str, Campaign]:
    """Every campaign by its module's name, in the order of names."""
    package = importlib.import_module(PACKAGE)
    modules = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    found = {name: importlib.import_module(f"{PACKAGE}.{name}") for name in modules if name != "__main__"}
    return {
        name: Campaign(name, inspect.getdoc(module) or "", module.run)
        for name, module in found.items()
        if hasattr(module, "run")
    }


def count(what: str, losses: Iterable[str | None], clock: Clock, note: Callable[[], str] = lambda: "") -> Row:
    """A row from an iterator that answers, for each point tried, None or what was lost."""
    began = clock.monotonic()
    answers = list(losses)
    lost = tuple(answer for answer in answers if answer is not None)
    return Row(what, len(answers), len(lost), clock.monotonic() - began, note(), lost[:20])


def sampled(points: Iterable[T], share: float) -> Iterator[T]:
    """Evenly spread over the whole: a small budget still sees the end of a run."""
    owed = 1.0
    for point in points:
        owed += share
        if owed >= 1.0:
            owed -= 1.0
            yield point
