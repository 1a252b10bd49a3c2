"""A Balancer without a proxy, for tests of the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.backends import get_backend

from bluegreen.sandbox.base import ACCOUNT, ListenerAddress, TargetState


class FakeBalancer:
    """Every registered target is ``healthy`` unless ``states`` says otherwise.

    ``slow_to_drain`` holds addresses that drain until they are taken out of it. As with a real one, a target begins
    to drain when ``reconcile`` finds it gone, and not before.
    """

    def __init__(self, region: str) -> None:
        self.states: dict[str, str] = {}
        self.slow_to_drain: set[str] = set()
        self._served: set[str] = set()
        self._left: set[str] = set()
        self._region = region

    def start(self) -> None:
        return

    def stop(self) -> None:
        return

    def reconcile(self) -> None:
        groups: Any = get_backend("elbv2")[ACCOUNT][self._region].target_groups
        now = {address for group in list(groups.values()) for address in list(group.targets)}
        self._left = (self._left | self._served) - now
        self._served = now

    def target_health(self, target_group_arn: str) -> Sequence[TargetState]:
        groups: Any = get_backend("elbv2")[ACCOUNT][self._region].target_groups
        if target_group_arn not in groups:
            return ()
        targets = list(groups[target_group_arn].targets.values())
        return [
            TargetState(target["Id"], int(target["Port"]), self.states.get(target["Id"], "healthy"))
            for target in targets
        ]

    def is_draining(self, target_group_arn: str, address: str, port: int) -> bool:
        return address in self._left & self.slow_to_drain

    def listeners(self) -> Sequence[ListenerAddress]:
        return ()
