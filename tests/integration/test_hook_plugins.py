"""Plug-ins: the example package, installed by pip, is found by name; a broken one breaks no other run."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli_kit import CONFIGURATION

EXAMPLE = Path(__file__).parents[2] / "hooks" / "plugin"
MONDAY, FRIDAY = 1_700_474_400.0, 1_700_820_000.0
"""2023-11-20 and 2023-11-24, 10:00 UTC."""

RUN = """
import json, sys
from pathlib import Path
from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec
from bluegreen.hooks.base import HookCall, Watch
from bluegreen.hooks.registry import build_gate, build_hook
told = json.loads(sys.argv[1])
clock = FakeClock(told["at"])
try:
    if "gate" in told:
        spec = GateSpec("g", told["gate"], told["settings"])
        found = build_gate(spec, {"FROM": "8"}, Path("/"), None, clock).check(Watch())
    else:
        spec = HookSpec(HookPoint.TEST, "h", told["hook"], told["settings"])
        found = build_hook(spec, {"DAY": "Friday"}, Path("/"), clock).start(
            HookCall(HookPoint.TEST, "h", 1, 9.0, None, {"service": "orders"})
        )
    print(json.dumps([type(found).__name__, str(found)]))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed, and beside it a package whose import fails."""
    work = tmp_path_factory.mktemp("plugins")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    good = wheel(work, project["name"], (EXAMPLE / "bluegreen_calendar.py").read_text(), project["entry-points"])
    points = {
        "bluegreen.hooks": {"broken": "bluegreen_broken:Hook"},
        "bluegreen.gates": {"broken": "nowhere:Gate"},
        "bluegreen.notifiers": {"broken": "bluegreen_broken:Notifier"},
    }
    bad = wheel(work, "bluegreen-broken", "raise RuntimeError('half installed')", points)
    groups = ("bluegreen.hooks", "bluegreen.gates", "bluegreen.notifiers")
    quits = {group: {"quits": "bluegreen_quits:Kind"} for group in groups}
    quitter = wheel(work, "bluegreen-quits", "import sys; sys.exit(0)", quits)
    site = work / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--target",
            site,
            good,
            bad,
            quitter,
        ],
        check=True,
    )
    return site


def wheel(folder: Path, name: str, module: str, points: dict[str, dict[str, str]]) -> Path:
    """What a build backend would make of it."""
    package, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    entries = "".join(
        f"[{group}]\n" + "".join(f"{key} = {place}\n" for key, place in named.items())
        for group, named in points.items()
    )
    files = {
        f"{package}.py": module,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entries,
    }
    rows = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in files.items()]
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def run(site: Path, **told: Any) -> tuple[str, str]:
    command = [sys.executable, "-c", RUN, json.dumps(told)]
    done = subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True)
    kind, text = json.loads(done.stdout)
    return kind, text


def test_the_example_package_s_hook_and_gate_are_found_by_name(installed: Path) -> None:
    settings = {"refuse": ["${DAY}"]}
    kind, text = run(installed, hook="weekday", settings=settings, at=FRIDAY)
    assert kind == "Failed"
    # The day came in by ${DAY}: of a plug-in, too, such a value is not shown.
    assert "orders is not released on a [redacted]" in text
    told_in_the_open = run(installed, hook="weekday", settings={"refuse": ["Friday"]}, at=FRIDAY)[1]
    assert "orders is not released on a Friday" in told_in_the_open
    assert run(installed, hook="weekday", settings=settings, at=MONDAY)[0] == "Passed"
    assert "state='ok'" in run(installed, gate="office_hours", settings={"from": "${FROM}"}, at=MONDAY)[1]
    assert "state='firing'" in run(installed, gate="office_hours", settings={"until": 9}, at=MONDAY)[1]


def test_a_plug_ins_own_refusal_of_its_settings_is_a_configuration_error(installed: Path) -> None:
    kind, text = run(installed, hook="weekday", settings={}, at=MONDAY)
    assert kind == "ConfigurationError"
    assert "refuse names no day" in text


def test_a_broken_plug_in_is_named_and_breaks_no_other_run(installed: Path) -> None:
    kind, text = run(installed, hook="broken", settings={}, at=MONDAY)
    assert kind == "ConfigurationError"
    assert "half installed" in text
    assert "hook h (test): the plug-in broken" in text
    assert run(installed, hook="weekday", settings={"refuse": ["Friday"]}, at=MONDAY)[0] == "Passed"
    assert run(installed, gate="broken", settings={}, at=MONDAY)[0] == "ConfigurationError"


def test_a_plug_in_that_ends_the_process_when_it_is_imported_is_a_configuration_error_and_no_success(
    installed: Path,
) -> None:
    for kind in ("hook", "gate"):
        said, text = run(installed, **{kind: "quits"}, settings={}, at=MONDAY)
        assert said == "ConfigurationError"
        assert "the plug-in quits (bluegreen_quits:Kind) is broken: SystemExit: 0" in text


def test_a_configuration_with_a_plug_in_is_accepted_and_one_without_it_names_what_is_missing(
    installed: Path, tmp_path: Path
) -> None:
    hooks = {"before_launch": [{"weekday": {"refuse": ["Friday"]}}]}
    document = yaml.safe_load(CONFIGURATION) | {"hooks": hooks, "gates": [{"office_hours": {"until": 17}}]}
    (tmp_path / "bluegreen.yaml").write_text(yaml.safe_dump(document))
    listed = _list(tmp_path, str(installed))
    assert listed.returncode == 0, listed.stderr
    assert "weekday" in listed.stdout
    assert "office_hours" in listed.stdout
    missing = _list(tmp_path, "")
    assert missing.returncode == 2
    assert "weekday" in missing.stderr


def _list(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": path, "HOME": str(folder), "PATH": "/usr/bin:/bin", "AWS_REGION": "eu-west-1"}
    command = [sys.executable, "-m", "bluegreen", "hooks", "list"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


TELL = """
import json, sys
from pathlib import Path
from bluegreen.clock import SystemClock
from bluegreen.domain.spec import Moment, NotifySpec
from bluegreen.hooks.running import Links
from bluegreen.notify.registry import build_notifier
from bluegreen.notify.lazily import ToldLazily
from bluegreen.drivers.foreground import deploy
from tests.stage import NEW, SPEC, Stage
from dataclasses import replace
folder = Path(sys.argv[1])
notify = tuple(
    NotifySpec(kind, kind, {"file": str(folder / "told")} if kind == "logbook" else {}, (Moment.SUCCEEDED,))
    for kind in ("broken", "quits", "logbook")
)
stage = Stage(replace(SPEC, notify=notify))
telling = ToldLazily(stage.recorder, lambda s: build_notifier(s, {}, folder, SystemClock(), Links()), SystemClock())
ended = deploy(stage.session(), stage.spec, NEW, telling)
print(json.dumps([ended.phase.value, *telling.close(ended)]))
"""


def test_a_broken_notifier_that_is_installed_fails_no_deployment_and_keeps_no_other_one_back(
    installed: Path, tmp_path: Path
) -> None:
    path = f"{installed}:{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-c", TELL, str(tmp_path)],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    phase, *problems = json.loads(done.stdout)
    assert phase == "succeeded"
    assert len(problems) == 2
    assert "SystemExit: 0" in problems[1]
    assert "notifier broken was not told that orders succeeded" in problems[0]
    assert "half installed" in problems[0]
    assert (tmp_path / "told").read_text().startswith("orders succeeded: succeeded: ")
