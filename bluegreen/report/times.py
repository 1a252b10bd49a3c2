"""Seconds and epoch seconds as a person reads them. All times of day are UTC, and say so."""

from __future__ import annotations

import math
import time


def duration(seconds: float) -> str:
    """``0.42s``, ``3.2s``, ``41s``, ``1m 20s``, ``2h 05m``, ``3d 4h``; a negative one is ``0s``."""
    if seconds <= 0:
        return "0s"
    if seconds < 0.995:
        return f"{max(seconds, 0.01):.2f}s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    return whole(round(seconds))


def span(seconds: float) -> str:
    """A time that was set, not measured: 5 seconds are ``5s``, where ``duration`` tells ``5.0s``."""
    return whole(round(seconds)) if seconds == round(seconds) else duration(seconds)


def countdown(seconds: float) -> str:
    """Like ``duration`` in whole seconds, rounded up: it reaches 0s when the wait is over, not before."""
    return whole(max(0, math.ceil(seconds - 1e-6)))


def whole(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s" if seconds % 60 else f"{seconds // 60}m"
    if seconds < 86400:
        minutes = seconds % 3600 // 60
        return f"{seconds // 3600}h {minutes:02d}m" if minutes else f"{seconds // 3600}h"
    hours = seconds % 86400 // 3600
    return f"{seconds // 86400}d {hours}h" if hours else f"{seconds // 86400}d"


def moment(at: float) -> str:
    """``2026-11-21 09:23:43 UTC``"""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def time_of_day(at: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))


def iso(at: float) -> str:
    """``2026-11-21T09:23:43.120Z``"""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000 + 1e-3):03d}Z"
