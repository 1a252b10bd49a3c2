"""How a route's traffic is divided between the two slots."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WEIGHT = 999
"""ALB's largest weight of a target group (elbv2 API, TargetGroupTuple)."""


@dataclass(frozen=True, slots=True)
class Split:
    """Weights as the load balancer holds them, 0 to 999 each; only their proportion matters to traffic."""

    blue: int
    green: int

    @classmethod
    def of_percent(cls, green: float) -> Split:
        """The weights for ``green`` per cent (0 to 100), to a tenth of a per cent.

        Raises ValueError where ALB's weights cannot express the share.
        """
        permille = round(green * 10, 6)
        if not 0 <= permille <= 1000 or permille != int(permille):
            raise ValueError(f"{green:g}% is not a share from 0 to 100 in steps of 0.1")
        if permille % 10 == 0:
            return cls(100 - int(permille) // 10, int(permille) // 10)
        return cls(1000 - int(permille), int(permille))

    @property
    def green_percent(self) -> float:
        """0.0 to 100.0; 0.0 when neither side has weight."""
        total = self.blue + self.green
        return 100 * self.green / total if total else 0.0

    def same_share(self, other: Split) -> bool:
        """True when both send the same proportion; 0/0 equals only itself."""
        if 0 in (self.blue + self.green, other.blue + other.green):
            return self == other
        return self.blue * other.green == other.blue * self.green

    def __str__(self) -> str:
        return f"blue {100 - self.green_percent:g}% / green {self.green_percent:g}%"


ALL_BLUE = Split(100, 0)
ALL_GREEN = Split(0, 100)
