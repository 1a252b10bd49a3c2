"""A look at the gates of a deployment that holds, by somebody who drives nothing and writes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from bluegreen.domain.deployment import Deployment
from bluegreen.domain.spec import GateSpec
from bluegreen.errors import ConfigurationError, HookUnavailableError
from bluegreen.hooks.base import Gate, State
from bluegreen.lifecycle.watch.gate_facts import gate_facts
from bluegreen.lifecycle.watch.gating import watch_of

Build = Callable[[GateSpec, Mapping[str, str]], Gate]


class Glance:
    """What the gates ask to be kept is kept here: each begins, and a driver goes on, where the record's memory is.

    They are looked at every ``gate_interval``, however often it is asked.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self._memories: dict[str, Mapping[str, object]] = {}
        self._looked_at = -math.inf

    def firing(self, d: Deployment, now: float) -> str | None:
        """What the first gate says that fires. One that cannot be asked is no reason: the hold has its time."""
        if 0 <= now - self._looked_at < d.spec.gate_interval:
            return None
        self._looked_at = now
        facts = gate_facts(d)
        for spec in d.spec.gates:
            if spec.name in d.ignored_gates:
                continue
            try:
                reading = self._build(spec, facts).check(watch_of(d, spec.name, self._memories.get(spec.name)))
            except (HookUnavailableError, ConfigurationError):
                continue
            self._memories[spec.name] = reading.memory
            if reading.state == State.FIRING:
                return f"gate {spec.name} fired while the deployment was held: {reading.detail}"
        return None
