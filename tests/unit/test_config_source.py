from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.config.source import MAX_BYTES, parse
from bluegreen.config.variables import as_written, plain
from bluegreen.errors import ConfigurationError
from tests.unit.config_support import problems_of_text, read_text


def data(text: str) -> object:
    source = parse(text.encode(), "f.yaml")
    assert not source.problems
    return plain(source.root, as_written)


def refusal(text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return "\n".join(caught.value.problems)


def test_values_are_read_as_yaml_reads_them_and_keys_are_always_text() -> None:
    text = "on: 1\n2: 1.5\na: yes\nb: '1'\nc: ~\nd: [x, !!str 3]\ne: 2026-01-01\n"
    assert data(text) == {"on": 1, "2": 1.5, "a": True, "b": "1", "c": None, "d": ["x", "3"], "e": "2026-01-01"}


def test_anchors_and_merged_mappings_are_followed() -> None:
    assert data("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n") == {
        "a": {"x": 1, "y": 2},
        "b": {"y": 3, "x": 1},
        "c": {"x": 1, "y": 2},
    }


def test_a_key_that_stands_twice_is_a_problem_with_both_places(tmp_path: Path) -> None:
    found = problems_of_text(tmp_path, "service: a\nbake: {time: 1m}\nbake: {time: 2m}\n")
    assert "bluegreen.yaml:3:1: bake: stands twice; the first is in line 2, remove one" in found


def test_a_tab_is_named_with_its_line() -> None:
    assert refusal("a: 1\nb:\n\tc: 1\n").startswith("f.yaml:3:1: is not YAML")
    assert "YAML allows no tabs" in refusal("a: 1\nb:\n\tc: 1\n")


def test_a_bare_variable_within_braces_is_told_to_be_quoted() -> None:
    assert 'needs quotes: "${NAME}"' in refusal("a: {wait: ${WAIT}}\n")


def test_two_documents_are_refused() -> None:
    assert refusal("a: 1\n---\nb: 1\n") == "f.yaml:2:1: holds more than one document; keep one a file"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("- a\n", "must hold keys and values"),
        ("a", "must hold keys and values"),
        ("a: [1", "is not YAML"),
        ("a: *nowhere\n", "anchor nowhere"),
        ("a: &a [*a]\n", "contains itself"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 40 deep"),
        (b"a: \xff\n", "is not UTF-8"),
        (b"a: \x00\n", "is not YAML"),
    ],
)
def test_what_is_no_configuration_is_refused_in_words(text: str | bytes, words: str) -> None:
    assert words in refusal(text)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "grows to more than 20000 values" in refusal("\n".join(lines))


def test_a_merge_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 {k: [x, x, x, x, x, x, x, x, x, x]}"]
    lines += [f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    assert "grows to more than 20000 values" in refusal("\n".join(lines))


def test_a_huge_file_is_refused_unread() -> None:
    assert "larger than 256 KiB" in refusal(b"#" * (MAX_BYTES + 1))


def test_a_foreign_tag_is_a_problem_and_builds_nothing(tmp_path: Path) -> None:
    found = problems_of_text(tmp_path, "service: !!python/object/apply:os.getcwd []\ncluster: !Ref Cluster\n")
    assert sum("which means nothing here" in line for line in found) == 2


def test_a_number_too_long_to_be_one_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    found = problems_of_text(tmp_path, "service: " + "9" * 5000 + "\n")
    assert any("is not the number or word that it looks like" in line for line in found)


def test_a_file_that_is_not_there_names_what_to_type(tmp_path: Path) -> None:
    from bluegreen.config.source import read_source

    with pytest.raises(ConfigurationError, match="cannot be read: No such file") as caught:
        read_source(tmp_path / "none.yaml")
    assert "bluegreen init" in (caught.value.hint or "")


def test_anchors_serve_a_real_configuration(tmp_path: Path) -> None:
    loaded = read_text(
        tmp_path,
        "service: orders\ncluster: production\n"
        "slots: [{target_group: o-1, service: o-1}, {target_group: o-2, service: o-2}]\n"
        "production: [&route {load_balancer: prod, port: 443}]\n"
        "test: {<<: *route, port: 8443}\n",
    )
    assert loaded.spec.test is not None
    assert (loaded.spec.test.load_balancer, loaded.spec.test.port) == ("prod", 8443)
