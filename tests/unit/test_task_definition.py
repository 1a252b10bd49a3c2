"""What is registered, what counts as the same content, and what a pipeline's files become."""

from __future__ import annotations

import json

import botocore.session
import pytest

from bluegreen.compute.artifacts import (
    REGISTERABLE,
    Artifact,
    from_image_definitions,
    from_image_detail,
    from_task_definition,
)
from bluegreen.compute.task_definition import READ_ONLY, Definition, fingerprint, register_parameters
from bluegreen.domain.release import ReleaseRequest
from bluegreen.errors import ConfigurationError, RefusedError

LIVE: Definition = {
    "taskDefinitionArn": "arn:aws:ecs:eu-central-1:1:task-definition/orders:7",
    "family": "orders",
    "revision": 7,
    "status": "ACTIVE",
    "compatibilities": ["EC2", "FARGATE"],
    "requiresAttributes": [{"name": "x"}],
    "registeredAt": "2026-01-01",
    "networkMode": "awsvpc",
    "cpu": "256",
    "volumes": [{"name": "data", "host": {}}],
    "containerDefinitions": [
        {
            "name": "app",
            "image": "registry/orders:1",
            "cpu": 0,
            "essential": True,
            "environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
            "mountPoints": [],
            "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
        },
        {"name": "init", "image": "registry/init:1", "essential": False},
    ],
}

IMAGE = ReleaseRequest(images={"app": "registry/orders:2"})


def test_registered_keys_are_those_the_api_takes() -> None:
    model = botocore.session.Session().get_service_model("ecs")
    takes = set(model.shape_for("RegisterTaskDefinitionRequest").members)  # type: ignore[attr-defined]
    answers = set(model.shape_for("TaskDefinition").members)  # type: ignore[attr-defined]
    assert takes == REGISTERABLE
    assert answers - takes == READ_ONLY


def test_only_the_named_image_and_the_read_only_fields_differ() -> None:
    parameters = register_parameters(LIVE, [], IMAGE, "d-1")
    wanted = json.loads(json.dumps({key: value for key, value in LIVE.items() if key not in READ_ONLY}))
    wanted["containerDefinitions"][0]["image"] = "registry/orders:2"
    assert parameters == {**wanted, "tags": [{"key": "bluegreen:deployment", "value": "d-1"}]}
    assert LIVE["containerDefinitions"][0]["image"] == "registry/orders:1"


def test_tags_are_kept_but_aws_own_and_an_older_deployments() -> None:
    tags = [
        {"key": "team", "value": "x"},
        {"key": "bluegreen:deployment", "value": "d-0"},
        {"key": "aws:cloudformation:stack-name", "value": "s"},
    ]
    made = register_parameters(LIVE, tags, IMAGE, "d-1")["tags"]
    assert made == [{"key": "team", "value": "x"}, {"key": "bluegreen:deployment", "value": "d-1"}]


def test_image_without_a_container_needs_exactly_one_essential() -> None:
    two: Definition = {**LIVE, "containerDefinitions": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}
    with pytest.raises(RefusedError, match="2 among a, b"):
        register_parameters(two, [], ReleaseRequest(images={"": "i:2"}), "d-1")


def test_fingerprint_ignores_what_ecs_fills_in_and_the_order_of_the_environment() -> None:
    written: Definition = {
        "family": "orders",
        "networkMode": "awsvpc",
        "cpu": 256,
        "volumes": [{"name": "data"}],
        "containerDefinitions": [
            {
                "name": "app",
                "image": "registry/orders:1",
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "portMappings": [{"containerPort": 80}],
                "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
            },
            {"name": "init", "image": "registry/init:1", "essential": False},
        ],
        "tags": [{"key": "team", "value": "x"}],
    }
    assert fingerprint(written) == fingerprint(LIVE)


@pytest.mark.parametrize(
    "change",
    [
        {"image": "registry/orders:2"},
        {"environment": [{"name": "A", "value": "1"}]},
        {"essential": False},
        {"cpu": 10},
        {"command": ["run"]},
        {"portMappings": [{"containerPort": 81}]},
    ],
)
def test_fingerprint_tells_every_change_of_content(change: Definition) -> None:
    app, init = LIVE["containerDefinitions"]
    assert fingerprint({**LIVE, "containerDefinitions": [{**app, **change}, init]}) != fingerprint(LIVE)


def test_image_definitions_become_images() -> None:
    text = '[{"name": "app", "imageUri": "registry/orders:2"}, {"name": "proxy", "imageUri": "registry/proxy:8"}]'
    request = from_image_definitions(Artifact("imagedefinitions.json", text))
    assert request.images == {"app": "registry/orders:2", "proxy": "registry/proxy:8"}


def test_image_detail_fills_every_placeholder_of_the_task_definition() -> None:
    definition = {
        "family": "orders",
        "containerDefinitions": [
            {"name": "app", "image": "<IMAGE1_NAME>"},
            {"name": "job", "image": "<IMAGE1_NAME>"},
            {"name": "proxy", "image": "<IMAGE_PROXY>"},
        ],
    }
    details = {
        "IMAGE1_NAME": Artifact("app.json", '{"ImageURI": "registry/orders@sha256:1"}'),
        "IMAGE_PROXY": Artifact("proxy.json", '{"ImageURI": "registry/proxy:8"}'),
    }
    request = from_image_detail(Artifact("taskdef.json", json.dumps(definition)), details)
    made = (request.definition or {})["containerDefinitions"]
    assert isinstance(made, list)
    assert [item["image"] for item in made] == [
        "registry/orders@sha256:1",
        "registry/orders@sha256:1",
        "registry/proxy:8",
    ]


def test_task_definition_is_read_as_json_yaml_and_described() -> None:
    plain = {"family": "orders", "containerDefinitions": [{"name": "app", "image": "registry/orders:2"}]}
    yaml = "family: orders\ncontainerDefinitions:\n  - name: app\n    image: registry/orders:2\n"
    described = {"taskDefinition": {**plain, "revision": 7, "status": "ACTIVE"}, "tags": [{"key": "a", "value": "b"}]}
    assert from_task_definition(Artifact("t.json", json.dumps(plain))).definition == plain
    assert from_task_definition(Artifact("t.yaml", yaml)).definition == plain
    assert from_task_definition(Artifact("t.json", json.dumps(described))).definition == {
        **plain,
        "tags": [{"key": "a", "value": "b"}],
    }


@pytest.mark.parametrize(
    ("text", "says", "fix"),
    [
        ("{", "t.json: line 1 column 2: is not JSON", "correct it"),
        ("[]", "t.json: is not a task definition", "describe-task-definition"),
        ("family: [", "t.json: is not YAML", "correct it"),
        ('{"Family": "x"}', "t.json: Family: is not a key", "did you mean family"),
        ('{"containerDefinition": []}', "t.json: containerDefinition: is not a key", "containerDefinitions"),
        ('{"family": "x"}', "t.json: containerDefinitions: is missing", "at least one"),
        ('{"containerDefinitions": [{"image": "i"}]}', r"containerDefinitions\[0\].name: is missing", "name"),
        ('{"containerDefinitions": [{"name": "a"}]}', r"containerDefinitions\[0\].image: is missing", "image"),
        (
            '{"containerDefinitions": [{"name": "a", "image": "<IMAGE1_NAME>"}]}',
            "holds the placeholder <IMAGE1_NAME>",
            "imageDetail.json",
        ),
    ],
)
def test_malformed_task_definition_names_file_key_and_fix(text: str, says: str, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as raised:
        from_task_definition(Artifact("t.json", text))
    assert fix in str(raised.value.hint)
    assert raised.value.problems == (raised.value.message,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "i.json: is not a list of containers"),
        ("[]", "i.json: is not a list of containers"),
        ('["app"]', r"i.json: \[0\].name: is missing"),
        ('[{"name": "app"}]', r"i.json: \[0\].imageUri: is missing"),
        ('[{"name": "a", "imageUri": "i"}, {"name": "a", "imageUri": "j"}]', "names container a twice"),
    ],
)
def test_malformed_image_definitions_name_file_and_key(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        from_image_definitions(Artifact("i.json", text))


@pytest.mark.parametrize(
    ("left", "path"),
    [
        ({"environment": [{"name": "SIDE", "value": "<IMAGE2_NAME>"}]}, "environment[0].value"),
        ({"command": ["run", "--with=<IMAGE_PROXY>"]}, "command[1]"),
        ({"dockerLabels": {"proxy": "<IMAGE2_NAME>"}}, "dockerLabels.proxy"),
    ],
)
def test_a_placeholder_that_nothing_fills_is_an_error_wherever_it_stands(left: Definition, path: str) -> None:
    container = {"name": "app", "image": "<IMAGE1_NAME>", **left}
    definition = Artifact("taskdef.json", json.dumps({"family": "orders", "containerDefinitions": [container]}))
    with pytest.raises(ConfigurationError) as raised:
        from_image_detail(definition, {"IMAGE1_NAME": Artifact("d.json", '{"ImageURI": "x"}')})
    assert f"taskdef.json: containerDefinitions[0].{path}: holds the placeholder <IMAGE" in raised.value.message
    assert "imageDetail.json" in str(raised.value.hint)


def test_other_text_in_angle_brackets_is_the_applications_own() -> None:
    container = {"name": "app", "image": "i", "command": ["log", "<TIMESTAMP> <image>"]}
    text = json.dumps({"family": "orders", "containerDefinitions": [container]})
    assert from_task_definition(Artifact("t.json", text)).definition == json.loads(text)


def test_image_detail_without_its_placeholder_is_an_error() -> None:
    definition = Artifact("taskdef.json", '{"containerDefinitions": [{"name": "a", "image": "i"}]}')
    with pytest.raises(ConfigurationError, match="has no placeholder <IMAGE1_NAME>"):
        from_image_detail(definition, {"IMAGE1_NAME": Artifact("d.json", '{"ImageURI": "x"}')})


def test_image_detail_without_an_image_names_its_key() -> None:
    definition = Artifact("taskdef.json", '{"containerDefinitions": [{"name": "a", "image": "<IMAGE1_NAME>"}]}')
    with pytest.raises(ConfigurationError, match=r"d\.json: ImageURI: is missing"):
        from_image_detail(definition, {"IMAGE1_NAME": Artifact("d.json", '{"imageUri": "x"}')})
