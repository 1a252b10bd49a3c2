"""One deployment, driven by this process: started, or taken up where another driver left it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bluegreen.domain.deployment import Deployment, Phase, PhaseSpan, ScalingFacts
from bluegreen.domain.events import Event, Kind
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.service import Lease
from bluegreen.domain.spec import Spec
from bluegreen.drivers.holder import give_back_unused, is_held, is_known_dead, take
from bluegreen.drivers.loop import Loop, Successor, Until, say_it_is_left
from bluegreen.errors import (
    BluegreenError,
    HeldError,
    LockedError,
    QuarantinedError,
    RefusedError,
    StoreUnavailableError,
    ThrottledError,
    UnreachableError,
)
from bluegreen.lifecycle.holding import may_turn_back
from bluegreen.lifecycle.preflight import Problem, judge
from bluegreen.lifecycle.survey import Found, survey
from bluegreen.notify.base import Reporter, Silent
from bluegreen.wiring import Session

if TYPE_CHECKING:
    from bluegreen.config.load import Loaded


SURVEY_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 30.0, 30.0, 30.0, 60.0)
"""Seconds before a survey that AWS throttled is repeated."""


def preflight(session: Session, loaded: Loaded, request: ReleaseRequest | None) -> tuple[Problem, ...]:
    """What a deploy would refuse or warn of; nothing is changed."""
    return judge(_survey(session, loaded.spec, request, Silent()))


def deploy(
    session: Session,
    spec: Spec,
    request: ReleaseRequest,
    reporter: Reporter,
    *,
    force: bool = False,
    detach: Successor | None = None,
    attendant: Successor | None = None,
    condemns: str | None = None,
) -> Deployment:
    """Run a release to its end; with ``detach``, start it and leave it to that successor.

    Where it holds, the ``attendant`` stays with it, should nobody decide (attending.py).
    ``condemns`` is why the release that is live now goes into quarantine when this one has replaced it.

    Raises RefusedError (preflight), QuarantinedError, LockedError, and what ``Loop.run`` raises.
    """
    before = session.store.service(spec.service)
    if before.active is not None and not is_held(session, before):
        # Refused without taking the lease: a driver that fell silent must look silent to whoever comes next, too.
        _refuse(judge(_surveyed(session, spec, request, reporter)), force)
    taken = take(session, spec.service, before)
    lease = taken.lease
    try:
        deployment = start(session, spec, request, lease, reporter, force=force, condemns=condemns)
    except BaseException:
        give_back_unused(session, taken)
        raise
    if detach is not None:
        session.store.release(lease)
        reporter.event(_event(deployment, Kind.WAITING, detach(session, deployment)))
        return deployment
    return _driven(Loop(session, reporter), session, deployment.id, lease, reporter, attendant=attendant)


def resume(
    session: Session,
    service: str,
    reporter: Reporter,
    until: Until = lambda d: d.ended,
    *,
    attendant: Successor | None = None,
) -> Deployment:
    """Take up the service's unfinished deployment. Raises RefusedError when there is none, LockedError when driven."""
    deployment = active(session, service)
    taken = take(session, service)
    session.region = deployment.spec.region
    loop = Loop(session, reporter)
    # A lease that could not be noted is not given back: the next driver must see that it followed a silent one.
    try:
        loop.engine.take_up(deployment.id, taken.lease, taken.ended, dead=taken.dead)
    except LockedError:
        raise
    except BluegreenError as error:
        say_it_is_left(error, deployment.id, service)
        raise
    return _driven(loop, session, deployment.id, taken.lease, reporter, until, attendant)


def active(session: Session, service: str) -> Deployment:
    """The unfinished deployment. Raises RefusedError when there is none."""
    state = session.store.service(service)
    if state.active is None:
        raise RefusedError(
            f"service {service} has no unfinished deployment", hint=f"bluegreen history {service} shows the ended ones"
        )
    return session.store.load(state.active)


def start(
    session: Session,
    spec: Spec,
    request: ReleaseRequest,
    lease: Lease,
    reporter: Reporter,
    *,
    force: bool,
    condemns: str | None = None,
) -> Deployment:
    """Survey, refuse or create the record. On AWS a task definition file is registered, and nothing else changed."""
    found = _surveyed(session, spec, request, reporter)
    _refuse(judge(found), force)
    last = next(iter(session.store.history(spec.service, 1)), None)
    late_until = last.late_until if last else 0.0
    deployment = replace(_record(session, found, request, force), condemns=condemns)
    deployment = replace(deployment, late_until=late_until, driver=lease.token)
    deployment = _without_definition(session, found.fingerprint, deployment, lease, reporter)
    events = [_event(deployment, Kind.STARTED, f"deployment {deployment.id} of {spec.service} started")]
    if deployment.release is not None:
        known = deployment.release
        data: dict[str, object] = {"release": known.id, "images": known.images}
        events.append(_event(deployment, Kind.RELEASE, f"release {known.label}", data))
    events += [
        _event(deployment, Kind.WARNING, f"{p.where}: {p.message}") for p in judge(found) if p.severity != "refuse"
    ]
    deployment = _begun(session, deployment, lease, events)
    for event in events:
        reporter.event(event)
    return deployment


# Private


def _driven(
    loop: Loop,
    session: Session,
    deployment_id: str,
    lease: Lease,
    reporter: Reporter,
    until: Until = lambda d: d.ended,
    attendant: Successor | None = None,
) -> Deployment:
    try:
        return loop.run(deployment_id, lease, until)
    except HeldError:
        with suppress(StoreUnavailableError):
            held = session.store.load(deployment_id)
            if attendant is not None and held.hold is not None and may_turn_back(held):
                told = _event(held, Kind.WAITING, attendant(session, held))
                reporter.event(replace(told, at=session.clock.now()))
        raise


def _passes(error: BluegreenError) -> bool:
    """AWS is busy. Where nothing can be sent at all, waiting helps nobody."""
    busy = isinstance(error, UnreachableError) and error.code not in ("EndpointConnectionError", "ConnectTimeoutError")
    return busy or isinstance(error, ThrottledError)


def _surveyed(session: Session, spec: Spec, request: ReleaseRequest, reporter: Reporter) -> Found:
    """Too many calls are no reason to refuse: they pass."""
    for pause in SURVEY_PAUSES:
        found = _survey(session, spec, request, reporter)
        if not any(_passes(error) for _, error in found.errors):
            return found
        session.clock.sleep(pause)
    return _survey(session, spec, request, reporter)


def _survey(session: Session, spec: Spec, request: ReleaseRequest | None, reporter: Reporter) -> Found:
    found = survey(session.world(reporter), spec, request)
    found.gone = found.state.lease is not None and is_known_dead(found.state.lease.owner, session.owner)
    return found


def _begun(session: Session, deployment: Deployment, lease: Lease, events: Sequence[Event]) -> Deployment:
    try:
        return session.store.begin(deployment, lease, events)
    except StoreUnavailableError as error:
        name = deployment.service
        raise StoreUnavailableError(
            f"no answer whether deployment {deployment.id} was recorded; nothing else was done, and traffic is where "
            f"it was: {error.message}",
            hint=f"bluegreen status {name}: if it shows this deployment, bluegreen resume {name} goes on with it "
            f"(bluegreen abort {name} ends it); if not, repeat the command",
        ) from error


def _refuse(problems: tuple[Problem, ...], force: bool) -> None:
    standing = [p for p in problems if p.severity == "refuse" or (p.severity == "force" and not force)]
    if not standing:
        return
    lines = "\n".join(f"  {p.where}: {p.message}\n    → {p.fix}" for p in standing)
    only_quarantine = all(p.where.startswith("release ") for p in standing)
    kind = QuarantinedError if only_quarantine else RefusedError
    raise kind(f"refused, nothing was changed:\n{lines}", hint="bluegreen verify shows all of it again")


def _record(session: Session, found: Found, request: ReleaseRequest, force: bool) -> Deployment:
    assert found.roles is not None
    blue, green = found.roles
    first = found.slots[0] if found.slots else blue
    now = session.clock.now()
    routes = []
    for route in found.routes:
        live = found.live[route.name]
        split = live.split if first == blue else replace(live.split, blue=live.split.green, green=live.split.blue)
        routes.append(replace(route, before=live.actions, shape=live.shape, original=split))
    return Deployment(
        id=_new_id(found.spec.service, now),
        service=found.spec.service,
        phase=Phase.PENDING,
        spec=found.spec,
        request=request,
        blue=blue,
        green=green,
        routes=tuple(routes),
        test_route=found.test_route,
        previous=found.current[blue.name],
        started_at=now,
        started_by=str(session.owner),
        blue_count=found.health[blue.name].desired,
        scaling=ScalingFacts(found.scaling or (), known=found.scaling is not None),
        groups=found.groups,
        ignored_gates=found.firing,
        force=force,
        spans=(PhaseSpan(Phase.PENDING, now),),
    )


def _without_definition(
    session: Session, fingerprint: str | None, d: Deployment, lease: Lease, reporter: Reporter
) -> Deployment:
    """A task definition file may hold secrets, so the record must not hold it. It is registered before there is a
    record, which names the revision: whoever finishes the deployment needs no more. A revision that nothing uses
    harms nobody, should this driver die in between."""
    d = replace(d, fingerprint=fingerprint)
    if d.request.definition is None:
        return d
    world = session.world(reporter)

    def fence() -> None:
        held, _ = session.store.renew(lease, now=session.clock.now())
        world.write_only_before(held.expires_at)

    release = world.compute.prepare(d.request, d.previous, d.id, fence)
    asked = replace(d.request, images={}, definition=None, task_definition=release.task_definition)
    return replace(d, request=asked, release=release)


def _new_id(service: str, now: float) -> str:
    return f"{service}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def _event(d: Deployment, kind: Kind, message: str, data: dict[str, object] | None = None) -> Event:
    return Event(d.started_at, d.id, d.service, d.phase, kind, message, data or {})
