"""What a gate is told of the deployment it watches (see hooks.base.FACTS). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bluegreen.domain.deployment import Deployment, Route, Slot
from bluegreen.domain.spec import Spec


def gate_facts(d: Deployment) -> dict[str, str]:
    facts = facts_before(d.spec, d.blue, d.green, d.routes)
    facts |= {"deployment": d.id, "previous_release": d.previous.id}
    if d.release is not None:
        facts |= {"release": d.release.id, "task_definition": d.release.task_definition}
    return facts


def facts_before(spec: Spec, blue: Slot, green: Slot, routes: Sequence[Route]) -> dict[str, str]:
    """What is known before a deployment begins: all but the deployment itself and its release."""
    facts = {
        "service": spec.service,
        "cluster": spec.cluster.rsplit("/", 1)[-1],
        "region": spec.region or _region(blue.target_group_arn),
    }
    for role, slot in (("blue", blue), ("green", green)):
        facts |= {
            role: slot.name,
            f"{role}_service": slot.service,
            f"{role}_target_group": slot.target_group_arn.rsplit(":", 1)[-1],
            f"{role}_target_group_arn": slot.target_group_arn,
        }
    if routes:
        facts |= {"load_balancer": _balancer(routes[0]), "load_balancer_name": routes[0].load_balancer}
    return facts


# Private


def _region(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""


def _balancer(route: Route) -> str:
    """``app/NAME/ID`` of a listener's or a rule's ARN, which ends ``…:listener[-rule]/app/NAME/ID/…``."""
    return "/".join(route.arn.rsplit(":", 1)[-1].split("/")[1:4])
