"""The pipeline templates are valid, and call bluegreen by options it has."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bluegreen.cli.main import root

FOLDER = Path(__file__).parents[2] / "configs" / "codepipeline"
MANUAL = Path(__file__).parents[2] / "docs" / "pipelines.md"
RELEASE = ("--image", "--image-definitions", "--image-detail", "--taskdef", "--task-definition")
CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
BUILDSPECS = ("buildspec-build.yml", "buildspec-deploy.yml")


def buildspec(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return loaded


def commands_of(name: str) -> list[str]:
    return [command for phase in buildspec(name)["phases"].values() for command in phase["commands"]]


def template() -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {node.value}")
    loaded: dict[str, Any] = yaml.load((FOLDER / "pipeline.yaml").read_text(), Loader)
    return loaded


def stages() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template()["Resources"]["Pipeline"]["Properties"]["Stages"]
    return found


def bluegreen_lines(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    lines = [line.strip().removeprefix("- ").removeprefix("run: ") for line in joined.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"bluegreen [a-z]", line)]


@pytest.mark.thorough
def test_cfn_lint_finds_nothing_in_the_pipeline() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CFN_LINT, "--", str(FOLDER / "pipeline.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_production_comes_after_staging_and_a_persons_approval() -> None:
    kinds = [stage["Actions"][0]["ActionTypeId"]["Category"] for stage in stages()]
    assert [stage["Name"] for stage in stages()] == ["Source", "Build", "Staging", "Approval", "Production"]
    assert kinds == ["Source", "Build", "Build", "Approval", "Build"]


def test_every_artifact_that_a_stage_takes_was_made_before_it() -> None:
    made: set[str] = set()
    for stage in stages():
        for action in stage["Actions"]:
            assert {one["Name"] for one in action.get("InputArtifacts", [])} <= made
            made |= {one["Name"] for one in action.get("OutputArtifacts", [])}


def test_no_role_may_do_everything_with_a_service() -> None:
    text = (FOLDER / "pipeline.yaml").read_text()
    assert not re.search(r'[a-z]:\*"?\s*$|Action: "?\*', text, re.MULTILINE)
    assert "AdministratorAccess" not in text


@pytest.mark.parametrize("name", BUILDSPECS)
def test_the_pipelines_projects_use_the_buildspecs_we_ship(name: str) -> None:
    resources = template()["Resources"].values()
    used = {one["Properties"]["Source"]["BuildSpec"] for one in resources if one["Type"] == "AWS::CodeBuild::Project"}
    assert name in used
    assert buildspec(name)["version"] == 0.2


def test_what_the_build_hands_on_is_what_the_deployment_reads() -> None:
    files = buildspec("buildspec-build.yml")["artifacts"]["files"]
    deploy = " ".join(commands_of("buildspec-deploy.yml"))
    assert "$CODEBUILD_SRC_DIR_Release/imagedefinitions.json" in deploy
    assert files == ["imagedefinitions.json", "imageDetail.json"]


@pytest.mark.parametrize("place", ["buildspec", "manual"])
def test_what_is_verified_is_what_is_deployed(place: str) -> None:
    """Else verify reads the configuration's release, whose variables the pipeline need not have."""
    text = MANUAL.read_text() if place == "manual" else "\n".join(commands_of("buildspec-deploy.yml"))
    told = {line[1]: release_of(line) for line in reversed(bluegreen_lines(text))}
    assert told["verify"] == told["deploy"] != {}


def release_of(line: list[str]) -> dict[str, str]:
    return {name: value for name, value in itertools.pairwise(line) if name in RELEASE}


@pytest.mark.parametrize("name", BUILDSPECS)
def test_every_command_of_a_buildspec_is_a_shell_command(name: str) -> None:
    for line in commands_of(name):
        assert subprocess.run(["bash", "-n", "-c", line], check=False, timeout=20).returncode == 0, line


def test_the_templates_and_the_manual_call_bluegreen_by_options_it_has() -> None:
    lines = bluegreen_lines("\n".join(commands_of("buildspec-deploy.yml"))) + bluegreen_lines(MANUAL.read_text())
    assert {"deploy", "verify"} <= {line[1] for line in lines}
    context = click.Context(root)
    for _, name, *arguments in lines:
        command = root.get_command(context, name)
        assert command is not None, name
        known = {option for parameter in command.params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("-")} <= known, (name, arguments)
