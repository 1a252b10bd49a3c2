"""A proof that records a figure shows it, to whoever runs it and in CI: a number that nobody reads proves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROOFS = """
import pytest

def test_under_load(record_property):
    record_property("requests", 48_211)
    record_property("answered", "{200: 48211}")

@pytest.mark.parametrize("fault", ["slow"])
def test_bad_release(fault, record_property):
    record_property("seconds from the canary to the verdict", 41.5)
    assert not fault

def test_without_figures():
    pass
"""


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_a_proof_records_is_shown_with_the_tests_name_at_the_end(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_proofs.py").write_text(PROOFS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", workers]
    done = subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = [line for line in done.stdout.splitlines() if line.startswith("test_proofs.py::")]
    assert shown == [
        "test_proofs.py::test_bad_release[slow]: seconds from the canary to the verdict: 41.5",
        "test_proofs.py::test_under_load: requests: 48211",
        "test_proofs.py::test_under_load: answered: {200: 48211}",
    ], done.stdout + done.stderr
    assert "test_without_figures" not in done.stdout
