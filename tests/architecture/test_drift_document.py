"""docs/drift.md: its template is one that CloudFormation takes, and it says what the words of the commands say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jmespath
import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"


class Tagged(yaml.SafeLoader):
    """CloudFormation's short tags as their plain content."""


def _plain(loader: Any, suffix: str, node: Any) -> Any:
    del suffix
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else loader.construct_sequence(node)


Tagged.add_multi_constructor("!", _plain)


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks of {language}"
    return str(found[0])


@pytest.mark.thorough
def test_cfn_lint_passes_the_template(tmp_path: Path) -> None:
    template = tmp_path / "orders.yaml"
    template.write_text(block("yaml"), encoding="utf-8")
    command = Path(sys.executable).with_name("cfn-lint")
    checked = subprocess.run([str(command), str(template)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_template_leaves_to_parameters_what_bluegreen_writes() -> None:
    resources = yaml.load(block("yaml"), Tagged)["Resources"]
    groups = resources["OrdersRule"]["Properties"]["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [group["Weight"] for group in groups] == ["Weight1", "Weight2"]
    for name, definition in (("Orders1", "TaskDefinition1"), ("Orders2", "TaskDefinition2")):
        service = resources[name]["Properties"]
        assert service["TaskDefinition"] == definition
        assert service["DesiredCount"][2] == "AWS::NoValue"


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_update_command_is_shell() -> None:
    checked = subprocess.run(["bash", "-n"], input=block("sh"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_update_command_finds_the_live_weight_of_a_target_group() -> None:
    query = re.search(r'"(Rules\[0\][^"]*)"', block("sh"))
    assert query is not None
    groups = [{"TargetGroupArn": "arn:1", "Weight": 95}, {"TargetGroupArn": "arn:2", "Weight": 5}]
    login = {"Type": "authenticate-cognito"}
    rules = {"Rules": [{"Actions": [login, {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}
    assert jmespath.search(query.group(1).replace("$1", "arn:2"), rules) == 5


def test_terraform_is_told_to_ignore_what_bluegreen_writes() -> None:
    text = block("hcl")
    ignored = {word.strip() for each in re.findall(r"ignore_changes = \[(.*?)\]", text) for word in each.split(",")}
    assert ignored == {
        "action", "default_action", "desired_count", "task_definition", "load_balancer",
        "min_capacity", "max_capacity", "suspended_state",
    }  # fmt: skip
