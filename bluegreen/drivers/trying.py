"""One hook alone, outside any deployment: nothing is recorded, and nothing but the hook itself changes anything."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence

from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.release import ReleaseRequest
from bluegreen.domain.spec import HookPoint, HookSpec, Moment, Spec
from bluegreen.drivers.deciding import KIND as APPROVAL
from bluegreen.errors import BluegreenError, RefusedError, UsageError
from bluegreen.hooks.base import Failed, HookCall, Passed, Pending
from bluegreen.notify.base import Fact
from bluegreen.wiring import Session


def find_hook(spec: Spec, name: str, point: str | None = None) -> HookSpec:
    """Raises UsageError when none or several are meant, RefusedError for one that cannot be tried."""
    named = [hook for hook in spec.hooks if hook.name == name and point in (None, hook.point.value)]
    if not named:
        known = ", ".join(f"{hook.name} ({hook.point})" for hook in spec.hooks) or "none"
        raise UsageError(f"the configuration has no hook {name}", hint=f"its hooks: {known}")
    if len(named) > 1:
        points = " or ".join(hook.point.value for hook in named)
        raise UsageError(f"there are {len(named)} hooks {name}", hint=f"--point {points}")
    if named[0].kind == APPROVAL:
        raise RefusedError(
            f"{name} asks a person within a deployment: there is nothing to try", hint="name another hook"
        )
    return named[0]


def call_of(
    session: Session, spec: Spec, hook: HookSpec, request: ReleaseRequest | None = None, base_url: str | None = None
) -> HookCall:
    """What the hook would be told now. The test route leads to whatever it leads to: between deployments, to blue."""
    slots = session.compute.resolve(spec)
    route = session.router.resolve(spec.production[0], slots)
    blue, green = _roles(session, route, slots)
    live = session.compute.current(blue)
    facts = {
        "deployment": f"trial-{uuid.uuid4().hex[:8]}",
        "service": spec.service,
        "cluster": spec.cluster,
        "point": hook.point.value,
        "phase": "trial",
        "step": "0",
        "green_percent": "0",
        "blue": blue.name,
        "green": green.name,
        "blue_service": blue.service,
        "green_service": green.service,
        "previous_release": live.id,
        "release": live.id,
        "task_definition": live.task_definition,
        "images": json.dumps((request.images if request else {}) or live.images, sort_keys=True),
        "load_balancer": route.load_balancer,
    }
    if route.url:
        facts["production_url"] = route.url
    if spec.test_header:
        facts["test_header"] = spec.test_header
    url = base_url or _test_url(session, spec, slots)
    return HookCall(hook.point, hook.name, 1, hook.timeout, url, facts)


def try_hook(session: Session, hook: HookSpec, call: HookCall, progress: Callable[[str], None]) -> Passed | Failed:
    """To its end, or its timeout; cancelled whatever interrupts. Raises HookUnavailableError."""
    asked = session.hook(hook)
    verdict = asked.start(call)
    began = session.clock.monotonic()
    while isinstance(verdict, Pending):
        progress(verdict.progress)
        try:
            session.clock.sleep(verdict.again_in)
        except BaseException:
            asked.cancel(verdict.handle)
            raise
        late = session.clock.monotonic() - began > hook.timeout
        handle, verdict = verdict.handle, asked.poll(verdict.handle)
        if late and isinstance(verdict, Pending):
            asked.cancel(handle)
            return Failed(f"no answer within {hook.timeout:g} s")
    return verdict


def try_notifiers(session: Session, spec: Spec, name: str | None, moment: Moment, say: Callable[[str], None]) -> int:
    """Tell one, or all, that this is a trial; answers how many could not be told. Raises UsageError for no such one."""
    chosen = [each for each in spec.notify if name in (None, each.name)]
    if not chosen:
        known = ", ".join(each.name for each in spec.notify)
        hint = f"its notifiers: {known}" if known else "add one to its notify section: docs/hooks.md shows how"
        raise UsageError(f"the configuration has no notifier {name or ''}".rstrip(), hint=hint)
    fact = Fact(
        moment=moment,
        at=session.clock.now(),
        service=spec.service,
        cluster=spec.cluster,
        deployment=f"trial-{uuid.uuid4().hex[:8]}",
        phase="trial",
        message=f"this is a trial of being told {moment.value}; nothing was deployed",
        data={"trial": True},
    )
    failed = 0
    for each in chosen:
        try:
            session.notifier(each).tell(fact)
            say(f"told: {each.name} ({each.kind})")
        except BluegreenError as error:
            failed += 1
            say(f"not told: {each.name} ({each.kind}): {error.message}")
    return failed


def points_in_order(hooks: Sequence[HookSpec]) -> list[HookSpec]:
    order = list(HookPoint)
    return sorted(hooks, key=lambda hook: order.index(hook.point))


# Private


def _roles(session: Session, route: Route, slots: tuple[Slot, Slot]) -> tuple[Slot, Slot]:
    live = session.router.read(route, *slots)
    return slots if live.split.green_percent < 50 else (slots[1], slots[0])


def _test_url(session: Session, spec: Spec, slots: tuple[Slot, Slot]) -> str | None:
    if spec.test_base_url:
        return spec.test_base_url.rstrip("/")
    if spec.test is None:
        return None
    url = session.router.resolve(spec.test, slots).url
    return url.rstrip("/") if url else None
