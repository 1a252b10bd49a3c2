"""Someone else writes the weights, between any two calls of a deployment.

A console, a script or infrastructure as code sets 50/50 right before or right after each call of a deployment up to the
end of its bake. It must hold for drift within `gate_interval` and one tick, also while hooks are waited for before
green has any traffic, and leave the foreign weights alone. Left out is the one gap that ELBv2 leaves open, because it
has no conditional write: from the read that a write starts from to that write. A test holds it to the lease's fence and
nothing else.
"""

from __future__ import annotations

from bluegreen.domain.spec import RouteSpec
from scripts.campaigns.frame import Budget, Row, count, sampled
from tests.faults.foreign import ONE_ROUTE, TWO_ROUTES, instants, overwritten, spec_of


def run(budget: Budget) -> list[Row]:
    return [
        _row(budget, "one production route", ONE_ROUTE, 0),
        _row(budget, "two production routes, the first", TWO_ROUTES, 0),
        _row(budget, "two production routes, the second", TWO_ROUTES, 1),
        _row(budget, "one production route, hooks are waited for before the shift", ONE_ROUTE, 0, slow_hooks=True),
    ]


# Private


def _row(budget: Budget, what: str, routes: tuple[RouteSpec, ...], written: int, *, slow_hooks: bool = False) -> Row:
    spec = spec_of(routes, slow_hooks=slow_hooks)
    found = instants(spec)
    closed = [instant for instant in found if not instant.open]
    losses = (overwritten(spec, instant, written) for instant in sampled(closed, budget.share))
    return count(what, losses, budget.clock, lambda: f"{len(found) - len(closed)} instants in the gaps left out")
