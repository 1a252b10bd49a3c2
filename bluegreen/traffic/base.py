"""The seam to what divides traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bluegreen.domain.deployment import Route, Slot
from bluegreen.domain.health import GroupSettings, LiveRoute
from bluegreen.domain.spec import RouteSpec
from bluegreen.domain.split import Split

Fence = Callable[[], None]
"""Called right before a mutating call; raises when this driver may not write any more."""


Inspect = Callable[[LiveRoute], None]
"""Is shown the live route that a write starts from; what it raises is raised, and nothing is written."""


def accept(live: LiveRoute) -> None:
    """Whatever is live is written over."""


class TrafficRouter(Protocol):
    """Reads the live route before every write. Raises the AwsError family."""

    def resolve(self, spec: RouteSpec, slots: tuple[Slot, Slot]) -> Route:
        """Find the one listener or rule a configuration names.

        Raises RefusedError when it is ambiguous, and NotThereError, which is one, when it is missing or forwards to
        neither slot, saying what is there.
        """
        ...

    def read(self, route: Route, blue: Slot, green: Slot) -> LiveRoute: ...

    def shift(
        self,
        route: Route,
        blue: Slot,
        green: Slot,
        desired: Split,
        fence: Fence,
        *,
        insist: bool = False,
        inspect: Inspect = accept,
    ) -> LiveRoute:
        """Read, write only if the live split is another, read back; answers what was read back.

        With ``insist`` it is written in any case: a read may be answered by a replica that lags, and must not be
        believed against a record that says otherwise.
        All but the two weights survives. A slot that is missing in the forward is added. Raises RefusedError when
        the forward holds a target group that is neither slot's, or when its stickiness forbids the weights.
        """
        ...

    def settings(self, slots: tuple[Slot, Slot]) -> tuple[GroupSettings, GroupSettings]:
        """Both slots' target groups, as they are set now."""
        ...
