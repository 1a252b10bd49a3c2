"""From the command line and a pipeline's artifacts to what is deployed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli_kit import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_deploy_of_what_stands_on_the_command_line_leaves_the_configured_release_unread(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text().replace('orders:2"', 'orders:${NOT_SET}"'))
    assert desk.deploy().exit_code == 2
    assert desk.deploy("--image", "app=registry.example/orders:3").exit_code == 0
    assert desk.stage.latest().request.images == {"app": "registry.example/orders:3"}


def test_deploy_takes_a_pipelines_image_definitions(desk: Desk) -> None:
    file = desk.folder / "imagedefinitions.json"
    file.write_text('[{"name": "app", "imageUri": "registry.example/orders:7"}]')
    desk.environment["CODEBUILD_RESOLVED_SOURCE_VERSION"] = "abc123"
    assert desk.deploy("--image-definitions", str(file)).exit_code == 0
    request = desk.stage.latest().request
    assert (request.images, request.commit) == ({"app": "registry.example/orders:7"}, "abc123")


def test_deploy_takes_a_pipelines_image_detail_and_taskdef(desk: Desk) -> None:
    taskdef, detail = desk.folder / "taskdef.json", desk.folder / "imageDetail.json"
    containers = [{"name": "app", "image": "<IMAGE1_NAME>"}]
    taskdef.write_text(json.dumps({"family": "orders", "containerDefinitions": containers}))
    detail.write_text('{"ImageURI": "registry.example/orders@sha256:1"}')
    assert desk.deploy("--taskdef", str(taskdef), "--image-detail", str(detail)).exit_code == 0
    release = desk.stage.latest().release
    assert release is not None
    definition = desk.stage.compute.definitions[release.task_definition]
    assert definition["containerDefinitions"] == [{"name": "app", "image": "registry.example/orders@sha256:1"}]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--image", "app="], "--image app= is not [CONTAINER=]URI"),
        (["--image", "app=a", "--image", "app=b"], "--image names container app twice: a and b"),
        (["--image", "a", "--image", "b"], "--image names the only essential container twice"),
        (["--image-detail", "x.json"], "--image-detail needs --taskdef FILE"),
        (["--taskdef", "a", "--task-definition", "b"], "--task-definition and --taskdef each say what to deploy"),
        (["--image-definitions", "/nonexistent"], "/nonexistent cannot be read: No such file or directory"),
        (["--task-definition", "orders:1", "--image", "a"], "a registered revision's images are settled"),
    ],
)
def test_contradicting_options_are_usage_errors(desk: Desk, options: list[str], said: str) -> None:
    result = desk.deploy(*options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert desk.stage.phase() is None


def test_deploy_that_nothing_names_says_how_to_name_it(desk: Desk) -> None:
    text = desk.config.read_text().replace('release:\n  images: {app: "registry.example/orders:2"}\n', "")
    desk.config.write_text(text)
    result = desk.deploy()
    assert result.exit_code == 2
    assert "error: nothing says what to deploy" in result.stderr
