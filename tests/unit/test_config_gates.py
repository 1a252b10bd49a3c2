"""Gates and shifts in a configuration: what a gate is told is no variable, and a verdict needs what it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.domain.facts import FACTS
from bluegreen.domain.spec import ShiftStep, Undecided
from bluegreen.errors import ConfigurationError
from bluegreen.hooks.expand import expand
from tests.unit.config_support import problem, read

COMPARE: list[dict[str, Any]] = [{"compare": {}}]
UNTIL: dict[str, Any] = {"until_verdict": {"percent": 5, "at_least": "2m", "at_most": "30m"}}


def test_what_a_gate_is_told_needs_no_variable_and_stays_as_it_is_written(tmp_path: Path) -> None:
    written = "errors-${green_target_group}-${release}-${TOKEN}"
    (gate,) = read(tmp_path, gates=[{"alarm": written}]).spec.gates
    assert gate.settings == {"alarm": written}


def test_elsewhere_the_same_names_are_variables(tmp_path: Path) -> None:
    found = problem(tmp_path, hooks={"test": [{"command": ["echo", "${green_target_group}"]}]})
    assert "needs the environment variable green_target_group" in found


def test_a_misspelled_fact_is_told_what_there_is(tmp_path: Path) -> None:
    found = problem(tmp_path, gates=[{"alarm": "x-${green_targetgroup}"}])
    assert "needs the environment variable green_targetgroup" in found
    assert "green_target_group" in found.partition("what a gate is told")[2]


def test_the_sides_are_for_comparisons_only(tmp_path: Path) -> None:
    assert "environment variable side" in problem(tmp_path, gates=[{"alarm": "x-${side}"}])


def test_a_fact_goes_before_a_variable_of_the_same_name_and_is_no_secret() -> None:
    environment = {"green": "from outside", "TOKEN": "hush"}
    found = expand("gate x", {"a": "${green} ${TOKEN} $${green} ${side}"}, environment, {"green": "orders-2"}, ["side"])
    assert found.settings == {"a": "orders-2 hush ${green} ${side}"}
    assert found.used == {"TOKEN": "hush"}


def test_without_facts_every_name_is_a_variable() -> None:
    assert expand("hook x", {"a": "${green}"}, {"green": "leaf"}).settings == {"a": "leaf"}
    with pytest.raises(ConfigurationError):
        expand("hook x", {"a": f"${{{FACTS[0]}}}"}, {})


def test_until_verdict_is_a_step_with_bounds_and_then_everything(tmp_path: Path) -> None:
    spec = read(tmp_path, shift=UNTIL, gates=COMPARE).spec
    assert spec.shift == (ShiftStep(5, 120, 1800), ShiftStep(100, 0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shift": UNTIL}, "shift.until_verdict: needs a gate that gives one; add gates: [{compare: {}}]"),
        ({"shift": UNTIL, "gates": [{"alarm": "a"}]}, "shift.until_verdict: needs a gate that gives one"),
        ({"gates": COMPARE}, "gates[0].compare: compares green with blue while both have traffic"),
        (
            {"shift": {"until_verdict": {"percent": 5, "at_least": "5m", "at_most": "5m"}}, "gates": COMPARE},
            "shift.until_verdict: at_most must be longer than at_least",
        ),
        ({"shift": UNTIL, "gates": [{"compare": {"alpha": 1}}]}, "gates[0].compare.alpha: a share is written"),
        ({"gates": [{"alarm": "a", "inconclusive": "wait"}]}, "gates[0].inconclusive"),
        ({"shift": UNTIL, "gates": [{"compare": None}]}, "gates[0].compare: compare takes its settings as keys and"),
        (
            {"shift": UNTIL, "gates": [{"compare": {"errors": {"relativ": "1%"}}}]},
            "gates[0].compare.errors.relativ: is not a key here; did you mean relative?",
        ),
        (
            {"shift": UNTIL, "gates": [{"compare": {"errors": True}}]},
            "gates[0].compare.errors: must be a mapping of keys and values, or false",
        ),
    ],
)
def test_a_verdict_needs_what_it_is_about(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert problem(tmp_path, **changes).startswith(said)


def test_what_inconclusive_means_is_read(tmp_path: Path) -> None:
    gates = [{"alarm": "a"}, {"alarm": "b", "inconclusive": "go_on"}, {"alarm": "c", "inconclusive": "rollback"}]
    found = [gate.inconclusive for gate in read(tmp_path, gates=gates).spec.gates]
    assert found == [Undecided.HOLD, Undecided.GO_ON, Undecided.ROLL_BACK]
