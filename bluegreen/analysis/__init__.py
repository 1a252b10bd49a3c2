"""Verdicts on numbers, honest under continuous looking. Pure: imports nothing of the project but the errors."""

from bluegreen.analysis.betting import Margin, Wealth
from bluegreen.analysis.comparison import Comparison, Evidence, Kind, Levels, Limits
from bluegreen.analysis.counts import SECONDS, Counts, Histogram, Interval, Side
from bluegreen.analysis.latency import Slowness
from bluegreen.analysis.ratio import Ratios
from bluegreen.analysis.verdict import TAIL, Settings, State, Verdict, update, verdict

__all__ = [
    "SECONDS",
    "TAIL",
    "Comparison",
    "Counts",
    "Evidence",
    "Histogram",
    "Interval",
    "Kind",
    "Levels",
    "Limits",
    "Margin",
    "Ratios",
    "Settings",
    "Side",
    "Slowness",
    "State",
    "Verdict",
    "Wealth",
    "update",
    "verdict",
]
