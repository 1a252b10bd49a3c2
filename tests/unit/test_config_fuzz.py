"""Whatever is done to a configuration, the answer is a Spec or problems that name their keys, and nothing else.

``BLUEGREEN_FUZZ`` sets how many examples each test tries, 100 without it; the campaigns try thousands.
"""

from __future__ import annotations

import copy
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen.config.load import Loaded, load
from bluegreen.domain.spec import HookPoint, Spec
from bluegreen.errors import ConfigurationError
from bluegreen.wiring import known_kinds
from tests.unit.config_support import ENVIRONMENT

EXAMPLES = int(os.environ.get("BLUEGREEN_FUZZ", "100"))
SECRET = ENVIRONMENT["TOKEN"]
REFERENCE = Path(__file__).parents[2] / "configs" / "reference.yaml"
WHOLE: dict[str, Any] = yaml.safe_load(REFERENCE.read_text())
FOLDER = tempfile.TemporaryDirectory()
KINDS = known_kinds()
FUZZING = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

PLACE_KEY_AND_TEXT = re.compile(r':[0-9]+:[0-9]+: (?:[A-Za-z_][\w-]*|"(?:[^"\\]|\\.)*")(?:\.|\[|: [a-z])')

Path_ = tuple[str | int, ...]


def paths(value: object, at: Path_ = ()) -> list[Path_]:
    below: list[Path_] = []
    if isinstance(value, dict):
        below = [path for key, one in value.items() for path in paths(one, (*at, key))]
    elif isinstance(value, list):
        below = [path for index, one in enumerate(value) for path in paths(one, (*at, index))]
    return [*([at] if at else []), *below]


PATHS = paths(WHOLE)
WORDS = st.sampled_from(
    [
        "",
        "x",
        "5m",
        "0s",
        "${TOKEN}",
        "a${TOKEN}",
        "${NONE}",
        "${",
        "$${x}",
        "all-at-once",
        "never",
        "hold",
        "/",
        "\n",
        "(",
        "$[",
    ]
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 5, 100, 443, 10**400, 1e308]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=8))
KEYS = st.one_of(
    st.sampled_from(["service", "percent", "wait", "http", "alarm", "name", "path", "rule", "json"]),
    st.text(max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The reference with one to four of its values replaced, removed, doubled, renamed or moved."""
    data = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 4))):
        mutate(draw, data, draw(st.sampled_from(PATHS)))
    return data


def mutate(draw: st.DrawFn, data: Any, path: Path_) -> None:
    holder = data
    for part in path[:-1]:
        holder = holder[part] if _has(holder, part) else None
    if not _has(holder, path[-1]):
        return
    how = draw(st.sampled_from(["replace", "remove", "double", "rename", "move"]))
    value = holder.pop(path[-1])
    if how == "replace":
        _put(holder, path[-1], draw(VALUES))
    elif how == "double":
        _put(holder, path[-1], [value, value])
    elif how == "rename":
        _put(holder, draw(KEYS) if isinstance(holder, dict) else path[-1], value)
    elif how == "move":
        data[draw(KEYS)] = value


def _has(holder: Any, part: str | int) -> bool:
    if isinstance(holder, dict):
        return part in holder
    return isinstance(holder, list) and isinstance(part, int) and part < len(holder)


def _put(holder: Any, part: Any, value: object) -> None:
    if isinstance(holder, list):
        holder.insert(part, value)
    else:
        holder[part] = value


def outcome(text: bytes) -> Loaded | tuple[str, ...]:
    file = Path(FOLDER.name) / f"{os.getpid()}.yaml"
    file.write_bytes(text)
    environment = ENVIRONMENT | {"COMMIT": "c0ffee", "DATABASE_URL": "db", "TEST_TOKEN": "t"}
    try:
        return load(file, environment, KINDS)
    except ConfigurationError as error:
        return tuple(line.removeprefix(str(file)) for line in error.problems)


def dumped(data: object) -> bytes:
    return bytes(yaml.dump(data, Dumper=yaml.CSafeDumper, encoding="utf-8"))


def assert_sound(found: Loaded | tuple[str, ...], *, names_keys: bool) -> None:
    if isinstance(found, Loaded):
        assert isinstance(found.spec, Spec)
        assert found.spec.shift[-1].percent == 100
        json.dumps([hook.settings for hook in found.spec.hooks])
        return
    assert found
    for line in found:
        assert SECRET not in line
        assert "\n" not in line
        assert not names_keys or PLACE_KEY_AND_TEXT.match(line), line


@pytest.mark.thorough
@FUZZING
@given(mutated())
def test_a_mutated_configuration_loads_or_names_its_wrong_keys(data: dict[str, Any]) -> None:
    assert_sound(outcome(dumped(data)), names_keys=True)


@FUZZING
@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), VALUES))
def test_any_values_under_known_keys_load_or_are_named(data: dict[str, Any]) -> None:
    assert_sound(outcome(dumped(data)), names_keys=True)


@pytest.mark.thorough
@FUZZING
@given(st.dictionaries(st.sampled_from(list(HookPoint)), st.lists(VALUES, max_size=3)))
def test_any_hooks_load_or_are_named(hooks: dict[str, Any]) -> None:
    data = WHOLE | {"hooks": {point.value: entries for point, entries in hooks.items()}}  # type: ignore[attr-defined]
    assert_sound(outcome(dumped(data)), names_keys=True)


@FUZZING
@given(st.data())
def test_damaged_text_loads_or_is_refused(data: st.DataObject) -> None:
    text = REFERENCE.read_bytes()
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        text = (
            text[:start]
            + data.draw(st.binary(max_size=4) | st.sampled_from([b"&a ", b"*a", b"<<: ", b"\t", b"${"]))
            + text[end:]
        )
    assert_sound(outcome(text), names_keys=False)
