"""What the renderers ask of answers that are made elsewhere: any object with these fields will do."""

from __future__ import annotations

from typing import Protocol

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.health import Observation
from bluegreen.domain.service import ServiceState


class Problem(Protocol):
    """``severity``: ``refuse``, ``force`` (refused unless forced) or ``warn``."""

    @property
    def severity(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def fix(self) -> str: ...


class RollbackPlan(Protocol):
    """``klass``: ``flip``, ``redeployment`` or ``nothing``. ``writes``: a sentence for each write, in order.

    ``seconds`` is how long until it is safe, None where nobody knows.
    """

    @property
    def klass(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def hint(self) -> str | None: ...


class Status(Protocol):
    """``deployment`` is the unfinished one, else the newest one that ended, else None.

    ``observation`` was read just now; its splits are in the roles of ``deployment``. ``problems``: reads that failed.
    ``gone``: the process that holds the lease does not exist any more.
    """

    @property
    def state(self) -> ServiceState: ...
    @property
    def deployment(self) -> Deployment | None: ...
    @property
    def observation(self) -> Observation: ...
    @property
    def problems(self) -> tuple[str, ...]: ...
    @property
    def gone(self) -> bool: ...
