from __future__ import annotations

import json
from pathlib import Path

import pytest

from bluegreen.config.release import task_definition_request
from bluegreen.domain.release import ReleaseRequest
from bluegreen.errors import ConfigurationError
from tests.unit.config_support import problem, problems_of_text, read

DEFINITION: dict[str, object] = {
    "family": "orders",
    "containerDefinitions": [{"name": "app", "image": "<IMAGE1_NAME>"}],
}
ARN = "arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42"


def test_a_file_beside_the_configuration_is_the_base_and_images_go_over_it(tmp_path: Path) -> None:
    (tmp_path / "taskdef.json").write_text(json.dumps(DEFINITION, indent="\t"))
    loaded = read(tmp_path, release={"task_definition": "taskdef.json", "images": {"app": "r/o:${TAG}"}})
    assert loaded.request == ReleaseRequest(images={"app": "r/o:1.4.2"}, definition=DEFINITION)


def test_a_yaml_file_is_read_too_and_its_dollars_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("family: f\ncontainerDefinitions: [{name: a, command: ['${X}']}]\n")
    request = task_definition_request("t.yaml", tmp_path)
    assert request.definition == {"family": "f", "containerDefinitions": [{"name": "a", "command": ["${X}"]}]}


@pytest.mark.parametrize("written", [ARN, "orders:42"])
def test_an_arn_or_a_revision_is_one_that_exists(tmp_path: Path, written: str) -> None:
    assert read(tmp_path, release={"task_definition": written, "commit": "abc"}).request == ReleaseRequest(
        task_definition=written, commit="abc"
    )


def test_images_over_a_revision_that_exists_are_refused(tmp_path: Path) -> None:
    found = problem(tmp_path, release={"task_definition": "orders:42", "image": "a"})
    assert found.startswith("release.task_definition: is a revision that exists, so its images are settled")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"family": "f"', "is not JSON: "),
        ('{"family": NaN}', "is not JSON that can be read"),
        ("[" * 100_000, "is not JSON that can be read"),
        ("[]", "must hold one task definition"),
        ("{}", "has no family"),
        ('{"family": "f"}', "has no containerDefinitions"),
        ('{"family": "f", "containerDefinitions": [{}]}', "has a container without a name"),
        ('{"taskDefinition": {"family": "f"}}', "keep what is under taskDefinition"),
        ("family: [", "is not YAML"),
        (" " * (1024 * 1024 + 1), "is larger than 1024 KiB"),
    ],
)
def test_a_file_that_is_no_task_definition_is_named_with_what_is_wrong(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        task_definition_request("t.json", tmp_path)
    assert words in caught.value.message
    assert "t.json" in caught.value.message


@pytest.mark.parametrize("written", ["none.json", ".", "a\\0b", "x" * 5000])
def test_a_file_that_cannot_be_read_is_a_problem_of_its_key(tmp_path: Path, written: str) -> None:
    found = problem(tmp_path, release={"task_definition": written})
    assert found.startswith("release.task_definition: ")
    assert "cannot be read" in found


def test_an_arn_of_something_else_is_refused(tmp_path: Path) -> None:
    wrong = ARN.replace("task-definition", "service")
    assert "must be a task definition's ARN" in problem(tmp_path, release={"task_definition": wrong})


def test_a_broken_release_section_does_not_hide_the_other_problems(tmp_path: Path) -> None:
    found = problems_of_text(tmp_path, "service: a\nrelease: {image: 7}\nshift: 3\n")
    assert {line.split(": ")[1] for line in found} == {"release.image", "shift", "cluster", "slots", "production"}
