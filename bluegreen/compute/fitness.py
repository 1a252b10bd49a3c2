"""Whether an ECS service can be a slot, from what DescribeServices says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]


def unfit(service: Facts) -> tuple[str, str] | None:
    """Why it can be no slot, in words that follow its name, and the way out; None where it can."""
    controller = (service.get("deploymentController") or {}).get("type", "ECS")
    strategy = (service.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
    if service.get("status", "ACTIVE") != "ACTIVE":
        return f"is {service['status']}", "create it again, with a desired count of 0"
    if service.get("schedulingStrategy") == "DAEMON":
        return "is a DAEMON service: it has no desired count", "use a REPLICA service"
    if controller != "ECS":
        return (
            f"is controlled by {controller}, which shifts its traffic itself",
            "create a service with the ECS deployment controller for each slot",
        )
    if strategy != "ROLLING":
        return (
            f"has the deployment strategy {strategy}, which shifts its traffic itself",
            "aws ecs update-service --deployment-configuration strategy=ROLLING",
        )
    return None


def target_groups_of(service: Facts) -> tuple[str, ...]:
    """The ARNs of the target groups that it registers its tasks in, each once."""
    arns = [str(balancer.get("targetGroupArn") or "") for balancer in service.get("loadBalancers") or []]
    return tuple(dict.fromkeys(arn for arn in arns if arn))
