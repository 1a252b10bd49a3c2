"""configs/sandbox.yaml is a template for AWS that the sandbox takes, not the other way round."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TEMPLATE = Path(__file__).parents[2] / "configs" / "sandbox.yaml"


def test_cfn_lint_passes_the_default_template() -> None:
    command = Path(sys.executable).with_name("cfn-lint")
    checked = subprocess.run([str(command), str(_TEMPLATE)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
