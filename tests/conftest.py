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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that proofs recorded: without them a log only says that they passed."""
    reports = (report for of_a_kind in terminalreporter.stats.values() for report in of_a_kind)
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    figures = [
        f"{report.nodeid.rpartition('/')[2].partition('@')[0]}: {name}: {value}"
        for report in sorted(calls, key=lambda report: str(report.nodeid))
        for name, value in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.write_line(figure)
