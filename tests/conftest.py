"""What holds for every tier."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# No test depends on how fast a machine is: neither an example's own time nor that of making it fails one.
settings.register_profile("bluegreen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bluegreen")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Two proofs under load on the same machine disturb each other: better no run than one without its groups."""
    if not getattr(config.option, "loadgroup", False):
        return
    ignored = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
    if ignored:
        raise pytest.UsageError(f"pytest-xdist ignores the group of {ignored[0]}; install the pytest of pyproject.toml")
