"""The scalable targets of ECS services in Application Auto Scaling.

A read is one call for both slots, a write one. Source: application-autoscaling API, RegisterScalableTarget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from bluegreen.aws.clients import Clients
from bluegreen.domain.deployment import Slot
from bluegreen.domain.health import ScalableTarget
from bluegreen.errors import AwsError, ThrottledError
from bluegreen.traffic.base import Fence

Facts = dict[str, Any]

DIMENSION: Final = "ecs:service:DesiredCount"


class ApplicationAutoScaling:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, slots: Sequence[Slot]) -> tuple[ScalableTarget, ...]:
        by_id = {resource_id(slot): slot for slot in slots}
        answer = self._clients.read(
            self._clients.autoscaling.describe_scalable_targets,
            ServiceNamespace="ecs",
            ResourceIds=list(by_id),
            ScalableDimension=DIMENSION,
        )
        found = {item["ResourceId"]: cast(Facts, item) for item in answer["ScalableTargets"]}
        return tuple(_target(by_id[known], found[known]) for known in by_id if known in found)

    def register(self, slot: Slot, wanted: ScalableTarget, fence: Fence) -> None:
        method = self._clients.autoscaling.register_scalable_target
        fence()
        try:
            self._clients.write(
                method,
                ServiceNamespace="ecs",
                ResourceId=resource_id(slot),
                ScalableDimension=DIMENSION,
                MinCapacity=wanted.least,
                MaxCapacity=wanted.most,
                SuspendedState={
                    "DynamicScalingInSuspended": wanted.in_suspended,
                    "DynamicScalingOutSuspended": wanted.out_suspended,
                    "ScheduledScalingSuspended": wanted.scheduled_suspended,
                },
            )
        except AwsError as error:
            if error.code != "ConcurrentUpdateException":
                raise
            raise ThrottledError(error.message, operation=error.operation, code=error.code) from error


def resource_id(slot: Slot) -> str:
    """``service/CLUSTER/SERVICE``; a cluster or service may be configured by its ARN."""
    return f"service/{slot.cluster.rsplit('/', 1)[-1]}/{slot.service.rsplit('/', 1)[-1]}"


def _target(slot: Slot, found: Facts) -> ScalableTarget:
    suspended = found.get("SuspendedState") or {}
    return ScalableTarget(
        slot.name,
        int(found["MinCapacity"]),
        int(found["MaxCapacity"]),
        in_suspended=bool(suspended.get("DynamicScalingInSuspended")),
        out_suspended=bool(suspended.get("DynamicScalingOutSuspended")),
        scheduled_suspended=bool(suspended.get("ScheduledScalingSuspended")),
    )
