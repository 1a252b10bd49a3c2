"""AWS's published request quotas as token buckets, per account and region.

Sources: Elastic Load Balancing user guide, "Throttling for the Elastic Load Balancing API";
Amazon ECS API reference, "Request throttling for the Amazon ECS API".
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.clock import Clock
from bluegreen.sandbox.api.request import Call


@dataclass(frozen=True, slots=True)
class Quota:
    """``size`` is the bucket in requests, ``refill`` its requests per second."""

    name: str
    size: float
    refill: float


ELB_MUTATING = Quota("elbv2 mutating", 20, 3)
ELB_DESCRIBE = Quota("elbv2 describe", 40, 10)
ELB_TARGETS = Quota("elbv2 register/deregister", 20, 4)
ELB_ALL = Quota("elbv2 all calls", 40, 10)
ECS_SERVICE_MODIFY = Quota("ecs service modify", 50, 5)
ECS_SERVICE_READ = Quota("ecs service read", 100, 20)
ECS_REGISTER = Quota("ecs RegisterTaskDefinition", 20, 1)
ECS_TASK_READ = Quota("ecs task read", 100, 20)

_ECS = {
    **dict.fromkeys(("CreateService", "UpdateService", "DeleteService"), ECS_SERVICE_MODIFY),
    **dict.fromkeys(("CreateTaskSet", "UpdateTaskSet", "DeleteTaskSet"), ECS_SERVICE_MODIFY),
    "UpdateServicePrimaryTaskSet": ECS_SERVICE_MODIFY,
    **dict.fromkeys(("DescribeServices", "ListServices", "DescribeTaskSets"), ECS_SERVICE_READ),
    "RegisterTaskDefinition": ECS_REGISTER,
    **dict.fromkeys(("DescribeTasks", "ListTasks"), ECS_TASK_READ),
}
_ERROR_CODES = {"elbv2": "Throttling"}


class Throttles:
    """One bucket for each quota and region. ``scale`` multiplies size and refill; off means no limit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self.enabled = True
        self.scale = 1.0

    def admits(self, call: Call) -> bool:
        """Takes a token from every bucket that counts ``call``; takes none when one of them is empty."""
        if not self.enabled:
            return True
        with self._lock:
            now = self._clock.monotonic()
            buckets = [self._bucket(quota, call.region, now) for quota in quotas_of(call)]
            if any(bucket.tokens < 1 for bucket in buckets):
                return False
            for bucket in buckets:
                bucket.tokens -= 1
            return True

    def configure(self, *, enabled: bool | None = None, scale: float | None = None) -> None:
        """Raises ValueError for a scale that is not positive. Every bucket is full again afterwards."""
        if scale is not None and not 0 < scale < math.inf:
            raise ValueError(f"scale {scale:g} is no number above 0")
        with self._lock:
            self.enabled = self.enabled if enabled is None else enabled
            self.scale = self.scale if scale is None else scale
            self._buckets.clear()

    def reset(self) -> None:
        with self._lock:
            self._buckets.clear()

    def _bucket(self, quota: Quota, region: str, now: float) -> _Bucket:
        size = quota.size * self.scale
        bucket = self._buckets.setdefault((quota.name, region), _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + (now - bucket.at) * quota.refill * self.scale)
        bucket.at = now
        return bucket


def quotas_of(call: Call) -> Sequence[Quota]:
    if call.service == "elbv2":
        return (_elb_quota(call.operation), ELB_ALL)
    if call.service == "ecs" and call.operation in _ECS:
        return (_ECS[call.operation],)
    return ()


def throttle_error(call: Call) -> str:
    return _ERROR_CODES.get(call.service, "ThrottlingException")


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


def _elb_quota(operation: str) -> Quota:
    if operation in {"RegisterTargets", "DeregisterTargets"}:
        return ELB_TARGETS
    return ELB_DESCRIBE if operation.startswith("Describe") else ELB_MUTATING
