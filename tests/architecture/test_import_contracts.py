"""The contract on independence lists every implementation: one that it does not know is one that it cannot see."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bluegreen.hooks import registry as hooks
from bluegreen.notify import registry as notify

ROOT = Path(__file__).parents[2]


def independent() -> set[str]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = content["tool"]["importlinter"]["contracts"]
    (found,) = [set(one["modules"]) for one in contracts if one["type"] == "independence"]
    return found


@pytest.mark.parametrize("registry", [hooks, notify], ids=["hooks", "notify"])
def test_every_kind_that_a_registry_names_is_in_the_contract(registry: Any) -> None:
    tables = [value for value in vars(registry).values() if isinstance(value, dict)]
    named = {place[0] for table in tables for place in table.values() if isinstance(place, tuple)}
    assert len(named) > 2
    assert named <= independent()


def test_every_implementation_that_the_wiring_names_is_in_the_contract() -> None:
    text = (ROOT / "bluegreen" / "wiring.py").read_text()
    named = set(re.findall(r"^ +from (bluegreen\.(?:store|compute|traffic|scaling)\.\w+) import", text, re.MULTILINE))
    implementations = {name for name in named if name.rpartition(".")[2] not in ("base", "location")}
    assert len(implementations) == 5, implementations
    assert implementations <= independent()


def test_every_module_in_the_contract_exists() -> None:
    for name in independent():
        assert (ROOT / f"{name.replace('.', '/')}.py").is_file(), name
