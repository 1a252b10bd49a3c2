"""What holds for every tier."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test depends on how fast a machine is: neither an example's own time nor that of making it fails one.
settings.register_profile("bluegreen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bluegreen")
