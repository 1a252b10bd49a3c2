from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bluegreen.clock import FakeClock
from bluegreen.domain.spec import GateSpec, HookPoint, HookSpec
from bluegreen.errors import ConfigurationError
from bluegreen.hooks.alarm import AlarmBoard
from bluegreen.hooks.base import Watch
from bluegreen.hooks.expand import expand
from bluegreen.hooks.registry import build_gate, build_hook, gate_kinds, hook_kinds
from bluegreen.hooks.settings import HttpSettings, settings_model, settings_of


def http(**settings: Any) -> HttpSettings:
    return HttpSettings.model_validate({"path": "/", **settings})


def build(kind: str, settings: dict[str, object], **environment: str) -> object:
    return build_hook(HookSpec(HookPoint.TEST, "smoke", kind, settings), environment, Path())


def problem_of(kind: str, settings: dict[str, object]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        build(kind, settings)
    assert raised.value.problems
    return raised.value.message


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (200, ((200, 200),)),
        ("200-299", ((200, 299),)),
        ([200, 204], ((200, 200), (204, 204))),
        (["200-204", 404], ((200, 204), (404, 404))),
    ],
)
def test_status_is_a_number_a_range_or_several(written: object, meant: object) -> None:
    assert http(status=written).status == meant


@pytest.mark.parametrize(
    ("written", "seconds"), [("250ms", 0.25), ("2s", 2.0), ("1.5 s", 1.5), ("2m", 120.0), ("1h30m", 5400.0)]
)
def test_duration_has_a_unit(written: str, seconds: float) -> None:
    assert http(latency=written).latency == seconds


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("http", {"path": "/", "latency": 250}, "a duration has a unit"),
        ("http", {"path": "/", "status": 99}, "a status is a number or a range"),
        ("http", {"path": "/", "status": "299-200"}, "wrong way round"),
        ("http", {"path": "/", "status": []}, "http.status"),
        ("http", {"path": "health"}, "starts with /"),
        ("http", {"path": "/a b"}, "spaces"),
        ("http", {}, "either path"),
        ("http", {"path": "/", "url": "http://x/"}, "either path"),
        ("http", {"url": "ftp://x/"}, "http:// or https://"),
        ("http", {"path": "/", "matches": "("}, "no regular expression"),
        ("http", {"path": "/", "json": {"a[": 1}}, "no JMESPath expression"),
        ("http", {"path": "/", "headers": {"X": "a\r\nY: b"}}, "no header that can be sent"),
        ("http", {"path": "/", "times": 0}, "http.times"),
        ("http", {"path": "/", "staus": 200}, "did you mean status?"),
        ("command", {"run": "make smoke"}, "shell: true"),
        ("command", {"run": ["make"], "shell": True}, "one string"),
        ("command", {"run": []}, "names no command"),
        ("command", {}, "command.run"),
        ("python", {"call": "no_function"}, "python.call"),
        ("pytest", {"path": []}, "pytest.path"),
        ("htpp", {"path": "/"}, "did you mean http?"),
        ("made-up", {}, "known are approval, codebuild, command, http, lambda"),
    ],
)
def test_wrong_settings_are_refused_with_hook_and_key(kind: str, settings: dict[str, object], said: str) -> None:
    message = problem_of(kind, settings)
    assert said in message
    assert "hook smoke (test)" in message


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        build("http", {"path": "/", "status": "x", "times": 0, "colour": "green"})
    assert len(raised.value.problems) == 3


def test_problem_does_not_show_the_value_of_a_variable() -> None:
    with pytest.raises(ConfigurationError) as raised:
        build("http", {"path": "/", "status": "${CODE}"}, CODE="swordfish")
    assert "swordfish" not in repr(raised.value.problems)


def test_variables_are_filled_in_at_every_depth_and_escapes_kept() -> None:
    settings = {"a": "x-${ONE}-${TWO}", "b": [{"c": "${ONE}"}], "d": "$${ONE}", "e": 3, "${ONE}": "key"}
    expanded = expand("hook x", settings, {"ONE": "1", "TWO": "${ONE}"})
    assert expanded.settings == {"a": "x-1-${ONE}", "b": [{"c": "1"}], "d": "${ONE}", "e": 3, "${ONE}": "key"}
    assert expanded.used == {"ONE": "1", "TWO": "${ONE}"}


def test_every_missing_variable_is_named_with_its_hook_and_key() -> None:
    with pytest.raises(ConfigurationError) as raised:
        expand("hook smoke (test)", {"run": ["a", "${ONE}"], "env": {"X": "${TWO}", "Y": "${2}"}}, {})
    assert raised.value.problems == (
        "hook smoke (test): run[1]: the environment has no variable ONE",
        "hook smoke (test): env.X: the environment has no variable TWO",
        "hook smoke (test): env.Y: ${2} is no variable's name",
    )


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("http", "/health", {"path": "/health"}),
        ("pytest", "tests/smoke", {"path": "tests/smoke"}),
        ("command", ["make", "smoke"], {"run": ["make", "smoke"]}),
        ("python", "checks:smoke", {"call": "checks:smoke"}),
        ("alarm", "orders-5xx", {"alarm": "orders-5xx"}),
        ("http", {"path": "/", "times": 3}, {"path": "/", "times": 3}),
    ],
)
def test_short_form_names_the_main_setting(kind: str, written: object, meant: dict[str, object]) -> None:
    assert settings_of(kind, written) == meant
    settings_model(kind).model_validate(meant)


def test_every_kind_has_a_model_that_refuses_unknown_keys() -> None:
    for kind in (*hook_kinds(), *gate_kinds()):
        with pytest.raises(ValidationError):
            settings_model(kind).model_validate({"no such key": 1})
        assert settings_model(kind).model_json_schema()["additionalProperties"] is False
    with pytest.raises(KeyError):
        settings_model("made-up")


def test_unknown_gate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"gate g: unknown kind alrm \(did you mean alarm\?\)"):
        build_gate(GateSpec("g", "alrm", {}), {}, Path(), AlarmBoard(_no_client, FakeClock()))


def test_building_the_registry_and_the_seam_imports_no_pydantic_and_no_aws() -> None:
    program = "import bluegreen.hooks.registry, bluegreen.hooks.fake, sys; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "boto3", "botocore", "jmespath"} & set(modules)


def _no_client() -> Any:
    raise AssertionError("nobody may ask")


# Plug-ins


PLUGIN = """
from bluegreen.hooks.base import Passed, Reading

class Always:
    def __init__(self, spec, around):
        self.word = spec.settings["word"]
    def start(self, call):
        return Passed(self.word)
    def check(self, watch):
        return Reading("ok", self.word)

def broken(spec, around):
    raise RuntimeError("out of order: " + around.environment["API_TOKEN"])
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three entry points of an installed distribution; one of them cannot even be imported."""
    info = tmp_path / "plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[bluegreen.hooks]\nalways = bg_plugged:Always\nbroken = bg_plugged:broken\nmissing = no_such_module:x\n"
        "[bluegreen.gates]\ncalm = bg_plugged:Always\n"
    )
    (tmp_path / "bg_plugged.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugins")
def test_plugged_in_hook_is_found_by_its_kind_with_its_settings_expanded() -> None:
    hook: Any = build("always", {"word": "${WORD}"}, WORD="fine")
    assert hook.start(None).detail == "[redacted]", "what came from the environment is not told"
    spec = GateSpec("g", "calm", {"word": "${WORD}"})
    gate = build_gate(spec, {"WORD": "calm"}, Path(), AlarmBoard(_no_client, FakeClock()))
    assert gate.check(Watch()).detail == "[redacted]"


@pytest.mark.usefixtures("plugins")
def test_broken_plugin_breaks_only_its_own_hook_and_is_named() -> None:
    for kind, said in (("broken", "RuntimeError: out of order"), ("missing", "no_such_module")):
        with pytest.raises(ConfigurationError) as raised:
            build(kind, {}, API_TOKEN="swordfish")
        assert kind in raised.value.message
        assert said in raised.value.message
        assert "swordfish" not in raised.value.message
    assert build("always", {"word": "fine"})
    assert build("http", {"path": "/"})
