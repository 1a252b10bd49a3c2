"""Tasks in target groups: what was registered here, and how the balancer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend

from bluegreen.clock import Clock
from bluegreen.sandbox.base import ACCOUNT, Balancer, Settings, TargetState

_LOOK_AGAIN_SECONDS = 0.2
_SERVES = frozenset({"healthy", "unused"})


@dataclass(frozen=True, slots=True)
class Attachment:
    """One entry of a service's or a task set's ``loadBalancers``."""

    target_group: str
    container: str
    port: int


class Targets:
    """Touches no target but those it is told of. All calls come from the scheduler's thread."""

    def __init__(self, settings: Settings, balancer: Balancer, clock: Clock) -> None:
        self._region = settings.region
        self._balancer = balancer
        self._clock = clock
        self._changed = False
        self._seen: dict[str, tuple[float, dict[tuple[str, int], TargetState]]] = {}

    def register(self, attachment: Attachment, address: str) -> str | None:
        """The reason when it could not be done: the target group is gone."""
        try:
            self._backend().register_targets(attachment.target_group, [{"Id": address, "Port": attachment.port}])
        except Exception as error:
            # moto's exceptions share no base class of their own.
            return str(getattr(error, "message", error))
        self._changed = True
        return None

    def deregister(self, attachment: Attachment, address: str) -> None:
        """A target that somebody else took out, or a target group that is gone, is no error."""
        try:
            self._backend().deregister_targets(attachment.target_group, [{"Id": address, "Port": attachment.port}])
        except Exception:
            return
        self._changed = True

    def flush(self) -> bool:
        """Let the balancer follow what was changed since the last call; False when there was nothing."""
        if not self._changed:
            return False
        self._seen.clear()
        self._balancer.reconcile()
        self._changed = False
        return True

    def is_draining(self, attachment: Attachment, address: str) -> bool:
        return self._balancer.is_draining(attachment.target_group, address, attachment.port)

    def serves(self, attachment: Attachment, address: str) -> bool:
        """``unused`` serves too: the target group is in no rule, so nothing can be known of its health."""
        return self.state(attachment, address) in _SERVES

    def state(self, attachment: Attachment, address: str) -> str:
        """AWS's word; ``initial`` for a target that the balancer does not know yet. At most 0.2 s old."""
        seen = self._look(attachment, address)
        return seen.state if seen else "initial"

    def description(self, attachment: Attachment, address: str) -> str:
        """What the health checks of a target met, in AWS's words."""
        seen = self._look(attachment, address)
        return (seen and seen.description) or "Health checks failed"

    def _look(self, attachment: Attachment, address: str) -> TargetState | None:
        now = self._clock.monotonic()
        looked, states = self._seen.get(attachment.target_group, (float("-inf"), {}))
        if now - looked >= _LOOK_AGAIN_SECONDS:
            seen = self._balancer.target_health(attachment.target_group)
            states = {(target.address, target.port): target for target in seen}
            self._seen[attachment.target_group] = (now, states)
        return states.get((address, attachment.port))

    def _backend(self) -> Any:
        return get_backend("elbv2")[ACCOUNT][self._region]
