"""docs/hooks.md says what is true: its examples are valid, its tables complete."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.domain.facts import FACTS
from bluegreen.domain.health import Failure
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec, Moment, NotifySpec
from bluegreen.drivers.foreground import deploy
from bluegreen.hooks.base import Failed, HookCall, Passed, Reading, Watch
from bluegreen.hooks.registry import gate_kinds, hook_kinds
from bluegreen.hooks.settings import settings_model, settings_of
from bluegreen.hooks.words import call_environment
from bluegreen.notify.base import Fact
from bluegreen.notify.registry import notifier_kinds
from tests.stage import NEW, SPEC, Stage
from tests.unit.config_support import read_text, small

MANUAL = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
KINDS = (*hook_kinds(), *gate_kinds())
BESIDE = {"name", "timeout", "retries", "backoff", "unavailable", "already_firing", "inconclusive"}


def section(kind: str) -> str:
    found = re.search(rf"^## `{kind}`.*?(?=^## )", MANUAL, re.MULTILINE | re.DOTALL)
    assert found, f"no section on {kind}"
    return found[0]


def entries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for block in re.findall(r"^```yaml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL):
        document = yaml.safe_load(block)
        found += document if isinstance(document, list) else []
    return found


def sections() -> list[str]:
    """The examples that are parts of a whole configuration."""
    blocks: list[str] = re.findall(r"^```yaml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if isinstance(yaml.safe_load(block), dict)]


@pytest.mark.parametrize("block", sections(), ids=lambda block: " ".join(block.split())[:40])
def test_part_of_a_configuration_in_the_manual_loads(tmp_path: Path, block: str) -> None:
    environment = {"TAG": "1.4.2", "CHAT_URL": "https://chat.example/hook"}
    spec = read_text(tmp_path, f"{yaml.safe_dump(small())}\n{block}", environment).spec
    assert spec.hooks or spec.notify


@pytest.mark.parametrize("entry", entries(), ids=str)
def test_example_of_the_manual_is_valid(entry: dict[str, Any]) -> None:
    (kind,) = set(entry) - BESIDE
    settings_model(kind).model_validate(settings_of(kind, entry[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_kind_stands_in_its_table_and_no_other(kind: str) -> None:
    written = set(re.findall(r"^\| `(\w+)` \|", section(kind), re.MULTILINE))
    assert written == {field.alias or name for name, field in settings_model(kind).model_fields.items()}


def test_every_hook_point_is_mapped() -> None:
    table = re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", MANUAL, re.MULTILINE)
    assert table == [point.value for point in HookPoint]


def test_every_variable_that_a_hook_is_told_stands_in_the_table_and_no_other() -> None:
    stage = Stage(replace(SPEC, test_header="X-Test: green", hooks=(HookSpec(HookPoint.ON_ROLLBACK, "last", "x"),)))
    stage.compute.bad_images["registry.example/orders:2"] = Failure("pull failed", fatal=True)
    next(iter(stage.router.routes.values())).url = "https://prod.example"
    deploy(stage.session(), stage.spec, NEW, stage.recorder)
    (call,) = stage.hooks["last"].calls
    table = MANUAL[MANUAL.index("## What a hook is told") : MANUAL.index("## Time, ends and secrets")]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(call_environment(call))


def test_everything_that_a_gate_is_told_stands_in_its_table() -> None:
    told = MANUAL[MANUAL.index("## What a gate is told") : MANUAL.index("## What a hook is told")]
    rows = re.findall(r"^\| (`.*?) \|", told, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(FACTS)


def test_ten_lines_are_a_gate(tmp_path: Path) -> None:
    _, code, _ = re.findall(r"^```python\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(code, names)
    spec = GateSpec("backlog", "backlog", {"file": "queue.txt", "most": 2})
    gate = names["BacklogGate"](spec, _Around({}, tmp_path))
    for orders, state in ((2, "ok"), (3, "firing")):
        (tmp_path / "queue.txt").write_text("order\n" * orders)
        assert gate.check(Watch()) == Reading(state, f"{orders} orders wait", {"waiting": orders})


def test_ten_lines_are_a_notifier(tmp_path: Path) -> None:
    *_, code = re.findall(r"^```python\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(code, names)
    around = _Around({}, tmp_path)
    notifier = names["LogNotifier"](NotifySpec("log", "log", {"file": "releases.log"}), around)
    notifier.tell(Fact(Moment.HELD, 0.0, "orders", "production", "d-1", "test", "held: drift"))
    assert (tmp_path / "releases.log").read_text() == "orders held: held: drift\n"


def test_every_moment_and_every_kind_of_notifier_stands_in_the_manual() -> None:
    told = MANUAL[MANUAL.index("## Who is told") : MANUAL.index("## By hand")]
    assert set(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == set(Moment)
    assert set(re.findall(r"^- `(\w+)` ", told, re.MULTILINE)) == set(notifier_kinds())


def test_ten_lines_are_a_hook_and_ten_lines() -> None:
    code = re.search(r"^```python\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
    assert code
    assert len([line for line in code[1].splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(code[1], names)
    spec = HookSpec(HookPoint.TEST, "friday", "friday", {"refuse": "Friday"})
    for today, kind in (("Friday", Failed), ("Monday", Passed)):
        hook = names["FridayHook"](spec, _Around({"TODAY": today}))
        assert isinstance(hook.start(HookCall(HookPoint.TEST, "friday", 1, 1.0)), kind)


class _Around:
    def __init__(self, environment: dict[str, str], folder: Path = Path("/")) -> None:
        self.environment = environment
        self.folder = folder
