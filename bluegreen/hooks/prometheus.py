"""``prometheus``: a PromQL query that answers one number, against bounds.

The HTTP API's instant query: a scalar, or a vector of one sample. An empty vector and NaN are no data; several samples
are a query that was not finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bluegreen.errors import HookUnavailableError
from bluegreen.hooks.base import Watch
from bluegreen.hooks.measured import MeasuredGate
from bluegreen.hooks.promql import Sample, instant, samples
from bluegreen.hooks.running import Surroundings
from bluegreen.hooks.words import shortened

if TYPE_CHECKING:
    from bluegreen.hooks.settings_gates import PrometheusSettings


def prometheus_gate(settings: PrometheusSettings, around: Surroundings) -> MeasuredGate:
    def measure(watch: Watch) -> float | None:
        return _number(samples(instant(settings, settings.query, around.clock)))

    return MeasuredGate(shortened(settings.query, 80), settings, measure, around)


# Private


def _number(found: list[Sample]) -> float | None:
    if len(found) > 1:
        raise HookUnavailableError(f"the query answers {len(found)} series; aggregate them to one, as with sum()")
    return found[0][1] if found else None
