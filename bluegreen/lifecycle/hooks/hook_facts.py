"""What a hook is told of the deployment it is called in. Pure."""

from __future__ import annotations

import json

from bluegreen.domain.deployment import Deployment, HookRun, Route
from bluegreen.domain.spec import HookPoint, HookSpec, Spec
from bluegreen.hooks.base import HookCall


def call_of(d: Deployment, spec: HookSpec, run: HookRun) -> HookCall:
    """``base_url`` is the test route's."""
    facts = call_facts(d, spec.point, run.step)
    return HookCall(
        spec.point, spec.name, run.attempts, spec.timeout, base_url_of(d.spec, d.test_route), facts, run.settled
    )


def call_facts(deployment: Deployment, point: HookPoint, step: int) -> dict[str, str]:
    """What every hook is told, as strings; processes get each as ``BLUEGREEN_<NAME>``."""
    release = deployment.release
    spec = deployment.spec
    facts = {
        "deployment": deployment.id,
        "service": deployment.service,
        "cluster": spec.cluster,
        "point": point.value,
        "phase": deployment.phase.value,
        "step": str(step),
        "green_percent": _green_percent(deployment),
        "blue": deployment.blue.name,
        "green": deployment.green.name,
        "blue_service": deployment.blue.service,
        "green_service": deployment.green.service,
        "previous_release": deployment.previous.id,
        "release": release.id if release else "",
        "task_definition": release.task_definition if release else "",
        "images": json.dumps(release.images if release else {}, sort_keys=True),
        "load_balancer": deployment.routes[0].load_balancer if deployment.routes else "",
    }
    if deployment.routes and deployment.routes[0].url:
        facts["production_url"] = deployment.routes[0].url
    if spec.test_header:
        facts["test_header"] = spec.test_header
    if deployment.rollback:
        facts["rollback_reason"] = deployment.rollback.reason
        facts["rollback_from"] = deployment.rollback.from_phase.value
    return facts


def base_url_of(spec: Spec, test_route: Route | None) -> str | None:
    """Where the test route is reached, without a slash at its end."""
    given = spec.test_base_url or (test_route.url if test_route else None)
    return given.rstrip("/") if given else None


# Private


def _green_percent(d: Deployment) -> str:
    on_its_way = d.rollback is None and 0 <= d.step < len(d.spec.shift)
    return f"{d.spec.shift[d.step].percent:g}" if on_its_way else "0"
