"""Deployments as they stand at the moments a person looks at them."""

from __future__ import annotations

from dataclasses import replace

from bluegreen.domain.deployment import (
    Deployment,
    Hold,
    HoldKind,
    HookRun,
    HookStatus,
    Phase,
    PhaseSpan,
    RollbackFacts,
    Route,
    Slot,
    Waiting,
    Written,
)
from bluegreen.domain.health import Observation, SlotHealth
from bluegreen.domain.release import KnownGood, Quarantined, Release, ReleaseRequest
from bluegreen.domain.service import Lease, Owner, ServiceState
from bluegreen.domain.spec import HookPoint, HookSpec, RouteSpec, ShiftStep, SlotSpec, Spec
from bluegreen.domain.split import ALL_BLUE, ALL_GREEN, Split

T0 = 1_763_717_023.0
"""2025-11-21 09:23:43 UTC"""

CANARY = Split.of_percent(5)
OWNER = Owner("ci", "build-7", 12, "deploy")
BLUE = Slot("orders-1", "arn:tg/orders-1", "orders-1", "production")
GREEN = Slot("orders-2", "arn:tg/orders-2", "orders-2", "production")
OLD = Release("orders:41", "arn:td/orders:41", {"app": "registry/orders:v1"})
NEW = Release("orders:42", "arn:td/orders:42", {"app": "registry/orders:v2"})
ROUTE = Route("prod:443 /api/orders/*", "arn:rule/1", "rule", url="https://prod/api/orders/", original=ALL_BLUE)
TEST_ROUTE = Route("prod:8080", "arn:listener/2", "listener", original=ALL_BLUE)
SPEC = Spec(
    service="orders",
    cluster="production",
    slots=(SlotSpec("orders-1", "orders-1"), SlotSpec("orders-2", "orders-2")),
    production=(RouteSpec("prod", 443, rule={"path": "/api/orders/*"}),),
    shift=(ShiftStep(5, 300), ShiftStep(100, 0)),
    hooks=(
        HookSpec(HookPoint.TEST, "http /health", "http"),
        HookSpec(HookPoint.TEST, "smoke", "pytest"),
    ),
)
TESTS = (
    HookRun(HookPoint.TEST, 0, "http /health", "http", HookStatus.PASSED, T0 + 33, T0 + 34.2, detail="200 in 31 ms"),
    HookRun(HookPoint.TEST, 0, "smoke", "pytest", HookStatus.PASSED, T0 + 34.2, T0 + 41, detail="12 passed"),
)


def deployment(**changes: object) -> Deployment:
    fresh = Deployment(
        id="orders-20251121-092343-a1b2",
        service="orders",
        phase=Phase.LAUNCH,
        spec=SPEC,
        request=ReleaseRequest(images={"app": "registry/orders:v2"}, reason="faster basket"),
        blue=BLUE,
        green=GREEN,
        routes=(ROUTE,),
        previous=OLD,
        started_at=T0,
        started_by=str(OWNER),
        test_route=TEST_ROUTE,
        release=NEW,
        blue_count=4,
        spans=(PhaseSpan(Phase.PENDING, T0, T0 + 0.4), PhaseSpan(Phase.LAUNCH, T0 + 0.4)),
    )
    return replace(fresh, **changes)  # type: ignore[arg-type]


def spans(*phases: Phase) -> tuple[PhaseSpan, ...]:
    """Each phase took what it takes in the samples; the last one still runs unless it is final."""
    lengths = {Phase.PENDING: 0.4, Phase.LAUNCH: 32.1, Phase.TEST: 8.5, Phase.SHIFT: 302, Phase.BAKE: 1800}
    at, made = T0, []
    for phase in phases:
        ends = at + lengths.get(phase, 41)
        made.append(PhaseSpan(phase, at, None if phase is phases[-1] and not phase.final else ends))
        at = ends
    return tuple(made)


def canary() -> Deployment:
    return deployment(
        phase=Phase.SHIFT,
        launched=True,
        step=0,
        hooks=TESTS,
        routes=(replace(ROUTE, written=Written(CANARY, T0 + 42, confirmed=True)),),
        spans=spans(Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT),
        waiting=Waiting("canary at 5% under watch", T0 + 342),
    )


def held() -> Deployment:
    return replace(
        canary(),
        waiting=None,
        hold=Hold(
            HoldKind.DRIFT,
            "someone else changed the weights of prod:443 /api/orders/*: live is blue 50% / green 50%, "
            "this deployment wrote blue 95% / green 5%",
            T0 + 100,
            "bluegreen resume orders --accept-live (go on from the live weights), bluegreen resume orders --reassert "
            "(write ours again), or bluegreen rollback orders",
        ),
    )


def succeeded() -> Deployment:
    return replace(
        canary(),
        phase=Phase.SUCCEEDED,
        waiting=None,
        step=1,
        routes=(replace(ROUTE, written=Written(ALL_GREEN, T0 + 342, confirmed=True)),),
        spans=spans(Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT, Phase.BAKE, Phase.TEARDOWN, Phase.SUCCEEDED),
        ended_at=T0 + 2184,
    )


def rolling_back(*, safe: bool = True) -> Deployment:
    facts = RollbackFacts(
        "gate orders-5xx fired: 12 errors in 60 s (limit 5)",
        "bluegreen",
        T0 + 100,
        Phase.SHIFT,
        blue_at=T0 + 100.3,
        safe_at=T0 + 100.42 if safe else None,
    )
    return replace(
        canary(),
        phase=Phase.ROLLBACK,
        rollback=facts,
        routes=(replace(ROUTE, written=Written(ALL_BLUE, T0 + 100.3, confirmed=True)),),
        spans=(
            *spans(Phase.PENDING, Phase.LAUNCH, Phase.TEST, Phase.SHIFT)[:-1],
            PhaseSpan(Phase.SHIFT, T0 + 41, T0 + 100),
            PhaseSpan(Phase.ROLLBACK, T0 + 100),
        ),
        waiting=Waiting("the split settles before green is touched", T0 + 110),
    )


def rolled_back() -> Deployment:
    turned = rolling_back()
    ended = tuple(replace(span, ended_at=span.ended_at or T0 + 160) for span in turned.spans)
    return replace(turned, phase=Phase.ROLLED_BACK, spans=ended, waiting=None, ended_at=T0 + 160)


def seen(green_share: Split = CANARY, *, green_healthy: int = 4) -> Observation:
    initial = {"initial": 4 - green_healthy} if green_healthy < 4 else {}
    return Observation(
        slots={
            "orders-1": SlotHealth(4, 4, {"healthy": 4}, OLD.task_definition),
            "orders-2": SlotHealth(4, 4, {"healthy": green_healthy, **initial}, NEW.task_definition),
        },
        live={ROUTE.name: green_share},
        gates={"orders-5xx": "ok"},
    )


def state(**changes: object) -> ServiceState:
    known = ServiceState(
        "orders",
        token=7,
        known_good=(KnownGood(OLD, "orders-20251120-101500-77aa", T0 - 80_000),),
        quarantine=(
            Quarantined(
                Release("orders:40", "arn:td/orders:40", {"app": "registry/orders:v0"}),
                "f",
                "orders-20251119-080000-90ff",
                "hook smoke failed: 2 of 12 tests failed",
                T0 - 90_000,
            ),
        ),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def lease(**changes: object) -> Lease:
    return replace(Lease("orders", 7, OWNER, T0, T0 + 130), **changes)  # type: ignore[arg-type]
