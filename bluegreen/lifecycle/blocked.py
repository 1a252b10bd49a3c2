"""What follows when AWS refuses a call for good: nobody repeats it, and nothing is left half-done in silence.

Before anything was launched the deployment turns back: the next one finds a clean service. From then on it holds, with
the action and the resource, what stands where, and the way on: a rollback would need the same permissions.
See docs/decisions/refused-calls.md.
"""

from __future__ import annotations

from bluegreen.domain.deployment import HoldKind, Phase, Route
from bluegreen.errors import (
    AccessDeniedError,
    AwsError,
    BluegreenError,
    CredentialsError,
    RecordError,
    RefusedError,
    ThrottledError,
    UnreachableError,
)
from bluegreen.lifecycle.outcome import Hold, Outcome, Reject
from bluegreen.lifecycle.routes import routing
from bluegreen.lifecycle.work import Work

FOR_GOOD = (AwsError, RefusedError)
"""What a step may raise that the driver's patience cannot mend, but for the two kinds below."""

PASSING = (ThrottledError, UnreachableError, RecordError)


def blocked(work: Work, error: BluegreenError) -> Outcome:
    """The outcome of a step that met ``error``; raises it again when it may pass by itself."""
    if isinstance(error, PASSING):
        raise error
    if work.deployment.phase is Phase.PENDING and not isinstance(error, CredentialsError):
        return Reject(f"nothing was launched: {error.message}")
    return Hold(_kind(error), f"{error.message}. {what_stands(work)}", _way_out(work, error))


def what_stands(work: Work) -> str:
    """Where each production route sends traffic, and who watches it: for a hold that no longer drives on."""
    splits = "; ".join(_stands(work, route) for route in work.deployment.routes) or work.deployment.users()
    if work.deployment.phase is Phase.ROLLBACK:
        return f"The rollback is not done: {splits}"
    return f"{splits}. Until the deployment goes on, only bluegreen attend watches it"


# Private


def _kind(error: BluegreenError) -> HoldKind:
    return HoldKind.PERMISSION if isinstance(error, AccessDeniedError | CredentialsError) else HoldKind.REFUSED


def _stands(work: Work, route: Route) -> str:
    """As read just now; where that is refused too, as written last."""
    try:
        return f"{route.name} stands at {routing.observe(work, route).split}"
    except BluegreenError:
        pass
    if route.written is None:
        return f"{route.name} was not written by this deployment"
    return (
        f"{route.name} cannot be read; {route.written.split} was {'' if route.written.confirmed else 'to be '}written"
    )


def _way_out(work: Work, error: BluegreenError) -> str:
    service = work.deployment.service
    mend = error.hint or "mend it"
    if isinstance(error, AccessDeniedError):
        mend += " (bluegreen iam-policy prints all that is needed)"
    back = "" if work.deployment.phase is Phase.ROLLBACK else f"; or bluegreen rollback {service}"
    who = " with an identity that may" if back and isinstance(error, AccessDeniedError | CredentialsError) else ""
    return f"{mend}, then bluegreen resume {service}{back}{who}"
