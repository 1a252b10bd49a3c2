"""The reference, the examples, the schema and the manual say what the models say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from bluegreen.cli.schema import command
from bluegreen.config.describe import document, kind_rows, rows
from bluegreen.config.load import load
from bluegreen.config.problems import Place
from bluegreen.config.source import Items, Node, Pairs, read_source
from bluegreen.config.variables import as_written, plain
from bluegreen.domain.spec import HookPoint
from bluegreen.wiring import known_kinds

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "configs" / "reference.yaml"
MANUAL = ROOT / "docs" / "configuration.md"
EXAMPLES = sorted((ROOT / "configs" / "examples").glob("*.yaml"))
ENVIRONMENT = {
    "TAG": "1.4.2",
    "COMMIT": "c0ffee",
    "DATABASE_URL": "x",
    "TEST_TOKEN": "x",
    "CHAT_URL": "https://chat.example/hook",
}
ALTERNATIVE = re.compile(r"^\s*#or (.*)$")
DEFAULT = re.compile(r"# .*?\bdefault (\S+?)(?=[:;,]| :|$)")


def reference_texts() -> list[str]:
    """The reference, and once for each alternative the reference with it in place of the line above."""
    lines = REFERENCE.read_text().splitlines()
    texts = ["\n".join(lines)]
    for index, line in enumerate(lines):
        found = ALTERNATIVE.match(line)
        if found:
            above = next(n for n in range(index - 1, -1, -1) if not ALTERNATIVE.match(lines[n]))
            indent = re.match(r"\s*", lines[above])
            assert indent
            texts.append("\n".join([*lines[:above], indent[0] + found[1], *lines[above + 1 :]]))
    return texts


def keys_of(node: Node) -> set[str]:
    """Every key path in a file, as ``docs/configuration.md`` writes them."""
    found: set[str] = set()
    _gather(node, "", found)
    return found


def _gather(node: Node, path: str, found: set[str]) -> None:
    if isinstance(node, Items):
        for item in node.items:
            _gather(item, path + "[]", found)
    elif isinstance(node, Pairs):
        for key, below in node.pairs.items():
            found.add(f"{path}.{key}".lstrip("."))
            _gather(below, f"{path}.{key}", found)


def generic(key: str) -> str:
    points = "|".join(HookPoint)
    return re.sub(rf"^hooks\.(?:{points})\[\]", "hooks.POINT[]", key)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    answer = CliRunner().invoke(command)
    assert answer.exit_code == 0
    parsed: dict[str, Any] = json.loads(answer.stdout)
    return parsed


def test_the_reference_shows_every_key_and_no_other(tmp_path: Path) -> None:
    shown: set[str] = set()
    for number, text in enumerate(reference_texts()):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        shown |= {generic(key) for key in keys_of(read_source(file).root)}
    kinds = known_kinds()
    wanted = {row[0].strip("`") for row in rows(kinds)}
    for kind in kinds.hooks:
        wanted |= {f"hooks.POINT[].{kind}.{row[0].strip('`')}" for row in kind_rows(kinds, kind)} - _shared(kind)
    wanted |= {f"gates[].{kind}.{row[0].strip('`')}" for kind in kinds.gates for row in kind_rows(kinds, kind)}
    for kind in kinds.notifiers:
        wanted |= {f"notify[].{kind}.{row[0].strip('`')}" for row in kind_rows(kinds, kind, notifier=True)}
    shown |= {key.replace("production[].", "test.") for key in shown}  # a test route has a production route's keys
    assert wanted - shown == set()


def _shared(kind: str) -> set[str]:
    """What every process takes is shown once, with ``command``."""
    return (
        set()
        if kind == "command"
        else {f"hooks.POINT[].{kind}.{key}" for key in ("cwd", "env", "output_lines")} | {"hooks.POINT[].python.python"}
    )


@pytest.mark.parametrize("text", reference_texts())
def test_the_reference_loads_with_each_of_its_alternatives(tmp_path: Path, text: str) -> None:
    file = tmp_path / "reference.yaml"
    file.write_text(text)
    assert load(file, ENVIRONMENT, known_kinds()).spec.service == "orders"


def test_the_defaults_in_the_references_comments_are_the_models() -> None:
    kinds = known_kinds()
    models = {row[0].strip("`"): row[2].strip("`") for row in rows(kinds)}
    for kind in kinds.hooks:
        models |= {
            f"hooks.POINT[].{kind}.{key.strip('`')}": default.strip("`")
            for key, _, default, _ in kind_rows(kinds, kind)
        }
    for kind in kinds.notifiers:
        settings = kind_rows(kinds, kind, notifier=True)
        models |= {f"notify[].{kind}.{key.strip('`')}": default.strip("`") for key, _, default, _ in settings}
    lines, places = REFERENCE.read_text().splitlines(), _lines_of(read_source(REFERENCE).root)
    told = {}
    for line, key in places.items():
        found = DEFAULT.search(lines[line - 1])
        if found:
            told[key] = found[1]
    assert {key: same_form(value) for key, value in told.items()} == {key: same_form(models[key]) for key in told}
    spoken = {key for key, default in models.items() if default not in ("", "required") and key in places.values()}
    assert spoken - set(told) == {
        "hooks.POINT[].command.unavailable_codes",
        "hooks.POINT[].http.status",
        "notify[].on",
    }


def same_form(default: str) -> str:
    return default.removesuffix(".0")


def _lines_of(root: Node) -> dict[int, str]:
    """The first key of each line."""
    found: dict[Place, str] = {}
    _gather_places(root, "", found)
    lines: dict[int, str] = {}
    for place in sorted(found):
        lines.setdefault(place.line, generic(found[place]))
    return lines


def _gather_places(node: Node, path: str, found: dict[Place, str]) -> None:
    for item in node.items if isinstance(node, Items) else []:
        _gather_places(item, path + "[]", found)
    if not isinstance(node, Pairs):
        return
    for key, below in node.pairs.items():
        here = f"{path}.{key}".lstrip(".")
        found[node.keys[key]] = here
        _gather_places(below, here, found)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_loads(file: Path) -> None:
    assert load(file, ENVIRONMENT, known_kinds()).spec.service == "orders"


@pytest.mark.parametrize("file", [REFERENCE, *EXAMPLES], ids=lambda file: file.stem)
def test_editors_find_nothing_wrong_in_the_files_we_ship(schema: dict[str, Any], file: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    # Not by PyYAML: to YAML 1.1 a key "on" is true, to editors and to the loader it is "on".
    document = plain(read_source(file).root, as_written)
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"clutser": "a"},
        {"service": "a b"},
        {"slots": []},
        {"bake": {"time": 30}},
        {"bake": {"time": "30 minutes"}},
        {"shift": "canary"},
        {"shift": {"canary": {"percent": 5, "wait": "1m"}, "linear": {"percent": 5, "every": "1m"}}},
        {"production": [{"port": 80}]},
        {"hooks": {"test": [{"htpt": "/"}]}},
        {"hooks": {"test": [{"http": {"paht": "/"}}]}},
        {"hooks": {"test": [{"parallel": [{"http": "/"}]}]}},
        {"hooks": {"test": [{"parallel": [{"http": "/"}, {"http": "/b"}], "timeout": "1m"}]}},
        {"hooks": {"test": [{"parallel": [{"http": "/"}, {"http": "/b"}], "http": "/"}]}},
        {"hooks": {"test": [{"parallel": [{"http": "/"}, {"parallel": [{"http": "/"}, {"http": "/b"}]}]}]}},
        {"hooks": {"test": [{"http": "/", "on": ["teardown"]}]}},
        {"hooks": {"test": [{"http": "/", "on": []}]}},
        {"hooks": {"timeouts": {"tset": "1m"}}},
        {"notify": [{"webhook": {"urll": "https://x"}}]},
        {"notify": [{"webhook": "https://x", "on": ["teardown"]}]},
        {"notify": [{"http": "/"}]},
        {"gates": [{"http": "/"}]},
    ],
)
def test_editors_find_what_the_loader_would_refuse(schema: dict[str, Any], change: dict[str, Any]) -> None:
    minimal = yaml.safe_load((ROOT / "configs" / "examples" / "minimal.yaml").read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(minimal | change))


def test_the_schema_is_valid_describes_every_key_and_names_no_host(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:bluegreen:configuration:1"
    for name, owner in [("", schema), *schema["$defs"].items()]:
        for key, described in owner.get("properties", {}).items():
            has_words = described.get("description") or "$ref" in described
            assert has_words, f"{name}.{key}"


def test_the_manuals_table_of_keys_is_fresh() -> None:
    text = MANUAL.read_text()
    assert document(text, known_kinds()) == text, "run: python -m tests.architecture.test_configs_reference"


if __name__ == "__main__":
    MANUAL.write_text(document(MANUAL.read_text(), known_kinds()))
